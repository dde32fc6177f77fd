"""Sets of two sides over one account equal the reference's runs, by the walk of `hedges`.

Plans are those of `test_chains_equal_reference` in hedge mode, strategies give no levels. A set
that is left to the machine proves nothing of the walk, so most must be decided by it.
"""

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from engines.costs import Costs
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import Klines
from engines.plan import (
    Direction,
    Exits,
    LevelSource,
    MarginMode,
    Plan,
    PositionMode,
    Sizing,
    SizingKind,
)
from strategies.ema_crossover import EmaCrossover
from tests.property import plans_random as random_plans
from tests.property.path_cases import (
    SIZES,
    Case,
    PlainWishes,
    case_of,
    check,
    compared,
    followed,
    markets,
)
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, Rare, exits

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 40, 4_000, 20


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
        exits=draw(exits()),
        sizing=draw(share | share | sizes), margin_long_ratio=1.0, margin_short_ratio=1.0,
        limit_verify_ticks=draw(st.sampled_from((0, 0, 0, 1, 3, 40))),
        leverage=draw(st.sampled_from((1.0, 1.0, 3.0))),
    )  # fmt: skip # one plan
    plan = replace(plan, exits=replace(plan.exits, levels=LevelSource.PLAN))
    market = replace(market, funding=None)
    return case_of(market, plan, [PlainWishes(seed + own) for own in range(count)])


test_hedges_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_hedges_equal_reference_on_many_random_sets = pytest.mark.long(compared(cases(), EXAMPLES_LONG))

HEDGE = PositionMode.HEDGE
STOP = Exits(stop_loss_ratio=0.01, take_profit_ratio=0.02, levels=LevelSource.PLAN)
FIFTH = Sizing(SizingKind.EQUITY_RATIO, 0.2)
PLANS = {
    "cash": Plan(position_mode=HEDGE, exits=STOP),
    "equity": Plan(position_mode=HEDGE, exits=STOP, sizing=FIFTH),
    "one side": Plan(position_mode=HEDGE, exits=STOP, direction=Direction.SHORT),
    "no levels": Plan(position_mode=HEDGE, exits=Exits(levels=LevelSource.PLAN), sizing=FIFTH),
}


@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("name", PLANS)
def test_signal_grids_of_two_sides_are_decided(name: str, costs: Costs, klines: Klines) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 9, 14) for slow in (15, 21, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    assert check(Market(klines, INSTRUMENT, costs), PLANS[name], [*crosses, *rare], times=2) == 1.0
