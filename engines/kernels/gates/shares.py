"""Kelly's share of equity in the lanes (`rounds`): by the last rounds of each set.

Theory. The share is made of how many of the last rounds won and lost, and of what their ratios add
up to. The ratios of a lane lie in a ring; as one comes in and the oldest goes out, the sums follow,
each with what its additions have lost beside it, so that they are right nearly to the last bit
however long a run is. That tells the whole steps of an entry, unless they are too near to the next.
Then the share is found as the machine finds it, from exact sums; so it is where it is almost
nothing, since it then hangs on the last bits of what is subtracted.
Source: Knuth, "The Art of Computer Programming", volume 2, 4.2.2: what an addition loses.
"""

from engines.kernels._compiled import rule, shared
from engines.kernels.columns import Run
from engines.kernels.gates.columns import (
    ENDED,
    HAS_NO_SHARE,
    LOST_COUNT,
    LOST_REST,
    LOST_SUM,
    WON_COUNT,
    WON_REST,
    WON_SUM,
    Kelly,
)
from engines.kernels.machine.rounds import kelly_share
from engines.kernels.passage.lanes import IS_NEAR, IS_UNSURE, LANES, N_OWN_SHARE
from engines.kernels.slots import KELLY_AT, NEEDS_REFERENCE, ROUNDS, RUN
from engines.types import F64_1D, I64_1D

CLEAR = 1e-3  # of Kelly's fraction: the least share that sums of doubles tell well enough


@rule
def forget(stands: I64_1D, lanes: F64_1D, ratios: F64_1D, lane: int, kelly: Kelly) -> None:
    """Let no round have ended yet."""
    for number in (ENDED, WON_COUNT, LOST_COUNT, WON_SUM, WON_REST, LOST_SUM, LOST_REST):
        lanes[number + lane] = 0.0
    ratios[lane * kelly.room : (lane + 1) * kelly.room] = 0.0
    stands[HAS_NO_SHARE + lane] = 1 if kelly.room > 0 and kelly.low <= 0 else 0


@rule
def remember(lanes: F64_1D, ratios: F64_1D, lane: int, room: int, ratio: float) -> None:
    """Put the ratio of a round that has ended in the place of the oldest."""
    place = lane * room + int(lanes[ENDED + lane]) % room
    oldest = ratios[place]
    ratios[place] = ratio
    lanes[ENDED + lane] += 1.0
    _count(lanes, lane, oldest, -1.0)
    _count(lanes, lane, ratio, 1.0)


@rule
def _count(lanes: F64_1D, lane: int, ratio: float, sign: float) -> None:
    """Add a ratio to the sums of its kind, or take it away."""
    if ratio > 0:
        lanes[WON_COUNT + lane] += sign
        _add(lanes, WON_SUM + lane, WON_REST + lane, sign * ratio)
    elif ratio < 0:
        lanes[LOST_COUNT + lane] += sign
        _add(lanes, LOST_SUM + lane, LOST_REST + lane, -sign * ratio)


@rule
def _add(lanes: F64_1D, place: int, rest: int, value: float) -> None:
    total = lanes[place]
    added = total + value
    part = added - total
    lanes[rest] += (total - (added - part)) + (value - part)
    lanes[place] = added


def _weigh_exactly(stands: I64_1D, lanes: F64_1D, ratios: F64_1D, kelly: Kelly, run: Run) -> None:
    """Find the share of each lane that is near to a bound as the machine does."""
    for lane in range(LANES):
        if lanes[IS_NEAR + lane] == 0:
            continue
        run[ROUNDS], run[KELLY_AT] = lanes[ENDED + lane], RUN
        for place in range(kelly.room):
            run[RUN + place] = ratios[lane * kelly.room + place]
        share = kelly_share(run)
        lanes[N_OWN_SHARE + lane] = share
        stands[HAS_NO_SHARE + lane] = 0 if share > 0 else 1
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], run[NEEDS_REFERENCE])
        run[NEEDS_REFERENCE] = 0.0


weigh_exactly = shared(_weigh_exactly)


@rule
def weigh_rounds(stands: I64_1D, lanes: F64_1D, ratios: F64_1D, kelly: Kelly, run: Run) -> None:
    """Find the share that each lane may spend now; `run` has the terms, and room for a ring."""
    is_unclear_any = 0
    for lane in range(LANES):
        count = min(lanes[ENDED + lane], float(kelly.room))
        wins, losses = lanes[WON_COUNT + lane], lanes[LOST_COUNT + lane]
        gain = (lanes[WON_SUM + lane] + lanes[WON_REST + lane]) / wins
        loss = (lanes[LOST_SUM + lane] + lanes[LOST_REST + lane]) / losses
        win_ratio = wins / count
        share = kelly.value * (win_ratio - (1 - win_ratio) / (gain / loss))
        share = kelly.value * win_ratio if losses == 0 else share
        is_unknown = (count < kelly.least) | (wins == 0)
        share = kelly.low if is_unknown else share
        is_unclear = (abs(share) < CLEAR * kelly.value) & (not is_unknown)
        is_unclear_any |= 1 if is_unclear else 0
        share = min(max(share, kelly.low), kelly.high)
        lanes[IS_NEAR + lane] = 1.0 if is_unclear else 0.0
        lanes[N_OWN_SHARE + lane] = share
        stands[HAS_NO_SHARE + lane] = 0 if share > 0 else 1
    if is_unclear_any != 0:
        weigh_exactly(stands, lanes, ratios, kelly, run)
