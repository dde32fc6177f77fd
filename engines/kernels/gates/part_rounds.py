"""What Kelly's sizing remembers of positions that close in parts, in the lanes (`gates.shares`).

Theory. It is the mean of a position's trades' ratios, each by what its entry cost: two exact sums,
rounded once (`rounds`). A lane keeps each as a sum, what its additions have lost, and how much was
lost of that. Of up to four trades the third is nearly always nothing; then sum and loss are the
exact sum, and what they add up to is that rounded once. Where it is something the set is unsure if
it might change the last bit.
"""

from engines.kernels._compiled import inlined, rule
from engines.kernels.gates.columns import (
    N_WEIGHED,
    N_WEIGHTS,
    ROUND_ENDS,
    ROUND_RATIO,
    WEIGHED,
    WEIGHTS,
)
from engines.kernels.gates.shares import remember, remember_one, sum_of
from engines.kernels.parts.lanes import CLOSING, CLOSING_QTY
from engines.kernels.passage.columns import OPEN_AT_END, RELIEVED, REVERSED
from engines.kernels.passage.lanes import (
    AT_HORIZON,
    ENTRY_FEE,
    ENTRY_PRICE,
    IS_UNSURE,
    LANES,
    PNL,
    STEPS,
)
from engines.types import F64_1D

REST, GONE = LANES, 2 * LANES  # behind a sum what it has lost, and what was lost of that


@rule
def end_rounds(lanes: F64_1D, ratios: F64_1D, room: int, unit: float) -> None:
    """Weigh what lanes close, and remember the rounds that end with it and enter nothing yet."""
    for lane in range(LANES):
        is_sure = _weigh(lanes, lane, unit)
        mode = lanes[AT_HORIZON + lane]
        is_joined = (mode == REVERSED) | (mode == RELIEVED)
        ends = (lanes[CLOSING + lane] >= lanes[STEPS + lane]) & (mode != OPEN_AT_END)
        ends &= not is_joined
        is_unsure = ends & (not is_sure)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_unsure else 0.0)
        lanes[ROUND_ENDS + lane] = 1.0 if ends else 0.0
    remember(lanes, ratios, room)


@rule
def end_joined_rounds(lanes: F64_1D, ratios: F64_1D, room: int, unit: float) -> None:
    """Remember the rounds that end as lanes enter next: of few lanes, so one after the other."""
    for lane in range(LANES):
        mode = lanes[AT_HORIZON + lane]
        if (mode == REVERSED) | (mode == RELIEVED):
            if not _weigh(lanes, lane, unit):
                lanes[IS_UNSURE + lane] = 1.0
            remember_one(lanes, ratios, lane, room)


@inlined
def _weigh(lanes: F64_1D, lane: int, unit: float) -> bool:
    """Find the ratio of a lane's round if it ends with what closes; return whether it is sure."""
    price, qty = lanes[ENTRY_PRICE + lane], lanes[CLOSING_QTY + lane]
    cost, weight = price * (qty * unit) + lanes[ENTRY_FEE + lane], price * qty
    ratio, is_first = lanes[PNL + lane] / cost, lanes[WEIGHTS + lane] == 0
    over, is_over = _add(lanes, lane, WEIGHED, N_WEIGHED, ratio * weight)
    under, is_under = _add(lanes, lane, WEIGHTS, N_WEIGHTS, weight)
    lanes[ROUND_RATIO + lane] = ratio if is_first else over / under
    is_sure: bool = is_first | (not (is_over | is_under))
    return is_sure


@inlined
def _add(lanes: F64_1D, lane: int, kept: int, added: int, value: float) -> tuple[float, bool]:
    """Add to a sum; return it rounded once, and whether it might be rounded otherwise."""
    total, lost = sum_of(lanes[kept + lane], value)
    rest, missed = sum_of(lanes[kept + REST + lane], lost)
    gone = lanes[kept + GONE + lane] + abs(missed)
    lanes[added + lane], lanes[added + REST + lane] = total, rest
    lanes[added + GONE + lane] = gone
    whole, part = sum_of(total, rest)
    most, least = part + 2.0 * gone, part - 2.0 * gone
    return whole, (whole + most != whole) | (whole + least != whole)


@rule
def keep_rounds(lanes: F64_1D) -> None:
    """Keep what each lane has closed of a position of which something is left."""
    for lane in range(LANES):
        is_left = lanes[CLOSING + lane] < lanes[STEPS + lane]
        for number in range(WEIGHED, N_WEIGHED, LANES):
            added = lanes[number + N_WEIGHED - WEIGHED + lane]
            lanes[number + lane] = added if is_left else 0.0
