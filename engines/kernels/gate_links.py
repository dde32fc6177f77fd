"""Each lane chooses its links as it goes: how what it holds ends, and what it enters next.

Theory. A step of a lane is one of a chain (`chain_walk`): a position ends and the next begins. What
ends a position by its levels hangs on its entry alone and is looked up (`Exits`), whatever came
before; its age is counted from its entry; and of the wishes that would close it the first counts
that the rules let pass. A wish that would reverse it and is refused leaves it open. A wish that
closes it, or comes at the close at which its age does, may begin the next one in the same fill
(REVERSED) or at the same open (RELIEVED), judged by the ends before this one.

Otherwise the next one begins at the first wish, from the bar of the end on, that passes the gates.
Those count the end, and whether it was a loss. So its result is found first, by the operations with
which the lanes book it (`result`). Where it is booked in one fill with the next entry, whose size
shares the fee, it counts only for the links to come.

So a step asks: `seek_ends`, `read_ends`; funding and `result`; `seek_nexts`, `read_nexts`; then the
lanes do their sums, and `count_joined` counts the ends that fills with the next ones have booked.
What is looked up in tables larger than the cache is asked for one of these before.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels.chain_columns import (
    AT_LEVEL,
    I32_1D,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    SIDE_MASK,
    WISH_BITS,
    WISH_MASK,
    Decides,
    Exits,
    Opens,
)
from engines.kernels.chain_exits import walk
from engines.kernels.chain_lanes import stand_at_end, stand_before
from engines.kernels.chain_shares import share_of
from engines.kernels.chain_walk import ENDS as RULES_END
from engines.kernels.chain_walk import lowest
from engines.kernels.gate_columns import (
    CURSOR,
    ENDS,
    ENTRY,
    IS_SHORT,
    NEXT,
    NO_ENTRY,
    PLACE,
    PLAN,
    ROW,
    STOP,
    UNKNOWN,
    WISH,
    Course,
    Days,
    Gates,
)
from engines.kernels.gate_rules import count_end, count_entry, refuses
from engines.kernels.passage_columns import (
    ALONE,
    OPEN_AT_END,
    PASSED_AT_OPEN,
    RELIEVED,
    REVERSED,
    U64_1D,
    Fixed,
)
from engines.kernels.passage_lanes import (
    AT_HORIZON,
    ENTRY_PRICE,
    FUNDING,
    LANES,
    LOT_FEE,
    MODE,
    N_OWN_SHARE,
    PHASE,
    PNL,
    PRICE,
    QTY,
    SIDE,
    STEPS,
    fee,
)
from engines.kernels.slots import ENTERS_LONG, ENTERS_SHORT, LEAVES_LONG, LEAVES_SHORT
from engines.types import F64_1D, I64_1D


@rule
def seek_ends(
    stands: I64_1D, wishes: I32_1D, decides: Decides, exits: Exits, gates: Gates, days: Days,
    bars: int,
) -> None:  # fmt: skip # where the lanes stand, then what is read
    """Find how the position of each lane ends, and the entry that ends it, if one does."""
    for lane in range(LANES):
        stands[NEXT + lane] = UNKNOWN
        if stands[ENTRY + lane] == NO_ENTRY:
            stands[ENDS + lane] = OPEN_AT_END
            continue
        _seek_end(stands, lane, wishes, decides, exits, gates, days, bars)


@inlined
def _seek_end(
    stands: I64_1D, lane: int, wishes: I32_1D, decides: Decides, exits: Exits, gates: Gates,
    days: Days, bars: int,
) -> None:  # fmt: skip # as `seek_ends`
    timed, level = stands[ENTRY + lane] + decides.held_max, bars
    if stands[ROW + lane] != NO_LEVELS:
        level = int(exits.ends[stands[ROW + lane], stands[PLACE + lane]]) >> MODE_BITS
    until = min(level, timed, bars - 1)
    is_short = stands[IS_SHORT + lane] != 0
    leaves = (LEAVES_SHORT if is_short else LEAVES_LONG) | RULES_END
    turns = ENTERS_LONG if is_short else ENTERS_SHORT
    at, stop, bar, wish = stands[CURSOR + lane], stands[STOP + lane], until, 0
    while at < stop:
        bar, wish = int(wishes[at]) >> WISH_BITS, int(wishes[at]) & WISH_MASK
        if bar >= until or wish & leaves != 0:
            break
        if wish & turns != 0 and not refuses(stands, lane, gates, days, bar):
            break
        at += 1
    stands[CURSOR + lane] = at
    is_wished = at < stop and bar < until
    if not is_wished and until == level:
        stands[ENDS + lane] = exits.ends[stands[ROW + lane], stands[PLACE + lane]]
        return
    if not is_wished and until == bars - 1:
        stands[ENDS + lane] = (bars << MODE_BITS) | OPEN_AT_END
        return
    decided, mode = bar if is_wished else until, ALONE
    if at < stop and bar == decided:
        stands[CURSOR + lane] = at + 1
        if _takes(stands, lane, decides, gates, days, at, bar, wish):
            mode = RELIEVED if not is_wished or wish & leaves != 0 else REVERSED
    stands[ENDS + lane] = ((decided + 1) << MODE_BITS) | mode


@inlined
def _takes(
    stands: I64_1D, lane: int, decides: Decides, gates: Gates, days: Days, at: int, bar: int,
    wish: int,
) -> bool:  # fmt: skip # where the lane stands, by what it judges, the wish
    """Return whether a lane enters at a wish; note it."""
    enters = wish & decides.enters
    if enters == 0 or bar < decides.start or refuses(stands, lane, gates, days, bar):
        return False
    count_entry(stands, lane, days, bar)
    side = 0 if enters & ENTERS_LONG != 0 else 1
    stands[NEXT + lane], stands[WISH + lane] = ((bar + 1) << 1) | side, at
    return True


@rule
def read_ends(stands: I64_1D, lanes: F64_1D, places: U64_1D, opens: Opens, exits: Exits) -> None:
    """Look up what the end of each lane's position costs, and how far prices went against it."""
    for lane in range(LANES):
        ends = np.uint64(stands[ENDS + lane])
        price = worst = 0.0
        mode = ends & np.uint64(MODE_MASK)
        if mode >= np.uint64(AT_LEVEL):
            row, place = stands[ROW + lane], stands[PLACE + lane]
            price, worst = exits.prices[row, place], exits.worst[row, place]
        elif stands[ENTRY + lane] != NO_ENTRY:
            begun, side = np.uint64(stands[ENTRY + lane] + 1), np.uint64(stands[IS_SHORT + lane])
            worst = lowest(opens, begun, ends >> np.uint64(MODE_BITS), side)
        stand_at_end(lanes, places, lane, ends, price, worst, opens.lines)
        # As `chain_lanes.weigh` finds it, which comes after funding.
        lanes[PHASE + lane] = max(0.0, lanes[AT_HORIZON + lane] - (AT_LEVEL - PASSED_AT_OPEN))


@rule
def result(lanes: F64_1D, fixed: Fixed) -> None:
    """Find the result of each lane's position, if it is closed by a fill of its own."""
    for lane in range(LANES):
        steps, qty, price = lanes[STEPS + lane], lanes[QTY + lane], lanes[PRICE + lane]
        gain = lanes[SIDE + lane] * (price - lanes[ENTRY_PRICE + lane])
        entry_fee = lanes[LOT_FEE + lane] * steps / steps
        exit_fee = fee(fixed, qty, price) * steps / steps * steps / steps
        pnl = gain * (qty * fixed.point_value) - entry_fee - exit_fee - lanes[FUNDING + lane]
        lanes[PNL + lane] = pnl


@rule
def seek_nexts(
    stands: I64_1D, lanes: F64_1D, wishes: I32_1D, decides: Decides, gates: Gates, days: Days,
    bars: int,
) -> None:  # fmt: skip # where the lanes stand, then what is read
    """Find the next entry of each lane that does not know it yet, the line behind the last: none.

    The end of its position counts among what is looked back at.
    """
    for lane in range(LANES):
        if stands[NEXT + lane] != UNKNOWN:
            continue
        ends = stands[ENDS + lane]
        if stands[ENTRY + lane] != NO_ENTRY and ends & MODE_MASK != OPEN_AT_END:
            count_end(stands, lane, gates, days, ends >> MODE_BITS, lanes[PNL + lane])
        at, stop = stands[CURSOR + lane], stands[STOP + lane]
        while at < stop:
            bar, wish = int(wishes[at]) >> WISH_BITS, int(wishes[at]) & WISH_MASK
            if bar >= bars - 1:
                at = stop
                break
            at += 1
            if _takes(stands, lane, decides, gates, days, at - 1, bar, wish):
                break
        stands[CURSOR + lane] = at
        if stands[NEXT + lane] == UNKNOWN:
            stands[NEXT + lane] = (bars + 1) << 1


@rule
def read_nexts(stands: I64_1D, lanes: F64_1D, course: Course) -> None:
    """Look up what the next entry of each lane costs."""
    opens, given = course.opens, course.given
    for lane in range(LANES):
        follower = stands[NEXT + lane]
        stand_before(lanes, lane, np.uint64(follower), opens.lines)
        if follower >> 1 > opens.bars:
            continue
        if course.shares.are_own:
            stop = given.stops[stands[WISH + lane]] if len(given.stops) > 0 else math.nan
            run = given.runs[stands[PLAN + lane]]
            share = share_of(run, opens, course.shares, follower >> 1, stop)
            lanes[N_OWN_SHARE + lane] = share


@rule
def take_nexts(stands: I64_1D, course: Course) -> None:
    """Let each lane hold what it has entered, and ask for how that ends."""
    bars, given, exits = course.opens.bars, course.given, course.exits
    for lane in range(LANES):
        follower = stands[NEXT + lane]
        if follower >> 1 > bars:
            stands[ENTRY + lane] = NO_ENTRY
            continue
        stands[ENTRY + lane] = (follower >> 1) - 1
        stands[IS_SHORT + lane] = follower & SIDE_MASK
        if stands[ROW + lane] == NO_LEVELS:
            continue
        if len(given.stops) == 0:
            stands[PLACE + lane] = exits.places[follower]
            continue
        wish = stands[WISH + lane]
        walk(
            given.runs[stands[PLAN + lane]], course.opens, given.prices, given.slip_ratio,
            follower, bars - 1, given.stops[wish], given.targets[wish], math.nan, exits, 0, lane,
        )  # fmt: skip # one call
        stands[PLACE + lane] = lane


@rule
def count_joined(stands: I64_1D, lanes: F64_1D, gates: Gates, days: Days) -> None:
    """Count the ends at which lanes have entered already."""
    for lane in range(LANES):
        mode = lanes[MODE + lane]
        if (mode == REVERSED) | (mode == RELIEVED):
            bar = stands[ENDS + lane] >> MODE_BITS
            count_end(stands, lane, gates, days, bar, lanes[PNL + lane])
