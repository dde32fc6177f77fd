"""Sets of two sides over one account equal the reference's runs, by the walk of `hedges`.

Plans are those of `test_chains_equal_reference` in hedge mode, strategies give no levels. A set
that is left to the machine proves nothing of the walk, so most must be decided by it.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.funding import Funding, constant_funding
from engines.instrument import Instrument
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import MINUTE_MS, Klines
from engines.plan import (
    Direction,
    Exits,
    Hours,
    LevelSource,
    MarginMode,
    Plan,
    PositionMode,
    Reentry,
    Sizing,
    SizingKind,
)
from engines.signals import Signals
from engines.trades import Side
from strategies.base import SignalStrategy
from strategies.ema_crossover import EmaCrossover
from tests.property import plans_random as random_plans
from tests.property.path_cases import (
    SIZES,
    Case,
    PlainWishes,
    case_of,
    check,
    check_together,
    compared,
    followed,
    markets,
)
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, LEVERED, Rare, exits
from tests.property.test_gates_equal_reference import kellys, reentries
from tests.property.test_stacks_equal_reference import OWN_SHARES, SELDOM

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 40, 4_000, 20
TOGETHER, EXAMPLES_TOGETHER = 4, 25  # plans of a call


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan of two sides."""
    seed, market = draw(markets())
    count = draw(st.integers(CHAINS_MIN, STRATEGIES))
    sizes = random_plans.sizings().filter(lambda sizing: sizing.kind in SIZES)
    share = st.sampled_from((0.05, 0.2, 0.4)).map(
        lambda value: Sizing(SizingKind.EQUITY_RATIO, value)
    )
    plan = replace(
        draw(followed()), margin_mode=MarginMode.ISOLATED, position_mode=PositionMode.HEDGE,
        exits=replace(draw(exits()), only_in_profit=draw(SELDOM)),
        reentry=draw(reentries()) if draw(SELDOM) else Reentry(),
        sizing=draw(share | share | sizes | st.sampled_from(OWN_SHARES) | kellys()),
        margin_long_ratio=1.0, margin_short_ratio=1.0,
        limit_verify_ticks=draw(st.sampled_from((0, 0, 0, 1, 3, 40))),
        leverage=draw(st.sampled_from((1.0, 1.0, 3.0))),
    )  # fmt: skip # one plan
    plan = replace(plan, exits=replace(plan.exits, levels=LevelSource.PLAN))
    return case_of(market, plan, [PlainWishes(seed + own) for own in range(count)])


test_hedges_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_hedges_equal_reference_on_many_random_sets = pytest.mark.long(compared(cases(), EXAMPLES_LONG))

test_several_hedges_equal_reference_in_one_call = compared(
    st.tuples(*[cases()] * TOGETHER), EXAMPLES_TOGETHER, check_together
)

HEDGE = PositionMode.HEDGE
STOP = Exits(stop_loss_ratio=0.01, take_profit_ratio=0.02, levels=LevelSource.PLAN)
FIFTH = Sizing(SizingKind.EQUITY_RATIO, 0.2)
PLANS = {
    "cash": Plan(position_mode=HEDGE, exits=STOP),
    "equity": Plan(position_mode=HEDGE, exits=STOP, sizing=FIFTH),
    "one side": Plan(position_mode=HEDGE, exits=STOP, direction=Direction.SHORT),
    "risk": Plan(position_mode=HEDGE, exits=STOP, sizing=Sizing(SizingKind.RISK, 0.002)),
    "volatility": Plan(
        position_mode=HEDGE, exits=STOP, sizing=Sizing(SizingKind.VOLATILITY, 0.0005)
    ),
    "kelly": Plan(
        position_mode=HEDGE, exits=STOP, sizing=Sizing(SizingKind.KELLY, 0.2, ratio_max=0.2)
    ),
    "delays": Plan(position_mode=HEDGE, exits=STOP, reentry=Reentry(3, 20)),
    "a day and week": Plan(
        position_mode=HEDGE, exits=STOP, direction=Direction.LONG, reentry=Reentry(0, 0, 2, 7)
    ),
    "losses": Plan(position_mode=HEDGE, exits=STOP, reentry=Reentry(losses_in_a_row_max=2)),
    "in profit": Plan(
        position_mode=HEDGE,
        exits=replace(STOP, only_in_profit=True),
        hours=Hours(bars_held_max=300),
    ),
    "no levels": Plan(position_mode=HEDGE, exits=Exits(levels=LevelSource.PLAN), sizing=FIFTH),
}


@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("name", PLANS)
def test_signal_grids_of_two_sides_are_decided(name: str, costs: Costs, klines: Klines) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    funding = constant_funding(0.0001, 8, klines) if costs is COSTS["notional"] else None
    market = Market(klines, INSTRUMENT, costs, funding)
    assert check(market, PLANS[name], [*crosses, *rare], times=2) == 1.0


@dataclass(frozen=True)
class Again(SignalStrategy):
    """A long from the close of one bar, closed and entered again at another, and a short before."""

    short_at: int = -1
    long_at: int = 0
    again_at: int = 4
    out_at: int = 7

    def signals(self, klines: Klines) -> Signals:
        bars = np.arange(len(klines))
        enters = (bars == self.long_at) | (bars == self.again_at)
        leaves = (bars == self.again_at) | (bars == self.out_at)
        return Signals(enters, leaves, bars == self.short_at, np.zeros(len(klines), np.bool_))


SLIPPED = [99.5, 99.5, 99, 98, 97, 97, 98, 99, 100, 99, 98]
FALLEN = [193, 193, 170, 150, 130, 110, 100, 100, 99, 96, 97, 98, 97, 96, 95]


@pytest.mark.parametrize(
    ("closes", "gap_to", "leverage", "ticks", "wishes"),
    [(SLIPPED, None, 1.0, 2, Again()), (FALLEN, 95.0, 3.0, 0, Again(0, 6, 8, 11))],
    ids=["slipped twice", "behind a gap"],
)
def test_an_entry_where_its_own_side_closes_is_refused_if_that_leaves_too_little(
    closes: list[float], gap_to: float | None, leverage: float, ticks: int, wishes: Again
) -> None:
    """The account can pay at the close before, and no more where both fill."""
    close = np.array(closes, dtype=np.float64)
    opened = np.concatenate((close[:1], close[:-1]))
    if gap_to is not None:
        opened[wishes.again_at + 1] = gap_to
    high, low, hour_ms = np.maximum(opened, close), np.minimum(opened, close), 3_600_000
    times = 1_735_689_600_000 + hour_ms * np.arange(close.size, dtype=np.int64)
    klines = Klines("HAND", hour_ms, times, opened, high, low, close, np.ones(close.size))
    instrument = Instrument("HAND", 0.1, 0.001, margin_tiers=LEVERED.margin_tiers)
    plan = Plan(
        capital_quote=1000.0, position_mode=HEDGE, leverage=leverage,
        sizing=Sizing(SizingKind.QTY, 10.0), exits=Exits(levels=LevelSource.PLAN),
    )  # fmt: skip # one plan
    costs = Costs(commission=0.0, slippage_ticks=ticks)
    outs = range(wishes.out_at, wishes.out_at + CHAINS_MIN)
    asked: list[SignalStrategy] = [replace(wishes, out_at=out_at) for out_at in outs]
    assert check(Market(klines, instrument, costs), plan, asked) == 1.0


@pytest.mark.parametrize("after_minutes", [0, 20], ids=["at the open", "inside the bar"])
def test_a_short_is_refused_if_the_long_side_has_paid_in_the_bar_of_its_fill(
    after_minutes: int,
) -> None:
    """The long side's whole bar comes first, so it has paid before the short fills at the open."""
    bars, hour_ms, level, fills_at = 40, 3_600_000, np.full(40, 100.0), 11
    times = 1_735_689_600_000 + hour_ms * np.arange(bars, dtype=np.int64)
    klines = Klines("HAND", hour_ms, times, level, level, level, level, np.ones(bars))
    settles = times[fills_at : fills_at + 1] + after_minutes * MINUTE_MS
    instrument = Instrument("HAND", 0.1, 0.001, margin_tiers=LEVERED.margin_tiers)
    market = Market(klines, instrument, Costs(commission=0.0), Funding(settles, np.array([0.01])))
    plan = Plan(
        capital_quote=1000.0, position_mode=HEDGE, sizing=Sizing(SizingKind.QTY, 4.99),
        exits=Exits(levels=LevelSource.PLAN),
    )  # fmt: skip # one plan
    asked: list[SignalStrategy] = [
        Again(fills_at - 1, 2, 2, out_at) for out_at in range(20, 20 + CHAINS_MIN)
    ]
    refused = run_backtest(asked[0], klines, instrument, plan, market.costs, funding=market.funding)
    assert [trade.side for trade in refused.trades] == [Side.BUY]
    assert check(market, plan, asked) == 1.0
