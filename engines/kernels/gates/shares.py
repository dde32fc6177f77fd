"""Kelly's share of equity in the lanes (`rounds`): by the last rounds of each set.

Theory. The share is made of how many of the last rounds won and lost, and of what their ratios add
up to. The ratios of a lane lie in a ring; as one comes in and the oldest goes out, the sums follow,
each with what its additions have lost beside it, so that they are right nearly to the last bit
however long a run is. That tells the whole steps of an entry, unless they are too near to the next.
Then the share is found as the machine finds it, from exact sums; so it is where it is almost
nothing, since it then hangs on the last bits of what is subtracted, unless a plan spends more than
that anyway.
Source: Knuth, "The Art of Computer Programming", volume 2, 4.2.2: what an addition loses.
"""

from engines.kernels._compiled import inlined, rule, shared
from engines.kernels.columns import Run
from engines.kernels.gates.columns import (
    AT_RING,
    ENDED,
    HAS_NO_SHARE,
    LOST_COUNT,
    LOST_REST,
    LOST_SUM,
    N_WEIGHED,
    OLDEST,
    ROUND_ENDS,
    ROUND_RATIO,
    WEIGHED,
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
    """Let no round have ended yet, and nothing have closed of one."""
    for number in (ENDED, AT_RING, WON_COUNT, LOST_COUNT, WON_SUM, WON_REST, LOST_SUM, LOST_REST):
        lanes[number + lane] = 0.0
    for number in range(WEIGHED, N_WEIGHED, LANES):
        lanes[number + lane] = 0.0
    ratios[lane * kelly.room : (lane + 1) * kelly.room] = 0.0
    stands[HAS_NO_SHARE + lane] = 1 if kelly.room > 0 and kelly.low <= 0 else 0


@rule
def remember(lanes: F64_1D, ratios: F64_1D, room: int) -> None:
    """Put the ratio of each round that has ended in the place of the oldest."""
    for lane in range(LANES):
        place = lane * room + int(lanes[AT_RING + lane])
        oldest = ratios[place]
        ratios[place] = lanes[ROUND_RATIO + lane] if lanes[ROUND_ENDS + lane] > 0 else oldest
        lanes[OLDEST + lane] = oldest
    for lane in range(LANES):
        one = lanes[ROUND_ENDS + lane]
        ratio = lanes[ROUND_RATIO + lane] if one > 0 else 0.0
        oldest = lanes[OLDEST + lane] if one > 0 else 0.0
        next_at = lanes[AT_RING + lane] + one
        lanes[AT_RING + lane] = 0.0 if next_at == room else next_at
        lanes[ENDED + lane] += one
        _count(lanes, lane, WON_COUNT, WON_SUM, WON_REST, ratio, oldest)
        _count(lanes, lane, LOST_COUNT, LOST_SUM, LOST_REST, -ratio, -oldest)


@inlined
def remember_one(lanes: F64_1D, ratios: F64_1D, lane: int, room: int) -> None:
    """Put the ratio of a round that has ended in the place of the oldest of its lane."""
    place = lane * room + int(lanes[AT_RING + lane])
    ratio, oldest = lanes[ROUND_RATIO + lane], ratios[place]
    ratios[place] = ratio
    next_at = lanes[AT_RING + lane] + 1.0
    lanes[AT_RING + lane] = 0.0 if next_at == room else next_at
    lanes[ENDED + lane] += 1.0
    _count(lanes, lane, WON_COUNT, WON_SUM, WON_REST, ratio, oldest)
    _count(lanes, lane, LOST_COUNT, LOST_SUM, LOST_REST, -ratio, -oldest)


@inlined
def _count(
    lanes: F64_1D, lane: int, count: int, total: int, rest: int, ratio: float, oldest: float
) -> None:
    """Add what is above nothing of a ratio to the sums of its kind, and take off the oldest."""
    lanes[count + lane] += (1.0 if ratio > 0 else 0.0) - (1.0 if oldest > 0 else 0.0)
    added, lost = sum_of(lanes[total + lane], ratio if ratio > 0 else 0.0)
    left, missed = sum_of(added, -oldest if oldest > 0 else 0.0)
    lanes[total + lane] = left
    lanes[rest + lane] += lost + missed


@inlined
def sum_of(one: float, other: float) -> tuple[float, float]:
    """Return a sum, and what its addition has lost, exactly."""
    total = one + other
    part = total - one
    return total, (one - (total - part)) + (other - part)


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
    is_unclear_any, bound = 0, CLEAR * kelly.value
    bound = bound if kelly.low < 2 * bound else -1.0
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
        is_unclear = (abs(share) < bound) & (not is_unknown)
        is_unclear_any |= 1 if is_unclear else 0
        share = min(max(share, kelly.low), kelly.high)
        lanes[IS_NEAR + lane] = 1.0 if is_unclear else 0.0
        lanes[N_OWN_SHARE + lane] = share
    if kelly.low <= 0:
        for lane in range(LANES):
            stands[HAS_NO_SHARE + lane] = 0 if lanes[N_OWN_SHARE + lane] > 0 else 1
    if is_unclear_any != 0:
        weigh_exactly(stands, lanes, ratios, kelly, run)
