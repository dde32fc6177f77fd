"""Plans that differ in their stops alone share closes, and each finds what it would find alone.

What one plan of a list has found of an entry is kept for the next, as far as neither stop is met
(`parts.known_closes`). So a plan among others must give the figures that it gives by itself, which
other tests compare with the reference, in every bit and whatever the order of the stops. There are
more strategies than fill the lanes, so that each plan is a part of its own.
"""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.kernels.chains.runs import PART_MIN
from engines.kernels.trials import Engine, Trials
from engines.plan import LevelSource, Plan
from tests.property.path_cases import Case, can_run
from tests.property.test_full_parts_equal_reference import cases as full_cases
from tests.property.test_parts_equal_reference import cases as part_cases

EXAMPLES, PLANS = 15, 5
Cases = tuple[Case, list[Plan]]


@st.composite
def several(draw: st.DrawFn) -> Cases:
    """Return a case, and its plan with stops at several distances."""
    market, plan, strategies = draw(part_cases() | full_cases())
    plan = replace(plan, exits=replace(plan.exits, levels=LevelSource.PLAN))
    near = draw(st.sampled_from((0.01, 0.1)))
    ratios = st.lists(st.none() | st.floats(0.0005, near), min_size=2, max_size=PLANS)
    multiples = st.just(plan.exits.stop_atr) | st.floats(0.1, 8.0)
    by_atr = draw(multiples if plan.exits.stop_atr is not None else st.none())
    plans = [
        replace(plan, exits=replace(plan.exits, stop_loss_ratio=own, stop_atr=by_atr))
        for own in draw(ratios)
    ]
    return (market, plan, strategies * -(-PART_MIN // len(strategies))), plans


def check(case: Case, plans: list[Plan]) -> float:
    """Compare plans beside others with the same alone; return the share that is decided."""
    market, _, strategies = case
    together = Trials(market, plans, 1).run(strategies)
    for column, plan in enumerate(plans):
        alone = Trials(market, [plan], 1).run(strategies)
        np.testing.assert_array_equal(together.values[:, column], alone.values[:, 0])
        np.testing.assert_array_equal(together.engine[:, column], alone.engine[:, 0])
    return float((together.engine == Engine.FIRST_PASSAGE).mean())


@settings(max_examples=EXAMPLES)
@given(drawn=several())
def test_plans_among_others_find_what_they_find_alone(drawn: Cases) -> None:
    case, plans = drawn
    if all(can_run(case[0], plan) for plan in plans):
        check(case, plans)
