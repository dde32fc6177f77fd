"""Many strategies under one plan whose entries wait at a price equal the reference's runs.

Plans are those of `test_chains_equal_reference` with a limit or a stop as entry, near and far, for
a bar or many; wishes of all kinds come from seeds. A set that is left to the machine proves nothing
of waits, so where nothing may be left to it, that is asserted.
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
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    Hours,
    LevelSource,
    MarginMode,
    Plan,
    Reentry,
    Sizing,
    SizingKind,
    Trailing,
)
from strategies.base import SignalStrategy
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
from tests.property.test_chains_equal_reference import (
    COSTS,
    INSTRUMENT,
    LEVERED,
    MOVING,
    PLANS,
    WITHOUT_LEVELS,
    Rare,
    exits,
)

EXAMPLES, EXAMPLES_LONG, STRATEGIES = 60, 4_000, 20
KINDS = EntryKind.LIMIT, EntryKind.STOP
SHARES = (0.02, 0.1, 0.5)


def terms() -> st.SearchStrategy[EntryTerms]:
    """Return where entries wait: at the close itself or farther, for a bar or many."""
    offset = st.sampled_from((1e-9, 0.0005, 0.002)) | st.floats(0.0001, 0.05)
    return st.builds(EntryTerms, st.sampled_from(KINDS), offset, st.sampled_from((1, 2, 5, 20)))


@st.composite
def awaited(draw: st.DrawFn) -> Plan:
    """Return a plan whose entries wait."""
    in_profit = draw(st.sampled_from((False, False, False, True)))
    own = replace(draw(exits()), levels=LevelSource.PLAN, only_in_profit=in_profit)
    delay, cooldown = (draw(st.sampled_from((0, 0, 1, 3, 20))) for _ in range(2))
    losses = draw(st.sampled_from((None, None, 1, 2)))
    plan = replace(
        draw(followed()), entry=draw(terms()), exits=own,
        reentry=Reentry(delay, cooldown, losses_in_a_row_max=losses),
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
    seed, market = draw(markets())
    count, plan = draw(st.integers(CHAINS_MIN, STRATEGIES)), draw(awaited())
    return case_of(market, plan, [PlainWishes(seed + own) for own in range(count)])


test_waits_equal_reference_on_random_sets = compared(cases(), EXAMPLES)
test_waits_equal_reference_on_many_random_sets = pytest.mark.long(compared(cases(), EXAMPLES_LONG))


GRID: list[SignalStrategy] = [
    *(EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)),
    *(Rare(every, leaves) for every in (40, 300, 2_000) for leaves in (False, True)),
]
ENTRIES = {
    "limit": EntryTerms(EntryKind.LIMIT, 0.001, 5),
    "limit at the close": EntryTerms(EntryKind.LIMIT, 1e-9, 1),
    "far limit": EntryTerms(EntryKind.LIMIT, 0.02, 300),
    "stop": EntryTerms(EntryKind.STOP, 0.001, 5),
    "stop at the close": EntryTerms(EntryKind.STOP, 1e-9, 2),
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("name", PLANS)
def test_signal_grids_of_all_plans_are_decided(
    name: str, entry: EntryTerms, klines: Klines
) -> None:
    plan = replace(PLANS[name], entry=entry, exits=WITHOUT_LEVELS)
    market = Market(klines, INSTRUMENT, COSTS["notional"], since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


@pytest.mark.parametrize("entry", [ENTRIES["limit"], ENTRIES["stop"]], ids=("limit", "stop"))
@pytest.mark.parametrize(("name", "costs"), list(zip(MOVING, cycle(COSTS.values()))), ids=MOVING)
def test_signal_grids_with_levels_are_decided(
    name: str, costs: Costs, entry: EntryTerms, klines: Klines
) -> None:
    plan = Plan(entry=entry, exits=replace(MOVING[name], levels=LevelSource.PLAN))
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, plan, GRID) == 1.0


BY_SHARES = {
    "risk": Plan(
        sizing=Sizing(SizingKind.RISK, 0.002), limit_verify_ticks=2,
        exits=Exits(stop_loss_ratio=0.015, take_profit_ratio=0.02, levels=LevelSource.PLAN),
    ),
    "risk at the atr": Plan(
        sizing=Sizing(SizingKind.RISK, 0.002),
        exits=Exits(stop_atr=3.0, trailing=Trailing(0.01, 0.006), levels=LevelSource.PLAN),
    ),
    "volatility": Plan(
        sizing=Sizing(SizingKind.VOLATILITY, 0.001), exits=WITHOUT_LEVELS, limit_verify_ticks=20
    ),
}  # fmt: skip # one table


@pytest.mark.parametrize("entry", [ENTRIES["limit"], ENTRIES["stop"]], ids=("limit", "stop"))
@pytest.mark.parametrize("name", BY_SHARES)
def test_signal_grids_with_shares_of_their_own_are_decided(
    name: str, entry: EntryTerms, klines: Klines
) -> None:
    plan, funding = replace(BY_SHARES[name], entry=entry), constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, COSTS["notional"], funding)
    assert check(market, plan, GRID) == 1.0


LOOKING_BACK = {
    "delay": Plan(reentry=Reentry(delay_bars=6)),
    "cooldown": Plan(reentry=Reentry(delay_bars=2, cooldown_bars=20)),
    "losses": Plan(reentry=Reentry(losses_in_a_row_max=2)),
    "in profit": Plan(
        exits=Exits(stop_loss_ratio=0.03, only_in_profit=True), hours=Hours(bars_held_max=300)
    ),
}
UNEVEN = replace(COSTS["contract"], commission=3.017)  # of which no price makes a result of nothing
FEES = [COSTS["notional"], UNEVEN, Costs(commission=0.0)]


@pytest.mark.parametrize(("name", "costs"), list(zip(LOOKING_BACK, cycle(FEES))), ids=LOOKING_BACK)
@pytest.mark.parametrize("entry", [ENTRIES["limit"], ENTRIES["stop"]], ids=("limit", "stop"))
def test_signal_grids_that_look_back_are_decided(
    name: str, costs: Costs, entry: EntryTerms, klines: Klines
) -> None:
    plan = LOOKING_BACK[name]
    own = replace(plan.exits, levels=LevelSource.PLAN, take_profit_ratio=0.02)
    market = Market(klines, INSTRUMENT, costs, constant_funding(0.0001, 8, klines))
    assert check(market, replace(plan, entry=entry, exits=own), GRID) == 1.0


OF_ONE = {
    "losses and a fee by order": LOOKING_BACK["cooldown"],
    "Kelly": Plan(sizing=Sizing(SizingKind.KELLY, 0.5)),
    "trades of a day and week": Plan(
        reentry=Reentry(trades_per_day_max=1, trades_per_week_max=4), direction=Direction.LONG
    ),
    "all of equity": Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0)),
}  # fmt: skip # one table


@pytest.mark.parametrize("entry", [ENTRIES["limit"], ENTRIES["stop"]], ids=("limit", "stop"))
@pytest.mark.parametrize("name", OF_ONE)
def test_what_waits_do_not_follow_is_a_stack_of_one(
    name: str, entry: EntryTerms, klines: Klines
) -> None:
    plan = replace(OF_ONE[name], entry=entry, exits=WITHOUT_LEVELS)
    assert check(Market(klines, INSTRUMENT, COSTS["order"]), plan, GRID) == 1.0


def test_one_direction_is_closed_by_orders_of_the_other(klines: Klines) -> None:
    plan = Plan(entry=ENTRIES["limit"], exits=WITHOUT_LEVELS, direction=Direction.LONG)
    assert check(Market(klines, INSTRUMENT, Costs()), plan, GRID) == 1.0


@pytest.mark.parametrize("mode", MarginMode)
@pytest.mark.parametrize("entry", [ENTRIES["limit"], ENTRIES["stop"]], ids=("limit", "stop"))
def test_signal_grids_with_leverage_are_decided(
    entry: EntryTerms, mode: MarginMode, klines: Klines
) -> None:
    exits = Exits(stop_loss_ratio=0.04, take_profit_ratio=0.03, levels=LevelSource.PLAN)
    sizing = Sizing(SizingKind.EQUITY_RATIO, 0.4)
    plan = Plan(entry=entry, exits=exits, sizing=sizing, leverage=5.0, margin_mode=mode)
    assert check(Market(klines, LEVERED, Costs()), plan, GRID) == 1.0
