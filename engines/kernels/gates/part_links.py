"""Each lane chooses its links as it goes, where several targets close positions in parts.

Theory. A step is a close (`parts.lanes`): of a part, and the rest is held on, or of all that is
left, which ends the position and may begin the next. Which wish ends it and which begins one is
told by `gates.links`. What levels close next hangs on the entry alone; wishes are looked at up to
its bar, one close after the other, so that each is judged by what is held where it comes.

The rules count a position when nothing is left of it. Its result is then the sum of its trades',
of which they ask the sign alone; a sum of several that is too near to nothing to tell is unsure.
What Kelly's sizing remembers of it is told by `part_rounds`.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    LINE_BITS,
    MODE_BITS,
    MODE_MASK,
    O_MONTH,
    O_OPEN,
    O_PRICE,
    SIDE_MASK,
    Decides,
    Given,
    Opens,
    Sizes,
)
from engines.kernels.chains.lanes import OPENED, WORST
from engines.kernels.chains.walk import lowest
from engines.kernels.gates.columns import (
    CLOSED,
    CLOSED_PNL,
    CLOSED_SIZE,
    ENDS,
    ENTRY,
    IS_AT_ONCE,
    IS_LEFT,
    IS_SHORT,
    NEXT,
    NO_ENTRY,
    PLACE,
    PLAN,
    ROW,
    TAKEN,
    UNKNOWN,
    WISH,
    Gates,
    Room,
)
from engines.kernels.gates.links import seek_end
from engines.kernels.gates.part_limits import end_at_once, price_at_once
from engines.kernels.gates.rules import count_end
from engines.kernels.parts.columns import (
    C_MONTH,
    C_PRICE,
    C_QUIET,
    C_WORST,
    CLOSE_BITS,
    CODE_BITS,
    PART_MASK,
    REST,
    PartExits,
)
from engines.kernels.parts.exits import walk_parts
from engines.kernels.parts.lanes import (
    CLOSING,
    CLOSING_QTY,
    LOT_FUNDING,
    NEXT_PAID,
    PART,
    QUIET,
)
from engines.kernels.parts.portions import portion_of
from engines.kernels.parts.results import SUM_NOISE
from engines.kernels.passage.columns import (
    OPEN_AT_END,
    PASSED_AT_OPEN,
    RELIEVED,
    REVERSED,
    U64_1D,
    Fixed,
    Payments,
)
from engines.kernels.passage.lanes import (
    AT_HORIZON,
    BAR,
    ENTRY_FEE,
    ENTRY_PRICE,
    FUNDING,
    IS_UNSURE,
    LANES,
    LOT_FEE,
    MODE,
    MONTH,
    PHASE,
    PNL,
    PRICE,
    SIDE,
    STEPS,
    fee,
)
from engines.types import F64_1D, I64_1D


@rule
def seek_part_ends(
    stands: I64_1D, lanes: F64_1D, wishes: I32_1D, decides: Decides, gates: Gates,
    closes: I64_1D, exits: PartExits, opens: Opens, payments: Payments,
    sizes: Sizes, fixed: Fixed,
) -> None:  # fmt: skip # where the lanes stand, then what is read
    """Find what closes next of the position of each lane, and the entry that does, if one does."""
    bars, parts = opens.bars, exits.parts
    for lane in range(LANES):
        stands[NEXT + lane], stands[IS_LEFT + lane] = UNKNOWN, 0
        if stands[ENTRY + lane] == NO_ENTRY:
            stands[ENDS + lane] = (REST << MODE_BITS) | OPEN_AT_END
            continue
        if stands[IS_AT_ONCE + lane] != 0:
            end_at_once(stands, lane)
            continue
        place = stands[PLACE + lane]
        stands[TAKEN + lane] = _skip_empty(lanes, lane, exits, place, stands[TAKEN + lane])
        at = place * parts + stands[TAKEN + lane]
        level, settled, paid = (int(exits.codes[at]) >> CODE_BITS) - opens.lag, 0, 0.0
        if len(payments.rates) > 0:
            settled, paid = int(lanes[NEXT_PAID + lane]), lanes[LOT_FUNDING + lane]
        end = seek_end(
            stands, lanes, lane, wishes, decides, gates, closes, level, opens.lines, bars,
            payments, settled, paid, sizes, fixed,
        )  # fmt: skip # one call
        line, mode = end >> MODE_BITS, end & MODE_MASK
        stands[ENDS + lane] = (line << CODE_BITS) | (REST << MODE_BITS) | mode
        if mode == AT_LEVEL:
            stands[ENDS + lane] = exits.codes[at]
            if portion_of(lanes, lane, _part_of(exits, at)) < lanes[STEPS + lane]:
                stands[NEXT + lane], stands[IS_LEFT + lane] = (bars + 1) << 1, 1


@inlined
def _part_of(exits: PartExits, at: int) -> int:
    return (int(exits.codes[at]) >> MODE_BITS) & PART_MASK


@inlined
def _skip_empty(lanes: F64_1D, lane: int, exits: PartExits, place: int, taken: int) -> int:
    """Return the first close from `taken` on that takes anything; the last one may not.

    Quiet bars before a close end at the one before: of one that takes nothing they would not.
    """
    first, last = place * exits.parts, exits.parts - 1
    while taken < last and portion_of(lanes, lane, _part_of(exits, first + taken)) == 0:
        at = first + taken
        if int(exits.codes[at]) >> CODE_BITS != int(exits.codes[at + 1]) >> CODE_BITS:
            lanes[IS_UNSURE + lane] = 1.0
        taken += 1
    return taken


@rule
def read_part_ends(
    stands: I64_1D, lanes: F64_1D, places: U64_1D, opens: Opens, exits: PartExits
) -> None:
    """Look up what the close of each lane costs, and how far prices went against it."""
    lines = opens.lines
    for lane in range(LANES):
        code = np.uint64(stands[ENDS + lane])
        mode, end = code & np.uint64(MODE_MASK), code >> np.uint64(CODE_BITS)
        line = end << np.uint64(LINE_BITS)
        lanes[BAR + lane], lanes[AT_HORIZON + lane] = end, mode
        lanes[PART + lane] = (code >> np.uint64(MODE_BITS)) & np.uint64(PART_MASK)
        # As `chains.lanes.weigh` finds it, which comes after funding.
        lanes[PHASE + lane] = max(0.0, lanes[AT_HORIZON + lane] - (AT_LEVEL - PASSED_AT_OPEN))
        lanes[OPENED + lane], lanes[QUIET + lane] = lines[line + np.uint64(O_OPEN)], math.inf
        month = lines[line + np.uint64(O_MONTH)]
        if stands[IS_AT_ONCE + lane] != 0:
            price_at_once(stands, lanes, lane)
        elif mode >= np.uint64(AT_LEVEL):
            found = np.uint64(stands[PLACE + lane] * exits.parts + stands[TAKEN + lane])
            close = found << np.uint64(CLOSE_BITS)
            lanes[PRICE + lane] = exits.closes[close + np.uint64(C_PRICE)]
            lanes[WORST + lane] = exits.closes[close + np.uint64(C_WORST)]
            lanes[QUIET + lane] = exits.closes[close + np.uint64(C_QUIET)]
            month = exits.closes[close + np.uint64(C_MONTH)]
        else:
            # A position is closed by the other side's price.
            side = np.uint64(O_PRICE + (1 if lanes[SIDE + lane] > 0 else 0))
            lanes[PRICE + lane], lanes[WORST + lane] = lines[line + side], 0.0
            if stands[ENTRY + lane] != NO_ENTRY:
                begun = np.uint64(stands[ENTRY + lane] + 1)
                lanes[WORST + lane] = lowest(opens, begun, end, np.uint64(stands[IS_SHORT + lane]))
        places[MONTH + lane] = np.uint64(month)


@rule
def part_result(lanes: F64_1D, fixed: Fixed) -> None:
    """Find the result of what each lane closes, if it is closed by a fill of its own."""
    for lane in range(LANES):
        held, steps, price = lanes[STEPS + lane], lanes[CLOSING + lane], lanes[PRICE + lane]
        qty = lanes[CLOSING_QTY + lane]
        gain = lanes[SIDE + lane] * (price - lanes[ENTRY_PRICE + lane])
        entry_fee = lanes[LOT_FEE + lane] * steps / held
        exit_fee = fee(fixed, qty, price) * steps / steps * steps / steps
        pnl = gain * (qty * fixed.point_value) - entry_fee - exit_fee - lanes[FUNDING + lane]
        lanes[PNL + lane], lanes[ENTRY_FEE + lane] = pnl, entry_fee


@rule
def count_parts_alone(room: Room, gates: Gates, opened: I64_1D, lag: int) -> None:
    """Count the ends at which lanes have not entered yet."""
    for lane in range(LANES):
        is_open = room.stands[ENDS + lane] & MODE_MASK == OPEN_AT_END
        if room.stands[NEXT + lane] == UNKNOWN and not is_open:
            _count_end(room, lane, gates, opened, lag)


@rule
def count_parts_joined(room: Room, gates: Gates, opened: I64_1D, lag: int) -> None:
    """Count the ends at which lanes have entered already."""
    for lane in range(LANES):
        mode = room.lanes[MODE + lane]
        if (mode == REVERSED) | (mode == RELIEVED):
            _count_end(room, lane, gates, opened, lag)


@rule
def _count_end(room: Room, lane: int, gates: Gates, opened: I64_1D, lag: int) -> None:
    """Count the position of a lane, of which the last trade's result is known."""
    lanes, pnl = room.lanes, room.lanes[PNL + lane]
    total, sizes = lanes[CLOSED_PNL + lane] + pnl, lanes[CLOSED_SIZE + lane] + abs(pnl)
    if lanes[CLOSED + lane] > 0 and abs(total) < SUM_NOISE * sizes:
        lanes[IS_UNSURE + lane] = 1.0
    bar = (room.stands[ENDS + lane] >> CODE_BITS) - lag
    count_end(room.stands, lane, gates, opened, bar, total)


@rule
def keep_closed(stands: I64_1D, lanes: F64_1D) -> None:
    """Keep what each lane has closed of a position of which something is left."""
    for lane in range(LANES):
        left, pnl = float(stands[IS_LEFT + lane]), lanes[PNL + lane]
        lanes[CLOSED + lane] = left * (lanes[CLOSED + lane] + 1.0)
        lanes[CLOSED_PNL + lane] = left * (lanes[CLOSED_PNL + lane] + pnl)
        lanes[CLOSED_SIZE + lane] = left * (lanes[CLOSED_SIZE + lane] + abs(pnl))


@rule
def take_part_nexts(stands: I64_1D, opens: Opens, given: Given, exits: PartExits) -> None:
    """Let each lane hold on, or hold what it has entered, and find how its levels close that."""
    bars = opens.bars
    for lane in range(LANES):
        if stands[IS_LEFT + lane] != 0:
            stands[TAKEN + lane] += 1
            continue
        follower = stands[NEXT + lane]
        if follower >> 1 > bars:
            stands[ENTRY + lane] = NO_ENTRY
            continue
        stands[ENTRY + lane], stands[TAKEN + lane] = (follower >> 1) - 1, 0
        stands[IS_SHORT + lane] = follower & SIDE_MASK
        if len(given.stops) == 0:
            place = stands[ROW + lane] * exits.entries + exits.places[follower]
            stands[PLACE + lane] = place
            prefetch(exits.levels, place)
            prefetch(exits.codes, place * exits.parts)
            prefetch(exits.closes, place * exits.parts << CLOSE_BITS)
            continue
        wish = stands[WISH + lane]
        walk_parts(
            given.runs[stands[PLAN + lane]], opens, given.prices, given.slip_ratio, follower,
            bars - 1, given.stops[wish], given.targets[wish], math.nan, exits, lane,
        )  # fmt: skip # one call
        stands[PLACE + lane] = lane
