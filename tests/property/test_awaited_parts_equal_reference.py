"""Positions that close at several targets, of entries that wait at a price, equal the reference's.

Plans are those of `test_parts_equal_reference` with a limit or a stop as entry, near and far, for a
bar or many; wishes of all kinds come from seeds. Bars are wild enough that an entry is met in the
middle of a bar whose rest closes some of it, and that another order is met between two closes. A
set that is left to the machine proves nothing of this path, so where none may be, that is asserted.
"""

from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import strategies as st

from engines.costs import Costs
from engines.funding import constant_funding
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import Klines
from engines.plan import (
    CloseRule,
    Direction,
    LevelSource,
    MarginMode,
    Plan,
    Reentry,
    Sizing,
    SizingKind,
)
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
from tests.property.test_chains_equal_reference import COSTS, Rare
from tests.property.test_kernel_equals_reference import INSTRUMENTS
from tests.property.test_parts_equal_reference import COARSE, INSTRUMENT, LEVERED, PARTED, exits
from tests.property.test_waits_equal_reference import ENTRIES, GRID, SHARES, terms

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 40, 4_000, 20
RULES = [rule for rule in CloseRule if rule is not CloseRule.ALL]


@st.composite
def awaited(draw: st.DrawFn) -> Plan:
    """Return a plan whose entries wait and close at several targets."""
    own = replace(draw(exits()), levels=LevelSource.PLAN)
    plan = replace(
        draw(followed()), entry=draw(terms()), exits=own, close_rule=draw(st.sampled_from(RULES)),
        reentry=Reentry(draw(st.sampled_from((0, 0, 1, 3, 20)))),
        limit_verify_ticks=draw(st.sampled_from((0, 0, 0, 1, 3, 40))),
    )  # fmt: skip # what else it says
    if draw(st.booleans()):
        kinds = random_plans.sizings().filter(lambda own: own.kind is not SizingKind.KELLY)
        plan = replace(plan, sizing=draw(kinds))
    elif draw(st.booleans()):  # what an account can carry
        share = draw(st.sampled_from(SHARES))
        plan = replace(plan, sizing=Sizing(SizingKind.EQUITY_RATIO, share))
    return draw(borrowed(plan))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return strategies of random wishes on random bars, and a plan that waits follow."""
    seed, market = draw(markets((*INSTRUMENTS, *COARSE)))
    count, plan = draw(st.integers(CHAINS_MIN, STRATEGIES)), draw(awaited())
    return case_of(market, plan, [PlainWishes(seed + own) for own in range(count)])


test_awaited_parts_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_awaited_parts_equal_reference_on_many_random_sets = pytest.mark.long(
    compared(cases(), EXAMPLES_LONG)
)


KINDS = "limit", "stop"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "costs"), list(zip(PARTED, cycle(COSTS.values()))), ids=PARTED)
def test_signal_grids_that_wait_and_close_in_parts_are_decided(
    name: str, costs: Costs, kind: str, klines: Klines
) -> None:
    own = replace(PARTED[name].exits, levels=LevelSource.PLAN)
    plan = replace(PARTED[name], exits=own, entry=ENTRIES[kind])
    is_funded = (list(PARTED).index(name) + KINDS.index(kind)) % 2 == 0
    funding = constant_funding(0.0001, 8, klines) if is_funded else None
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize(
    "sizing", [Sizing(SizingKind.RISK, 0.002), Sizing(SizingKind.VOLATILITY, 0.001)]
)
def test_shares_of_their_own_are_decided(sizing: Sizing, klines: Klines) -> None:
    own = replace(PARTED["three"].exits, levels=LevelSource.PLAN)
    plan = Plan(sizing=sizing, exits=own, entry=ENTRIES["stop"])
    market = Market(klines, INSTRUMENT, COSTS["notional"], constant_funding(0.0001, 8, klines))
    assert check(market, plan, GRID) == 1.0


def test_one_direction_is_closed_by_orders_of_the_other(klines: Klines) -> None:
    own = replace(PARTED["three"].exits, levels=LevelSource.PLAN)
    plan = Plan(entry=ENTRIES["limit"], exits=own, direction=Direction.LONG)
    assert check(Market(klines, INSTRUMENT, Costs()), plan, GRID) == 1.0


@pytest.mark.parametrize("mode", MarginMode)
def test_signal_grids_with_leverage_are_decided(mode: MarginMode, klines: Klines) -> None:
    own = replace(PARTED["all of them"].exits, levels=LevelSource.PLAN)
    sizing = Sizing(SizingKind.EQUITY_RATIO, 0.4)
    plan = Plan(entry=ENTRIES["limit"], exits=own, sizing=sizing, leverage=5.0, margin_mode=mode)
    market = Market(klines, LEVERED, Costs(), constant_funding(0.0001, 8, klines))
    assert check(market, plan, [*GRID, Rare(40)]) == 1.0
