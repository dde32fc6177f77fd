"""How many steps each close takes of what a lane holds.

Theory. The steps of a portion are found when its entry is sized, as `legs` does. Of a small entry
the last targets may get none; the others close it as ever, and then it ends sooner than a chain
made ahead can know. Links from there on are made anew (`parts.walk`); where all are made ahead such
a set is unsure, and where its lane finds closes as it goes nothing is amiss.
"""

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels.parts.columns import Portions
from engines.kernels.parts.lanes import (
    CLOSING,
    CLOSING_QTY,
    EXPECTED,
    FOURTH,
    LEGS,
    PART,
    PORTION,
    SECOND,
    THIRD,
)
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.lanes import IS_UNSURE, LANES, N_SIDE, N_STEPS, QTY, STEPS
from engines.types import F64_1D

PORTION_NOISE = 1e-9  # as `legs` forgives it


@inlined
def portion_of(lanes: F64_1D, lane: int, part: float) -> float:
    """Return the steps that a close of this part takes; the REST is all that is held."""
    held, steps = lanes[STEPS + lane], lanes[PORTION + lane]
    steps = lanes[SECOND + lane] if part == 1 else steps
    steps = lanes[THIRD + lane] if part == 2 else steps
    steps = lanes[FOURTH + lane] if part == 3 else steps
    steps = held if (part > 3) | (steps > held) else steps
    return float(steps)


@rule
def split(lanes: F64_1D, fixed: Fixed) -> None:
    """Find the steps that each lane closes."""
    for lane in range(LANES):
        held = lanes[STEPS + lane]
        steps = portion_of(lanes, lane, lanes[PART + lane])
        qty = steps * fixed.step_over / fixed.step_under
        lanes[CLOSING + lane] = steps
        lanes[CLOSING_QTY + lane] = qty if steps < held else lanes[QTY + lane]


@rule
def divide(lanes: F64_1D, portions: Portions, are_ahead: bool) -> None:
    """Find the steps of each portion of what a lane opens, the last ones perhaps none.

    That is unsure where all closes of the set are chosen already, `are_ahead`.
    """
    for lane in range(LANES):
        steps = lanes[N_STEPS + lane]
        first = leg_steps(steps, portions.first, steps) if portions.targets > 1 else steps
        left = steps - first
        second = leg_steps(steps, portions.second, left) if portions.targets > 2 else left
        left -= second
        third = leg_steps(steps, portions.third, left) if portions.targets > 3 else left
        fourth = left - third
        last = first
        last = second if portions.targets == 2 else last
        last = third if portions.targets == 3 else last
        last = fourth if portions.targets == 4 else last
        is_new = lanes[CLOSING + lane] >= lanes[STEPS + lane]
        lanes[PORTION + lane] = first if is_new else lanes[PORTION + lane]
        lanes[SECOND + lane] = second if is_new else lanes[SECOND + lane]
        lanes[THIRD + lane] = third if is_new else lanes[THIRD + lane]
        lanes[FOURTH + lane] = fourth if is_new else lanes[FOURTH + lane]
        legs = min(first, 1.0) + min(second, 1.0) + min(third, 1.0) + min(fourth, 1.0)
        is_opened = is_new & (lanes[N_SIDE + lane] != 0)
        lanes[LEGS + lane] = legs if is_opened else lanes[EXPECTED + lane]
        is_unsure = are_ahead & is_opened & (last < 1.0)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_unsure else 0.0)


@rule
def leg_steps(steps: float, portion: float, left: float) -> float:
    """Return how many of `left` steps a portion of an entry of `steps` takes."""
    return min(left, max(1.0, float(np.floor(steps * portion + PORTION_NOISE))))
