"""Ladders whose stop moves equal the reference's runs in every figure, many strategies a plan.

Plans are those of `test_campaigns_equal_reference` with a stop that follows the price, is locked,
or both: beside it all ladders, stops, targets, sizes, costs, rules and limits that campaigns follow
there. Where a lot opens after the stop of another has moved, each goes its own way, and campaigns
leave the set to the machine; cases by hand show both sides of that.
"""

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from engines.costs import Costs
from engines.errors import PlanFault
from engines.funding import constant_funding
from engines.kernels.trials import Market
from engines.klines import Klines
from engines.plan import (
    Basis,
    Breakeven,
    CloseRule,
    CustomLadder,
    DcaLadder,
    DistanceUnit,
    Exits,
    LevelSource,
    Plan,
    Rung,
    SafetyOrders,
    Trailing,
)
from strategies.base import SignalStrategy
from strategies.ema_crossover import EmaCrossover
from tests.property import test_limited_campaigns_equal_reference as limited
from tests.property.path_cases import Case, case_of, check, compared
from tests.property.test_campaigns_equal_reference import (
    EXAMPLES,
    EXAMPLES_LONG,
    cases,
    check_case,
    shared_cases,
)
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, Rare
from tests.property.test_ladders_by_atr_equal_reference import (
    COARSE,
    COUNT,
    FREE,
    PLAN,
    At,
    Path,
    klines_of,
    outcome,
)

GAINS = 0.0, 0.0005, 0.002, 0.005, 0.01, 0.02, 0.03
DISTANCES = 0.0, 0.0003, 0.001, 0.004, 0.01, 0.02
BASES = st.sampled_from((Basis.AVERAGE, Basis.AVERAGE, Basis.LAST))


@st.composite
def moving(draw: st.DrawFn, levels: Exits) -> Exits:
    """Return levels with a stop that follows, is locked, or both, as far as they go together."""
    gain, distance = draw(st.sampled_from(GAINS)), draw(st.sampled_from(DISTANCES))
    unit = draw(st.sampled_from(DistanceUnit))
    scale = {DistanceUnit.RATIO: 1.0, DistanceUnit.TICKS: 1_000.0, DistanceUnit.QUOTE: 100.0}[unit]
    trailing = Trailing(gain * scale, distance * scale, unit)
    locks = st.builds(Breakeven, st.sampled_from(GAINS[1:]), st.sampled_from((-0.01, 0.0, 0.0002)))
    which = draw(st.integers(0, 2))
    try:
        return replace(
            levels,
            trailing=trailing if which != 1 else None,
            breakeven=draw(locks) if which != 0 else None,
        )
    except PlanFault:  # a target nearer than what moves the stop
        return replace(
            levels,
            take_profit_ratio=None,
            trailing=trailing if which != 1 else None,
            breakeven=draw(locks) if which != 0 else None,
        )


def has_ladder(case: Case) -> bool:
    """Return whether the plan of a case has a ladder."""
    return case[1].ladder is not None


@st.composite
def moving_cases(draw: st.DrawFn) -> Case:
    """Return a case of ladders, of all kinds that campaigns have, with a stop that moves."""
    limited_ladders = (limited.cases() | limited.whole_cases()).filter(has_ladder)
    market, plan, strategies = draw(cases() | shared_cases() | limited_ladders)
    ladder, exits = plan.ladder, replace(plan.exits, basis=draw(BASES))
    assert isinstance(ladder, CustomLadder | DcaLadder | SafetyOrders)
    plan = replace(
        plan, exits=draw(moving(exits)), ladder=replace(ladder, late_target=None),
        limit_verify_ticks=0, process_on_close=False, entry=Plan().entry,
        close_rule=draw(st.sampled_from((CloseRule.ALL, CloseRule.FIFO))),
    )  # fmt: skip # one list
    return case_of(market, plan, strategies)


test_ladders_whose_stop_moves_equal_reference = compared(moving_cases(), EXAMPLES, check_case)
test_ladders_whose_stop_moves_equal_reference_on_many_sets = pytest.mark.long(
    compared(moving_cases(), EXAMPLES_LONG, check_case)
)


FOUR = CustomLadder(rungs=(Rung(0.0, 0.1), Rung(0.005, 0.2), Rung(0.01, 0.3), Rung(0.02, 0.4)))
FOLLOWS, LOCKED = Trailing(0.008, 0.004), Breakeven(0.006, 0.001)
STOPPED = Exits(stop_loss_ratio=0.03, levels=LevelSource.PLAN)
PLANS = {
    "follows": Plan(ladder=FOUR, exits=replace(STOPPED, trailing=FOLLOWS)),
    "is locked": Plan(ladder=FOUR, exits=replace(STOPPED, breakeven=LOCKED)),
    "is locked and follows, one exit": Plan(
        ladder=DcaLadder(range_ratio=0.02),
        exits=replace(STOPPED, trailing=FOLLOWS, breakeven=LOCKED, take_profit_ratio=0.02),
        close_rule=CloseRule.ALL,
    ),
    "follows, from the last of safety orders": Plan(
        ladder=SafetyOrders(deviation_ratio=0.004),
        exits=replace(STOPPED, trailing=FOLLOWS, basis=Basis.LAST),
    ),
}


@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("name", PLANS)
def test_signal_grids_of_ladders_whose_stop_moves_are_decided(
    name: str, costs: Costs, klines: Klines
) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    funding = constant_funding(0.0001, 8, klines)
    market = Market(klines, INSTRUMENT, costs, funding, since_ms=int(klines.open_time_ms[500]))
    assert check(market, replace(PLANS[name], pyramiding=6), [*crosses, *rare], times=5) == 1.0


# By hand: four contracts at 100, of which two wait at 96. A stop that follows is armed at 103 or,
# from an average of 98, at 101; one that is locked lies at 101 or 98 from there on.
TRAILED = replace(PLAN, exits=replace(STOPPED, stop_loss_ratio=0.2, trailing=Trailing(0.03, 0.02)))
MOVED = replace(PLAN, exits=replace(STOPPED, stop_loss_ratio=0.2, breakeven=Breakeven(0.03, 0.01)))
UP, AVERAGED = {6: (100.0, 104.0, 100.0, 104.0)}, {6: (100.0, 100.0, 96.0, 97.0)}


@pytest.mark.parametrize(
    ("plan", "path", "ends"),
    [
        (TRAILED, UP | {7: (104.0, 104.0, 101.0, 101.0)}, [(7, 102.0)]),
        (TRAILED, {6: (100.0, 103.0, 96.0, 96.0)}, [(6, 101.0)]),  # up first: no rung any more
        (TRAILED, UP | {7: (101.0, 101.0, 99.0, 99.0)}, [(7, 101.0)]),  # an open has passed it
        (
            TRAILED,
            AVERAGED | {7: (97.0, 103.0, 97.0, 103.0), 8: (103.0, 103.0, 99.0, 99.0)},
            [(8, 101.0)] * 2,
        ),
        (  # 86 first, which is the deepest that equity falls: both lots are held there
            TRAILED,
            AVERAGED | {7: (90.0, 103.0, 86.0, 103.0), 8: (103.0, 103.0, 99.0, 99.0)},
            [(8, 101.0)] * 2,
        ),
        (MOVED, UP | {7: (104.0, 104.0, 100.0, 100.0)}, [(7, 101.0)]),
        (
            MOVED,
            AVERAGED | {7: (97.0, 101.0, 97.0, 101.0), 8: (101.0, 101.0, 95.0, 95.0)},
            [(8, 98.0)] * 2,
        ),
    ],
)
def test_a_stop_moves_from_the_average_of_what_is_held(
    plan: Plan, path: Path, ends: list[tuple[int, float]]
) -> None:
    for rule in (CloseRule.ALL, CloseRule.FIFO):
        assert outcome(klines_of(path), replace(plan, close_rule=rule), At()) == ends


def test_a_target_beyond_what_arms_the_stop_fills_first_on_the_way_up() -> None:
    plan = replace(TRAILED, exits=replace(TRAILED.exits, take_profit_ratio=0.05))
    assert outcome(klines_of({6: (100.0, 106.0, 100.0, 100.0)}), plan, At()) == [(6, 105.0)]


@pytest.mark.parametrize(
    ("plan", "path"),
    [
        (TRAILED, UP | {7: (95.0, 95.0, 94.0, 94.0)}),  # an open passes the stop and the rung
        (MOVED, UP | {7: (95.0, 95.0, 94.0, 94.0)}),
        (  # a rung above opens after the stop was locked
            replace(MOVED, ladder=CustomLadder(rungs=(Rung(0.0, 0.5), Rung(-0.04, 0.5)))),
            UP | {7: (104.0, 104.0, 100.0, 100.0)},
        ),
        (  # a stop that follows by nothing ends the position where it is armed
            replace(TRAILED, exits=replace(TRAILED.exits, trailing=Trailing(0.03, 0.0))),
            UP,
        ),
    ],
)
def test_a_lot_that_opens_after_a_move_leaves_the_set_to_the_machine(
    plan: Plan, path: Path
) -> None:
    plan = replace(plan, close_rule=CloseRule.FIFO)
    sets: list[SignalStrategy] = [At(late=COUNT - 1 - number % 3) for number in range(10)]
    assert check(Market(klines_of(path), COARSE, FREE), plan, sets) == 0.0
