"""Many strategies under one plan equal the reference's runs in every figure.

Plans are drawn from `plans_random` within what chains follow: directions, sizes, commissions,
hours, filters, close rules, and levels of one leg that stand still or move; wishes of all kinds
come from seeds. There are more strategies than lanes, and few bars, so that lanes take their next
set at different times. What a figure may differ by is that of the machine's summary. A set that is
left to the machine proves nothing of chains, so where nothing may be left to it, that is asserted.
"""

from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import CommissionKind, Costs, SlippageKind
from engines.funding import constant_funding
from engines.instrument import Instrument
from engines.kernels.chains import drivers, runs
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS, Klines
from engines.margin import MarginTier
from engines.plan import (
    AverageClose,
    Breakeven,
    Direction,
    DistanceUnit,
    Exits,
    Hours,
    LevelSource,
    MarginMode,
    Plan,
    Reentry,
    Session,
    Sizing,
    SizingKind,
    Trailing,
    TrendFilter,
)
from engines.signals import Signals
from strategies.base import SignalStrategy
from strategies.donchian_breakout import DonchianBreakout
from strategies.ema_crossover import EmaCrossover
from tests.property import plans_random as random_plans
from tests.property.path_cases import (
    Case,
    PlainWishes,
    borrowed,
    case_of,
    check,
    compared,
    followed,
    markets,
)
from tests.property.test_summary_equals_measure import check_summary

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 40, 4_000, 20
WITHOUT_LEVELS = Exits(levels=LevelSource.PLAN)


def exits() -> st.SearchStrategy[Exits]:
    """Return exits of one leg whose levels hang on its entry alone, or none."""
    of_one_leg = random_plans.exits().map(
        lambda own: replace(own, targets=(), only_in_profit=False, drawdown_ratio_max=None)
    )  # what needs more than the entry
    return st.one_of(st.just(WITHOUT_LEVELS), of_one_leg, of_one_leg, of_one_leg)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan that chains follow."""
    seed, market = draw(markets())
    count = draw(st.integers(CHAINS_MIN, STRATEGIES))
    sizing = draw(random_plans.sizings().filter(lambda own: own.kind is not SizingKind.KELLY))
    plan = replace(
        draw(followed()), exits=draw(exits()), sizing=sizing,
        limit_verify_ticks=draw(st.sampled_from((0, 0, 0, 1, 3, 40))),
        process_on_close=draw(st.sampled_from((False, False, True))),
    )  # fmt: skip # what else it says
    plan = draw(borrowed(plan))
    return case_of(market, plan, [PlainWishes(seed + own, own % 2 == 1) for own in range(count)])


test_chains_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_chains_equal_reference_on_many_random_sets = pytest.mark.long(compared(cases(), EXAMPLES_LONG))


@dataclass(frozen=True)
class Rare(SignalStrategy):
    """An entry every so many bars, and exits that come late or never."""

    every: int = 400
    leaves: bool = False

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        bars = np.arange(len(klines))
        never = np.zeros(len(klines), np.bool_)
        long, short = bars % (2 * self.every) == 7, bars % (2 * self.every) == self.every
        exits = bars % self.every == self.every // 3 if self.leaves else never
        return Signals(long, exits, short, exits)


INSTRUMENT = Instrument("SYNTHETIC", 0.1, 0.001)
PLANS = {
    "cash": Plan(),
    "equity": Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 0.3)),
    "quantity": Plan(sizing=Sizing(SizingKind.QTY, 0.02), position_qty_max=0.015),
    "long only": Plan(direction=Direction.LONG),
    "short only": Plan(direction=Direction.SHORT, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.2)),
    "filter and close": Plan(filters=(TrendFilter(period=50),), closes=(AverageClose(),)),
    "hours": Plan(
        hours=Hours(
            session=Session("08:00", "20:00"),
            weekend_exit_hour=20,
            time_zone="Europe/Berlin",
            bars_held_max=30,
        )
    ),
}
COSTS = {
    "notional": Costs(slippage_ticks=2),
    "contract": Costs(commission=3.0, commission_kind=CommissionKind.PER_CONTRACT),
    "order": Costs(
        commission=0.1, commission_kind=CommissionKind.PER_ORDER,
        slippage_kind=SlippageKind.RATIO, slippage_ratio=0.0003,
    ),
}  # fmt: skip # one table


@pytest.mark.parametrize("settles", [False, True], ids=["at opens", "at closes"])
@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("name", PLANS)
def test_signal_grids_of_all_plans_are_decided(
    name: str, costs: Costs, settles: bool, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    rare = [Rare(every, leaves) for every in (40, 300, 2_000) for leaves in (False, True)]
    plan = replace(PLANS[name], exits=WITHOUT_LEVELS, process_on_close=settles)
    market = Market(klines, INSTRUMENT, costs, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *rare], times=5) == 1.0


def test_under_a_largest_position_below_one_step_nothing_opens(klines: Klines) -> None:
    plan = Plan(position_qty_max=0.0005, exits=WITHOUT_LEVELS)
    assert check(Market(klines, INSTRUMENT, Costs()), plan, [Rare(40), Rare(300)], times=10) == 1.0


@pytest.mark.parametrize("exits", [Exits(), Exits(trailing=Trailing(0.01, 0.006))])
@pytest.mark.parametrize("name", ["equity", "long only", "hours"])
def test_strategies_with_levels_of_their_own_are_decided(
    name: str, exits: Exits, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    channels = [DonchianBreakout(channel_period=period, exit_period=5) for period in (10, 20, 40)]
    plan = replace(PLANS[name], exits=exits)
    market = Market(klines, INSTRUMENT, COSTS["notional"], since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *channels, Rare()], times=5) == 1.0


@pytest.mark.parametrize("risk", [0.0001, 0.05])
def test_sets_that_risk_all_there_is_by_stops_of_their_own_do_not_go_to_lanes(
    risk: float, klines: Klines, monkeypatch: pytest.MonkeyPatch
) -> None:
    advanced, advance = list[int](), drivers.advance_chains

    def counted(*given: Any) -> None:
        advanced.append(len(given[2]))
        advance(*given)

    monkeypatch.setattr(runs, "advance_chains", counted)
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    plan = Plan(sizing=Sizing(SizingKind.RISK, risk))
    assert check(Market(klines, INSTRUMENT, COSTS["notional"]), plan, [*crosses]) == 1.0
    assert sum(advanced) == (len(crosses) if risk == 0.0001 else 0)


@pytest.mark.parametrize("room", [1, 2])
@pytest.mark.parametrize("share", [0.1, 1.0], ids=["lanes", "stacks"])
def test_walks_that_are_known_are_those_of_their_own_plan_and_levels(
    share: float, room: int, klines: Klines
) -> None:
    # All enter at the same bars; targets, stops and plans take turns at the same entries.
    crosses = [
        EmaCrossover(5, 15, atr_multiplier=multiplier, reward_ratio=reward)
        for _ in range(3) for multiplier in (1.0, 2.0) for reward in (1.5, 3.0)
    ]  # fmt: skip # one list
    sizing = Sizing(SizingKind.EQUITY_RATIO, share)
    plans = [
        Plan(sizing=sizing, pyramiding=room, exits=Exits(trailing=own))
        for own in (None, Trailing(0.01, 0.002), Trailing(0.01, 0.006), Trailing(0.1, 0.02))
    ]
    market = Market(klines, INSTRUMENT, COSTS["notional"])
    found = Trials(market, plans, 1).run(crosses)
    assert (found.engine == Engine.FIRST_PASSAGE).all()
    for row, cross in enumerate(crosses[:4]):
        for column, plan in enumerate(plans):
            result = run_backtest(cross, klines, INSTRUMENT, plan, market.costs)
            for again in (row, row + 4, row + 8):
                check_summary(found.values[again, column], result)


@dataclass(frozen=True)
class OneStop(Rare):
    """Rare entries, of which those of one side have stops."""

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        own = super().signals(klines)
        return replace(own, stop_price=np.where(own.entry_long, klines.close * 0.9, np.nan))


@pytest.mark.parametrize("reentry", [Reentry(), Reentry(cooldown_bars=2)], ids=["chain", "gate"])
def test_a_wish_without_a_share_closes_nothing(reentry: Reentry, klines: Klines) -> None:
    # By risk, a wish without a stop has no size; where only longs are allowed nothing else asks.
    plan = Plan(sizing=Sizing(SizingKind.RISK, 0.01), direction=Direction.LONG, reentry=reentry)
    market = Market(klines, INSTRUMENT, Costs())
    assert check(market, plan, [OneStop(40), OneStop(300)], times=10) == 0.0


MOVING = {
    "trailing": Exits(trailing=Trailing(0.005, 0.01)),
    "trailing at once": Exits(stop_loss_ratio=0.02, trailing=Trailing(0.0, 0.004)),
    "trailing by ticks": Exits(trailing=Trailing(300.0, 200.0, DistanceUnit.TICKS)),
    "breakeven": Exits(stop_loss_ratio=0.01, breakeven=Breakeven(0.004, 0.001)),
    "all of them": Exits(
        stop_loss_ratio=0.015,
        take_profit_ratio=0.03,
        trailing=Trailing(0.01, 0.006),
        breakeven=Breakeven(0.004, 0.001),
    ),
    "a stop": Exits(stop_loss_ratio=0.01),
    "a stop and a target": Exits(stop_loss_ratio=0.01, take_profit_ratio=0.02),
}


@pytest.mark.parametrize(("name", "costs"), list(zip(MOVING, cycle(COSTS.values()))), ids=MOVING)
def test_signal_grids_with_moving_stops_are_decided(
    name: str, costs: Costs, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    own = replace(MOVING[name], levels=LevelSource.PLAN)
    plan = Plan(exits=own, limit_verify_ticks=2 if own.take_profit_ratio else 0)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, [*crosses, *rare]) == 1.0


TIERS = (
    MarginTier(50_000.0, 0.005, leverage_max=50.0),
    MarginTier(500_000.0, 0.02, leverage_max=25.0),
    MarginTier(1e9, 0.1, leverage_max=5.0),
)
LEVERED = replace(INSTRUMENT, margin_tiers=TIERS)


@pytest.mark.parametrize("mode", MarginMode)
@pytest.mark.parametrize(
    "sizing", [Sizing(SizingKind.EQUITY_RATIO, 0.5), Sizing(SizingKind.CASH, 20_000.0)]
)
@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
def test_signal_grids_with_leverage_are_decided(
    costs: Costs, sizing: Sizing, mode: MarginMode, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    exits = Exits(stop_loss_ratio=0.04, trailing=Trailing(0.01, 0.02), levels=LevelSource.PLAN)
    plan = Plan(exits=exits, sizing=sizing, leverage=5.0, margin_mode=mode)
    funding = constant_funding(0.0001, 8, klines)
    assert check(Market(klines, LEVERED, costs, funding), plan, [*crosses, Rare(40)], 3) == 1.0


@pytest.mark.parametrize("mode", MarginMode)
def test_sets_that_come_near_to_a_liquidation_are_left_to_the_machine(
    mode: MarginMode, klines: Klines
) -> None:
    plan = Plan(
        exits=WITHOUT_LEVELS, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.9), leverage=20.0,
        margin_mode=mode,
    )  # fmt: skip # what it may lose
    often, seldom = EmaCrossover(5, 15), Rare(2_000)
    market = Market(klines, LEVERED, Costs(commission=0.0))
    assert check(market, plan, [seldom], times=20) == 0.0
    assert check(market, replace(plan, leverage=1.5), [often, seldom], times=10) == 1.0


def test_what_mark_prices_liquidate_is_left_to_the_machine(klines: Klines) -> None:
    mark = replace(klines, high=klines.high * 1.05, low=klines.low * 0.95)
    market = Market(klines, LEVERED, Costs(), mark=mark)
    plan = Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 0.5), exits=WITHOUT_LEVELS)
    assert check(market, replace(plan, leverage=5.0), [Rare(300)], times=20) == 0.0
    assert check(market, plan, [Rare(300)], times=20) == 1.0


def test_a_position_that_slips_beyond_its_liquidation_is_left_to_the_machine() -> None:
    # The open of its bar liquidates it, ahead of the target that the bar meets first.
    open_ = np.full(60, 100.0)
    high, low, close = open_ + 0.5, open_ - 0.5, open_.copy()
    high[8], low[8] = 105.5, 90.0
    klines = Klines(
        "SYNTHETIC", MINUTE_MS, MINUTE_MS * np.arange(60), open_, high, low, close, np.ones(60)
    )
    costs = Costs(commission=0.0, slippage_kind=SlippageKind.RATIO, slippage_ratio=0.045)
    plan = Plan(
        exits=Exits(take_profit_ratio=0.005, levels=LevelSource.PLAN), leverage=20.0,
        sizing=Sizing(SizingKind.CASH, 100.0), margin_mode=MarginMode.ISOLATED,
    )  # fmt: skip # what it may lose
    tiers = (MarginTier(1e9, 0.01, leverage_max=20.0),)
    market = Market(klines, replace(INSTRUMENT, margin_tiers=tiers), costs)
    assert check(market, plan, [Rare(1_000)], times=20) == 0.0
