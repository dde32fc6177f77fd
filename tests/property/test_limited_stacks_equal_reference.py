"""Several entries, and entries that wait, under limits of a day and of the drawdown.

Plans are those of `test_stacks_equal_reference` and `test_awaited_stacks_equal_reference` with the
limits of `test_limits_equal_reference`, near enough to be met. A set that is left to the machine
proves nothing of stacks, so where nothing may be left to it, that is asserted.
"""

from dataclasses import replace
from itertools import cycle, product

import pytest
from hypothesis import strategies as st

from engines.costs import Costs
from engines.funding import constant_funding
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import Klines
from engines.plan import CloseRule, EntryTerms, Exits, LevelSource, Plan, Sizing, SizingKind
from tests.property.path_cases import (
    Case,
    PlainWishes,
    case_of,
    check,
    check_together,
    compared,
    markets,
)
from tests.property.test_awaited_stacks_equal_reference import ENTRIES, awaited
from tests.property.test_chains_equal_reference import COSTS
from tests.property.test_limits_equal_reference import INSTRUMENT, LIMITS, STOP, limited
from tests.property.test_stacks_equal_reference import GRID, check_case, stacked

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 60, 4_000, 12
TOGETHER, EXAMPLES_TOGETHER = 4, 25  # plans of a call


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan that stacks follow."""
    seed, market = draw(markets())
    plan = replace(draw(st.one_of(stacked(), awaited())), process_on_close=False)
    count, plan = draw(st.integers(CHAINS_MIN, STRATEGIES)), draw(limited(plan))
    return case_of(market, plan, [PlainWishes(seed + n) for n in range(count)])


test_limited_stacks_equal_reference_on_random_sets = compared(cases(), EXAMPLES, check_case)
test_limited_stacks_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG, check_case)
)

test_several_limited_stacks_equal_reference_in_one_call = compared(
    st.tuples(*[cases()] * TOGETHER), EXAMPLES_TOGETHER, check_together
)

STILL = {"still": STOP, "none": Exits(levels=LevelSource.PLAN)}


def limited_plan(name: str, exits: Exits) -> Plan:
    """Return a plan of `LIMITS` whose entries an account can carry three at a time."""
    limits = LIMITS[name]
    return replace(
        limits, exits=replace(exits, drawdown_ratio_max=limits.exits.drawdown_ratio_max),
        sizing=Sizing(SizingKind.EQUITY_RATIO, 0.15),
    )  # fmt: skip # one plan


@pytest.mark.parametrize(
    ("name", "levels", "rule", "costs"),
    [
        (*own, rule, costs)
        for own, rule, costs in zip(
            product(LIMITS, STILL), cycle(CloseRule), cycle(COSTS.values()), strict=False
        )
    ],
)
def test_grids_of_limited_stacks_are_decided(
    name: str, levels: str, rule: CloseRule, costs: Costs, klines: Klines
) -> None:
    plan = replace(limited_plan(name, STILL[levels]), pyramiding=3, close_rule=rule)
    funding = constant_funding(0.0001, 8, klines) if levels == "still" else None
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize(
    ("name", "entry", "costs"),
    [
        (*own, costs)
        for own, costs in zip(product(LIMITS, ENTRIES), cycle(COSTS.values()), strict=False)
    ],
)
def test_grids_of_limited_orders_are_decided(
    name: str, entry: EntryTerms, costs: Costs, klines: Klines
) -> None:
    plan = replace(limited_plan(name, STOP), entry=entry)
    market = Market(klines, INSTRUMENT, costs, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0
