"""Many strategies under one plan of several entries equal the reference's runs in every figure.

Plans are those of `test_chains_equal_reference` with two to five entries in one direction and every
close rule; wishes of all kinds come from seeds. A set that is left to the machine proves nothing of
stacks, so where nothing may be left to it, that is asserted.
"""

from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.costs import Costs
from engines.funding import constant_funding
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import MINUTE_MS, Klines
from engines.plan import Basis, CloseRule, LevelSource, Plan, Sizing, SizingKind
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import SignalStrategy
from tests.property.test_chains_equal_reference import (
    COSTS,
    INSTRUMENT,
    MOVING,
    check,
    check_case,
    exits,
)
from tests.property.test_first_passage_equals_reference import (
    PlainWishes,
    followed,
    followed_costs,
    fundings,
)
from tests.property.test_kernel_equals_reference import INSTRUMENTS
from tests.property.test_plans_hold import BARS_MAX, klines_of_seed

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 60, 4_000, 12
SHARES = (0.02, 0.1, 0.3)


@dataclass(frozen=True)
class Often(SignalStrategy):
    """Several entries on one side, then several on the other, and exits that come late or never."""

    every: int = 7
    leaves: bool = False

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        bars = np.arange(len(klines))
        enters, is_long = bars % self.every == 2, bars // (6 * self.every) % 2 == 0
        exits = (bars % (11 * self.every) == 5) & ~enters & self.leaves
        return Signals(enters & is_long, exits, enters & ~is_long, exits)


GRID: list[SignalStrategy] = [
    Often(every, leaves) for every in (3, 7, 20, 90) for leaves in (False, True)
]


@st.composite
def stacked(draw: st.DrawFn) -> Plan:
    """Return a plan of several entries, each with levels of its own or none."""
    plan = replace(
        draw(followed()),
        pyramiding=draw(st.integers(2, 5)),
        close_rule=draw(st.sampled_from(CloseRule)),
        exits=replace(draw(exits()), basis=Basis.ENTRY),
    )
    if draw(st.booleans()):  # what an account can carry several times
        share = draw(st.sampled_from(SHARES))
        plan = replace(plan, sizing=Sizing(SizingKind.EQUITY_RATIO, share))
    return plan


@st.composite
def cases(draw: st.DrawFn) -> tuple[Market, Plan, list[SignalStrategy]]:
    """Return strategies of random wishes on random bars, and a plan that stacks follow."""
    seed = draw(st.integers(0, 2**31))
    klines = klines_of_seed(seed, draw(st.integers(2, BARS_MAX)))
    start = min(draw(st.integers(0, 30)), len(klines) - 1)
    market = Market(
        klines, draw(st.sampled_from(INSTRUMENTS)), draw(followed_costs()), draw(fundings(klines)),
        since_ms=int(klines.open_time_ms[start]),
    )  # fmt: skip # what is traded, then from when
    count = draw(st.integers(CHAINS_MIN, STRATEGIES))
    return market, draw(stacked()), [PlainWishes(seed + n, n % 2 == 1) for n in range(count)]


@settings(max_examples=EXAMPLES)
@given(case=cases())
def test_stacks_equal_reference_on_random_sets(
    case: tuple[Market, Plan, list[SignalStrategy]],
) -> None:
    check_case(case)


@pytest.mark.long
@settings(max_examples=EXAMPLES_LONG)
@given(case=cases())
def test_stacks_equal_reference_on_many_random_sets(
    case: tuple[Market, Plan, list[SignalStrategy]],
) -> None:
    check_case(case)


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two months of synthetic bars."""
    return synthetic_klines(6_001, 15 * MINUTE_MS, seed=11)


@pytest.mark.parametrize("rule", CloseRule)
@pytest.mark.parametrize(("name", "costs"), list(zip(MOVING, cycle(COSTS.values()))), ids=MOVING)
def test_grids_of_stacked_plans_are_decided(
    name: str, costs: Costs, rule: CloseRule, klines: Klines
) -> None:
    exits = replace(MOVING[name], levels=LevelSource.PLAN)
    plan = Plan(pyramiding=3, close_rule=rule, exits=exits)
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0
