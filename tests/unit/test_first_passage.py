"""What the faster paths leave to the machine: every setting that none of them follows."""

import math

import numpy as np
import pytest

from engines.costs import Costs, SlippageKind
from engines.instrument import Instrument
from engines.kernels import pending, trials
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS
from engines.margin import MarginTier
from engines.plan import (
    Basis,
    Breakeven,
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    LevelSource,
    Plan,
    PositionMode,
    Reentry,
    Sizing,
    SizingKind,
    Target,
    Trailing,
)
from engines.plan import Market as Traded
from engines.synthetic import synthetic_klines
from strategies.macd_trend import MacdTrend

TIERS = (MarginTier(math.inf, 0.005, 0.0, 100.0),)
INSTRUMENT = Instrument("SYNTHETIC", 0.1, 0.001, margin_tiers=TIERS)
KLINES = synthetic_klines(2_000, 15 * MINUTE_MS, seed=3)
LEFT = {
    "losses of a day beside targets and levels of the strategy": Plan(
        intraday_loss_ratio_max=0.1, exits=Exits(targets=(Target(0.01, 0.5), Target(0.02, 0.5)))
    ),
    "priced entries": Plan(entry=EntryTerms(EntryKind.LIMIT)),
    "targets of several entries and levels of the strategy": Plan(
        pyramiding=2, exits=Exits(targets=(Target(0.01, 0.5), Target(0.02, 0.5)))
    ),
    "targets of several entries whose stop trails": Plan(
        pyramiding=2,
        exits=Exits(
            targets=(Target(0.01, 0.5), Target(0.02, 0.5)),
            trailing=Trailing(),
            levels=LevelSource.PLAN,
        ),
    ),
}
FOLLOWED = {
    "nothing": Plan(),
    "levels": Plan(exits=Exits(stop_loss_ratio=0.01, stop_atr=2.0, target_atr=3.0)),
    "one side": Plan(direction=Direction.LONG),
    "risk": Plan(exits=Exits(stop_loss_ratio=0.02), sizing=Sizing(SizingKind.RISK, 0.01)),
    "a fixed size": Plan(sizing=Sizing(SizingKind.QTY, 0.02)),
    "trailing": Plan(exits=Exits(trailing=Trailing())),
    "breakeven": Plan(exits=Exits(breakeven=Breakeven())),
    "several entries": Plan(pyramiding=2, exits=Exits(trailing=Trailing())),
    "targets": Plan(exits=Exits(targets=(Target(0.01, 0.5), Target(0.02, 0.5)))),
    "leverage": Plan(leverage=3.0),
    "fills at the close": Plan(process_on_close=True),
    "trades of a day": Plan(reentry=Reentry(trades_per_day_max=1)),
    "losses in a row": Plan(reentry=Reentry(losses_in_a_row_max=2)),
    "largest drawdown": Plan(exits=Exits(drawdown_ratio_max=0.2)),
    "fills of a day": Plan(intraday_fills_max=3),
    "fills of a day beside targets": Plan(
        intraday_fills_max=3, exits=Exits(targets=(Target(0.01, 0.5), Target(0.02, 0.5)))
    ),
    "losses of a day beside targets": Plan(
        intraday_loss_ratio_max=0.1,
        exits=Exits(targets=(Target(0.01, 0.5), Target(0.02, 0.5)), levels=LevelSource.PLAN),
    ),
    "targets of several entries": Plan(
        pyramiding=2,
        exits=Exits(targets=(Target(0.01, 0.5), Target(0.02, 0.5)), levels=LevelSource.PLAN),
    ),
    "entries whose exits count from the average": Plan(
        pyramiding=2, exits=Exits(stop_loss_ratio=0.02, basis=Basis.AVERAGE)
    ),
    "loss of a day": Plan(intraday_loss_ratio_max=0.1),
    "two sides": Plan(position_mode=PositionMode.HEDGE, exits=Exits(levels=LevelSource.PLAN)),
    "delay": Plan(reentry=Reentry(delay_bars=2)),
    "only in profit": Plan(exits=Exits(only_in_profit=True)),
    "verified limits": Plan(limit_verify_ticks=1),
    "spot": Plan(market=Traded.SPOT, direction=Direction.LONG),
}


@pytest.fixture(autouse=True)
def few_sets_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let first passage take even one set, which trials leave to the machine for speed."""
    monkeypatch.setattr(trials, "PLANS_MIN", 1)
    monkeypatch.setattr(pending, "CHAINS_MIN", 1)


def engines_of(plans: list[Plan], costs: Costs) -> list[Engine]:
    """Return what runs each plan."""
    found = Trials(Market(KLINES, INSTRUMENT, costs), plans, threads=1).run([MacdTrend()])
    return [Engine(number) for number in found.engine[0]]


def test_settings_that_no_faster_path_follows_go_to_another_engine() -> None:
    ran_by = engines_of(list(LEFT.values()), Costs())
    taken = [name for name, by in zip(LEFT, ran_by, strict=True) if by == Engine.FIRST_PASSAGE]
    assert taken == []


def test_market_entries_are_followed_whatever_their_levels() -> None:
    ran_by = engines_of(list(FOLLOWED.values()), Costs())
    assert ran_by == [Engine.FIRST_PASSAGE] * len(FOLLOWED)


@pytest.mark.parametrize("kind", [SlippageKind.VOLUME, SlippageKind.COMBINED])
def test_slippage_that_depends_on_the_size_goes_to_another_engine(kind: SlippageKind) -> None:
    assert engines_of([Plan()], Costs(slippage_kind=kind)) == [Engine.MACHINE]


def test_one_set_is_what_it_is_among_many() -> None:
    ratios = np.linspace(0.002, 0.05, 40).tolist()
    plans = [Plan(exits=Exits(stop_loss_ratio=stop, take_profit_ratio=2 * stop)) for stop in ratios]
    market = Market(KLINES, INSTRUMENT, Costs())
    together = Trials(market, plans, threads=2).run([MacdTrend()]).values[0]
    alone = Trials(market, plans[7:8], threads=1).run([MacdTrend()]).values[0]
    np.testing.assert_array_equal(together[7], alone[0])
