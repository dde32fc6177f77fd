"""Each lane chooses its links as it goes: how what it holds ends, and what it enters next.

Theory. A step of a lane is one of a chain (`chains.walk`): a position ends and the next begins.
What ends a position by its levels hangs on its entry alone and is looked up (`Exits`), whatever
came before; its age is counted from its entry; and of the wishes that would close it the first
counts that the rules let pass. A wish that would reverse it and is refused leaves it open. A wish
that closes it, or comes at the close at which its age does, may begin the next one in the same fill
(REVERSED) or at the same open (RELIEVED), judged by the ends before this one. Where a wish may
close a position in profit alone, that is asked of the close at which it comes. Where fills are at
closes lines lie one behind their bars (`chains.columns`); the rules count bars.

Otherwise the next one begins at the first wish, from the bar of the end on, that passes the gates.
Those count the end, and whether it was a loss. So its result is found first, by the operations with
which the lanes book it (`result`). Where it is booked in one fill with the next entry, whose size
shares the fee, it counts only for the links to come.

So a step asks: `seek_ends`, `read_ends`; funding and `result`; `count_alone`, `seek_nexts`,
`read_nexts`; then the lanes do their sums, and `count_joined` counts what was booked with an entry.
What is looked up in tables larger than the cache is asked for one of these before.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    I32_2D,
    LINE,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    O_CLOSE,
    SIDE_MASK,
    WISH_BITS,
    WISH_MASK,
    Decides,
    Exits,
    Given,
    Opens,
    Sizes,
)
from engines.kernels.chains.exits import walk_given
from engines.kernels.chains.lanes import stand_at_end, stand_before
from engines.kernels.chains.shares import Shares, share_of
from engines.kernels.chains.walk import lowest
from engines.kernels.gates.columns import (
    BEGUN,
    CURSOR,
    ENDS,
    ENTRY,
    IS_SHORT,
    NEXT,
    NO_ENTRY,
    PLACE,
    PLAN,
    ROUND_ENDS,
    ROUND_RATIO,
    ROW,
    STOP,
    UNKNOWN,
    WISH,
    Gates,
    Kelly,
)
from engines.kernels.gates.limits import has_limits
from engines.kernels.gates.profit import gains, pay_until
from engines.kernels.gates.rules import count_end, count_entry, keep_counts, refuses
from engines.kernels.gates.shares import remember
from engines.kernels.gates.vain import count_vain, count_vain_held
from engines.kernels.passage.columns import (
    ALONE,
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
    ENTRY_FEE,
    ENTRY_PRICE,
    FUNDING,
    LANES,
    LOT_FEE,
    MODE,
    N_OWN_SHARE,
    NET,
    PHASE,
    PNL,
    PRICE,
    QTY,
    SIDE,
    STEPS,
    fee,
)
from engines.kernels.slots import ENDS as RULES_END
from engines.kernels.slots import ENTERS_LONG, ENTERS_SHORT, LEAVES_LONG, LEAVES_SHORT
from engines.types import F64_1D, I64_1D

# What a wish means to what is held: nothing, to leave it, to reverse it; or hours' rules end it.
VAIN, LEFT, TURNED, RULED = range(4)


@rule
def seek_ends(
    stands: I64_1D, lanes: F64_1D, wishes: I32_1D, decides: Decides, gates: Gates,
    closes: I64_1D, ends: I32_2D, opens: Opens, payments: Payments, sizes: Sizes, fixed: Fixed,
) -> None:  # fmt: skip # where the lanes stand, then what is read
    """Find how the position of each lane ends, and the entry that ends it, if one does."""
    if has_limits(gates):  # which may end it sooner
        keep_counts(stands)
    for lane in range(LANES):
        stands[NEXT + lane], stands[BEGUN + lane] = UNKNOWN, stands[CURSOR + lane]
        if stands[ENTRY + lane] == NO_ENTRY:
            stands[ENDS + lane] = OPEN_AT_END
            continue
        row, level, entered = stands[ROW + lane], opens.bars, stands[ENTRY + lane] + 1
        if row != NO_LEVELS:
            level = (int(ends[row, stands[PLACE + lane]]) >> MODE_BITS) - opens.lag
        first = 0
        if len(payments.rates) > 0:
            first = int(payments.after[entered] if opens.lag == 0 else payments.before[entered])
        end = seek_end(
            stands, lanes, lane, wishes, decides, gates, closes, level, opens.lines, opens.bars,
            payments, first, 0.0, sizes, fixed,
        )  # fmt: skip # one call
        is_at_level = end & MODE_MASK == AT_LEVEL
        stands[ENDS + lane] = ends[row, stands[PLACE + lane]] if is_at_level else end


@inlined
def seek_end(
    stands: I64_1D, lanes: F64_1D, lane: int, wishes: I32_1D, decides: Decides, gates: Gates,
    closes: I64_1D, level: int, lines: F64_1D, bars: int, payments: Payments, settled: int,
    paid: float, sizes: Sizes, fixed: Fixed,
) -> int:  # fmt: skip # where the lane stands, then what is read
    """Return how what a lane holds ends, as a link has it, AT_LEVEL if that is in bar `level`.

    It has `paid` funding until settlement `settled`.
    """
    timed = stands[ENTRY + lane] + decides.held_max
    until = min(level, timed, bars - 1)
    at, stop, bar, kind = stands[CURSOR + lane], stands[STOP + lane], until, VAIN
    while at < stop:
        bar = int(wishes[at]) >> WISH_BITS
        kind = _kind_of(stands, lane, int(wishes[at]) & WISH_MASK)
        if bar >= until or kind == RULED:
            break
        if kind != VAIN and gates.only_in_profit:
            unit, close = fixed.point_value, lines[(bar + 1) * LINE + O_CLOSE]
            settled, paid = pay_until(lanes, lane, payments, unit, bar, settled, paid)
            kind = kind if gains(lanes, lane, fixed, close, paid) else VAIN
        if kind == LEFT or (kind == TURNED and not refuses(stands, lane, gates, closes, bar)):
            break
        at += 1
    stands[CURSOR + lane] = at
    is_wished = at < stop and bar < until
    if not is_wished and until == level:
        return (level << MODE_BITS) | AT_LEVEL
    if not is_wished and until == bars - 1:
        return (bars << MODE_BITS) | OPEN_AT_END
    decided, mode = bar if is_wished else until, ALONE
    if at < stop and bar == decided:
        stands[CURSOR + lane] = at + 1
        is_turned = is_wished and kind == TURNED
        if _takes(stands, lane, wishes, decides, gates, closes, at):
            mode = REVERSED if is_turned else RELIEVED
        elif int(wishes[at]) & gates.vain != 0 and is_turned:
            count_entry(stands, lane, closes, bar)
        elif int(wishes[at]) & gates.vain != 0:
            count_vain_held(
                stands, lanes, lane, gates, closes, lines, payments, sizes, fixed, bar, settled,
                paid,
            )  # fmt: skip # one call
    return int(((decided + 1) << MODE_BITS) | mode)


@inlined
def _kind_of(stands: I64_1D, lane: int, wish: int) -> int:
    """Return what a wish means to the position of a lane."""
    is_short = stands[IS_SHORT + lane] != 0
    leaves, turns = LEAVES_LONG, ENTERS_SHORT
    if is_short:
        leaves, turns = LEAVES_SHORT, ENTERS_LONG
    if wish & RULES_END != 0:
        return RULED
    if wish & leaves != 0:
        return LEFT
    return TURNED if wish & turns != 0 else VAIN


@inlined
def _takes(
    stands: I64_1D, lane: int, wishes: I32_1D, decides: Decides, gates: Gates, closes: I64_1D,
    at: int,
) -> bool:  # fmt: skip # where the lane stands, by what it judges, the place of the wish
    """Return whether a lane enters at a wish; note it."""
    bar, enters = int(wishes[at]) >> WISH_BITS, int(wishes[at]) & decides.enters
    if enters == 0 or bar < decides.start or refuses(stands, lane, gates, closes, bar):
        return False
    count_entry(stands, lane, closes, bar)
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
        # As `chains.lanes.weigh` finds it, which comes after funding.
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
        lanes[PNL + lane], lanes[ENTRY_FEE + lane] = pnl, entry_fee


@rule
def count_alone(
    stands: I64_1D, lanes: F64_1D, ratios: F64_1D, gates: Gates, opened: I64_1D, lag: int,
    kelly: Kelly, unit: float,
) -> None:  # fmt: skip # where the lanes stand, then by what they count
    """Count the ends at which lanes have not entered yet."""
    for lane in range(LANES):
        is_open = stands[ENDS + lane] & MODE_MASK == OPEN_AT_END
        ends = stands[NEXT + lane] == UNKNOWN and not is_open
        lanes[ROUND_ENDS + lane] = 1.0 if ends else 0.0
        if ends:
            _count_end(stands, lanes, lane, gates, opened, lag)
    if kelly.room > 0:
        _end_rounds(lanes, ratios, kelly, unit)


@rule
def count_joined(
    stands: I64_1D, lanes: F64_1D, ratios: F64_1D, gates: Gates, opened: I64_1D, lag: int,
    kelly: Kelly, unit: float,
) -> None:  # fmt: skip # as before
    """Count the ends at which lanes have entered already."""
    for lane in range(LANES):
        mode = lanes[MODE + lane]
        ends = (mode == REVERSED) | (mode == RELIEVED)
        lanes[ROUND_ENDS + lane] = 1.0 if ends else 0.0
        if ends:
            _count_end(stands, lanes, lane, gates, opened, lag)
    if kelly.room > 0:
        _end_rounds(lanes, ratios, kelly, unit)


@rule
def _count_end(
    stands: I64_1D, lanes: F64_1D, lane: int, gates: Gates, opened: I64_1D, lag: int
) -> None:
    """Count the position of a lane, whose result is known."""
    bar = (stands[ENDS + lane] >> MODE_BITS) - lag
    count_end(stands, lane, gates, opened, bar, lanes[PNL + lane])


@rule
def _end_rounds(lanes: F64_1D, ratios: F64_1D, kelly: Kelly, unit: float) -> None:
    """Let Kelly's sizing remember the positions that have just ended."""
    for lane in range(LANES):
        cost = lanes[ENTRY_PRICE + lane] * (lanes[QTY + lane] * unit) + lanes[ENTRY_FEE + lane]
        lanes[ROUND_RATIO + lane] = lanes[PNL + lane] / cost
    remember(lanes, ratios, kelly.room)


@rule
def seek_nexts(
    stands: I64_1D, lanes: F64_1D, wishes: I32_1D, decides: Decides, gates: Gates,
    closes: I64_1D, opens: Opens, sizes: Sizes, fixed: Fixed,
) -> None:  # fmt: skip # where the lanes stand, then what is read
    """Find the next entry of each lane that does not know it yet, the line behind the last: none.

    The end of its position has been counted.
    """
    for lane in range(LANES):
        if stands[NEXT + lane] != UNKNOWN:
            continue
        at, stop = stands[CURSOR + lane], stands[STOP + lane]
        while at < stop and int(wishes[at]) >> WISH_BITS < opens.bars - 1:
            at += 1
            if _takes(stands, lane, wishes, decides, gates, closes, at - 1):
                break
            bar = int(wishes[at - 1]) >> WISH_BITS
            if int(wishes[at - 1]) & gates.vain != 0 and bar >= decides.start:
                is_closed = stands[ENDS + lane] & MODE_MASK != OPEN_AT_END
                closed = lanes[PNL + lane] if is_closed and lanes[QTY + lane] > 0 else 0.0
                flat = fixed.capital + lanes[NET + lane] + closed
                count_vain(
                    stands, lanes, lane, gates, closes, opens.lines, sizes, fixed, bar, flat, True
                )  # fmt: skip # one call
        stands[CURSOR + lane] = at
        if stands[NEXT + lane] == UNKNOWN:
            stands[NEXT + lane] = (opens.bars + 1) << 1


@rule
def read_nexts(stands: I64_1D, lanes: F64_1D, opens: Opens, given: Given, shares: Shares) -> None:
    """Look up what the next entry of each lane costs."""
    for lane in range(LANES):
        follower = stands[NEXT + lane]
        stand_before(lanes, lane, np.uint64(follower), opens.lines)
        if follower >> 1 > opens.bars:
            continue
        if shares.are_own:
            stop = given.stops[stands[WISH + lane]] if len(given.stops) > 0 else math.nan
            run = given.runs[stands[PLAN + lane]]
            share = share_of(run, opens, shares, follower >> 1, stop)
            lanes[N_OWN_SHARE + lane] = share


@rule
def take_nexts(stands: I64_1D, opens: Opens, given: Given, exits: Exits) -> None:
    """Let each lane hold what it has entered, and ask for how that ends."""
    bars = opens.bars
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
        walk_given(
            opens, given, exits, stands[PLAN + lane], stands[WISH + lane], follower, lane
        )  # fmt: skip # one call
        stands[PLACE + lane] = lane
