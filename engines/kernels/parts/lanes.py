"""Positions that close in parts, in the lanes of `passage.lanes`: each step a close.

Theory. A step closes a part of what is held, or all that is left of it and opens the next position.
Both are the same arithmetic: the part's share of the entry's commission and of its funding is taken
from the lot, by the reference's divisions, and what is left is held on. A part that leaves
something is followed by the line that enters nothing.

Parts that are held together are marked together in the quiet bars before a close that leaves
something (`metrics.run_ups_and_drawdowns`): the whole position at its lowest price there, after the
highest closed equity at the end of any bar before. What a margin call or a liquidation needs is
bounded as for a single trade, by the lowest price since the entry and by what was held until the
close: an isolated margin is given back with its part, a tier asks less of less.
"""

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE_BITS,
    MODE_BITS,
    MODE_MASK,
    O_CLOSE,
    O_MONTH,
    O_OPEN,
    O_ORDERED,
    O_PRICE,
    SIDE_MASK,
)
from engines.kernels.chains.lanes import CHAIN_NUMBERS, N_ORDERED, OPENED, WORST
from engines.kernels.parts.columns import (
    C_MONTH,
    C_PRICE,
    C_QUIET,
    C_WORST,
    CLOSE_BITS,
    CODE_BITS,
    L_FOUND,
    L_NEXT,
    LINK_BITS,
    PART_MASK,
    PartExits,
    PartLinks,
)
from engines.kernels.passage.columns import (
    ALONE,
    OPEN_AT_END,
    PASSED_AT_OPEN,
    RELIEVED,
    REVERSED,
    U64_1D,
    Fixed,
)
from engines.kernels.passage.events import STEPS_NOISE, exact_steps
from engines.kernels.passage.lanes import (
    AT,
    AT_HORIZON,
    BAR,
    END,
    ENTRY_BAR,
    ENTRY_FEE,
    ENTRY_PRICE,
    EQUITY,
    EXIT_FEE,
    FALL_MAX,
    FUNDING,
    FUNDING_LATE,
    FUNDING_MAX,
    FUNDING_SEEN,
    GAIN,
    IS_NEAR,
    IS_UNSURE,
    LANE_PLACES,
    LANES,
    LAST_BAR,
    LOSS,
    LOT_FEE,
    MODE,
    MONTH,
    N_BAR,
    N_CLOSE,
    N_FIXED,
    N_NEED,
    N_OPEN,
    N_OWN_SHARE,
    N_PRICE,
    N_QTY,
    N_SHARE,
    N_SIDE,
    N_STEPS,
    N_UNIT,
    NET,
    OWNED,
    PAID,
    PEAK,
    PHASE,
    PNL,
    PRICE,
    QTY,
    SIDE,
    STEPS,
    STEPS_MAX,
    SURE,
    SWING_MAX,
    SWING_RATIO_MAX,
    fee,
)
from engines.types import F64_1D

# Behind the numbers of a chain's lane: which part closes, its steps and quantity, the lowest price
# of the quiet bars, the lot's commission before; and carried on: the steps of each portion, the
# highest closed equity at the end of a bar, the lot's funding and the settlement that it pays next;
# where entries wait, whether this close is the first after the one that decides what comes next,
# and equity there; how the position was foretold to go. Last how many legs of what is opened take
# anything, for how many links are made, and how many of these were made at once.
(
    PART, CLOSING, CLOSING_QTY, QUIET, HELD_FEE, PORTION, SECOND, THIRD, FOURTH, SETTLED_PEAK,
    LOT_FUNDING, NEXT_PAID, SEES, EQUITY_THEN, TOLD, LEGS, EXPECTED, AT_ONCE,
) = range(CHAIN_NUMBERS * LANES, (CHAIN_NUMBERS + 18) * LANES, LANES)  # fmt: skip # one list
PART_NUMBERS = CHAIN_NUMBERS + 18
# The whole numbers of a lane, too: of the link that it follows next.
LINK_CODE, LINK_CLOSE, LINK_LINE, LINK_NEXT = range(
    LANE_PLACES * LANES, (LANE_PLACES + 4) * LANES, LANES
)
PART_PLACES = LANE_PLACES + 4
LINKS_AHEAD = 32  # numbers of links, two lines of the cache


@rule
def start_parts(lanes: F64_1D, lane: int, fixed: Fixed) -> None:
    """Let a lane hold the empty position that every set begins with."""
    for number in (PORTION, SECOND, THIRD, FOURTH, LOT_FUNDING, NEXT_PAID):
        lanes[number + lane] = 0.0
    lanes[SETTLED_PEAK + lane] = fixed.capital


@rule
def look_ahead(
    places: U64_1D, links: PartLinks, exits: PartExits, lines: F64_1D, lane: int
) -> None:
    """Look at the link that a lane follows next, and ask for what that step reads.

    So what is not in the cache yet comes while this step is done.
    """
    at = min(places[AT + lane] + np.uint64(1), places[END + lane])
    link = at << np.uint64(LINK_BITS)
    code, follower = np.uint64(links.links[link]), np.uint64(links.links[link + np.uint64(L_NEXT)])
    close = np.uint64(links.links[link + np.uint64(L_FOUND)]) << np.uint64(CLOSE_BITS)
    is_at_level = code & np.uint64(MODE_MASK) >= np.uint64(AT_LEVEL)
    # What a level closes needs no line, which would be one more to wait for.
    bar = np.uint64(0) if is_at_level else code >> np.uint64(CODE_BITS)
    line, entered = bar << np.uint64(LINE_BITS), follower >> np.uint64(1) << np.uint64(LINE_BITS)
    places[LINK_CODE + lane], places[LINK_CLOSE + lane] = code, close
    places[LINK_LINE + lane], places[LINK_NEXT + lane] = line, follower
    prefetch(exits.closes, close)
    prefetch(lines, line)
    prefetch(lines, entered)
    prefetch(links.worst, at)
    prefetch(links.links, link + np.uint64(LINKS_AHEAD))


@rule
def follow_parts(
    lanes: F64_1D, places: U64_1D, links: PartLinks, exits: PartExits, lines: F64_1D
) -> None:
    """Look up the next link of each lane; one that is at its end stays there."""
    closes, one = exits.closes, np.uint64(1)
    for lane in range(LANES):
        at = min(places[AT + lane] + one, places[END + lane])
        places[AT + lane] = at
        code, close = places[LINK_CODE + lane], places[LINK_CLOSE + lane]
        line, follower = places[LINK_LINE + lane], places[LINK_NEXT + lane]
        mode = code & np.uint64(MODE_MASK)
        is_at_level = mode >= np.uint64(AT_LEVEL)
        lanes[BAR + lane], lanes[AT_HORIZON + lane] = code >> np.uint64(CODE_BITS), mode
        lanes[PART + lane] = (code >> np.uint64(MODE_BITS)) & np.uint64(PART_MASK)
        # A position is closed by the other side's price.
        side = np.uint64(O_PRICE + (1 if lanes[SIDE + lane] > 0 else 0))
        price, worst = closes[close + np.uint64(C_PRICE)], closes[close + np.uint64(C_WORST)]
        month = closes[close + np.uint64(C_MONTH)]
        lanes[QUIET + lane] = closes[close + np.uint64(C_QUIET)]
        lanes[WORST + lane] = worst if is_at_level else links.worst[at]
        lanes[PRICE + lane] = price if is_at_level else lines[line + side]
        lanes[OPENED + lane] = lines[line + np.uint64(O_OPEN)]
        month = month if is_at_level else lines[line + np.uint64(O_MONTH)]
        places[MONTH + lane] = np.uint64(month)
        side, bar = follower & np.uint64(SIDE_MASK), follower >> one
        lanes[N_BAR + lane], lanes[N_SIDE + lane] = bar, side
        line = bar << np.uint64(LINE_BITS)
        lanes[N_PRICE + lane] = lines[line + np.uint64(O_PRICE) + side]
        lanes[N_ORDERED + lane] = lines[line + np.uint64(O_ORDERED) + side]
        lanes[N_CLOSE + lane] = lines[line + np.uint64(O_CLOSE)]
        lanes[N_OPEN + lane] = lines[line + np.uint64(O_OPEN)]
    if len(links.shares) > 0:
        for lane in range(LANES):
            lanes[N_OWN_SHARE + lane] = links.shares[places[AT + lane]]
    for lane in range(LANES):
        look_ahead(places, links, exits, lines, lane)


@rule
def find_phases(lanes: F64_1D) -> None:
    """Find which levels have closed what they close, as `weigh` does later."""
    for lane in range(LANES):
        lanes[PHASE + lane] = max(0.0, lanes[AT_HORIZON + lane] - (AT_LEVEL - PASSED_AT_OPEN))


@rule
def size_parts(lanes: F64_1D, fixed: Fixed, is_awaited: bool = False) -> bool:
    """Find the size of each next entry; return whether one is too near to a whole step to tell.

    What waits may have been decided before parts of the position closed (`is_awaited`).
    """
    is_near_any = 0
    for lane in range(LANES):
        qty, steps, closing = lanes[QTY + lane], lanes[STEPS + lane], lanes[CLOSING + lane]
        mode = lanes[AT_HORIZON + lane] if lanes[PHASE + lane] == 0 else float(ALONE)
        lanes[MODE + lane] = mode
        gain = lanes[SIDE + lane] * (lanes[PRICE + lane] - lanes[ENTRY_PRICE + lane])
        lanes[GAIN + lane] = gain
        net, lot_fee = lanes[NET + lane], lanes[LOT_FEE + lane]
        exit_fee = fee(fixed, lanes[CLOSING_QTY + lane], lanes[PRICE + lane])
        entry_fee = lot_fee * closing / steps
        pnl = gain * (lanes[CLOSING_QTY + lane] * fixed.point_value) - entry_fee - exit_fee
        pnl = 0.0 if mode == OPEN_AT_END else pnl - lanes[FUNDING + lane]
        flat = fixed.capital + (net + pnl)
        moved = lanes[N_CLOSE + lane] - lanes[ENTRY_PRICE + lane]
        held = fixed.capital + (net - lot_fee - lanes[FUNDING_SEEN + lane])
        held += moved * (lanes[SIDE + lane] * qty) * fixed.point_value
        if is_awaited:
            held = held if lanes[SEES + lane] > 0 else lanes[EQUITY_THEN + lane]
            lanes[EQUITY_THEN + lane] = held
        equity = held if (mode == REVERSED) | (mode == RELIEVED) else flat
        wanted = equity * lanes[N_SHARE + lane] + lanes[N_FIXED + lane]
        whole = float(np.floor(wanted))
        part = wanted - whole
        is_near = min(part, 1.0 - part) <= STEPS_NOISE * (wanted + 1.0)
        is_near &= lanes[N_SIDE + lane] != 0
        is_near_any |= 1 if is_near else 0
        lanes[IS_NEAR + lane] = 1.0 if is_near else 0.0
        lanes[EXIT_FEE + lane], lanes[ENTRY_FEE + lane] = exit_fee, entry_fee
        lanes[EQUITY + lane], lanes[N_STEPS + lane] = equity, whole
    return is_near_any != 0


@rule
def size_parts_exactly(lanes: F64_1D, fixed: Fixed) -> None:
    """Find the sizes that are too near to a whole step in the reference's own order."""
    for lane in range(LANES):
        if lanes[IS_NEAR + lane] == 0 or lanes[N_SHARE + lane] == 0:
            continue
        equity, steps = lanes[EQUITY + lane], lanes[CLOSING + lane]
        if lanes[MODE + lane] != REVERSED and lanes[MODE + lane] != RELIEVED:
            paid = lanes[EXIT_FEE + lane] * steps / steps * steps / steps
            pnl = lanes[GAIN + lane] * (lanes[CLOSING_QTY + lane] * fixed.point_value)
            pnl = pnl - lanes[ENTRY_FEE + lane] - paid - lanes[FUNDING + lane]
            if lanes[MODE + lane] == OPEN_AT_END:
                pnl = 0.0
            equity = fixed.capital + (lanes[NET + lane] + pnl)
        share = fixed.share if fixed.share > 0 else lanes[N_OWN_SHARE + lane]
        lanes[N_STEPS + lane] = exact_steps(
            equity, share, fixed.order_fee, lanes[N_UNIT + lane], fixed.step_over,
            fixed.step_under, fixed.leverage,
        )  # fmt: skip # one call


@rule
def turn_parts(lanes: F64_1D, fixed: Fixed) -> None:
    """Close the part of each lane, and open the next position where nothing is left."""
    for lane in range(LANES):
        held, steps = lanes[STEPS + lane], lanes[CLOSING + lane]
        wanted, mode = lanes[N_STEPS + lane], lanes[MODE + lane]
        opening = min(wanted, fixed.room_steps)
        opening_qty = opening * fixed.step_over / fixed.step_under
        is_sound = (opening >= 1.0) & (wanted <= STEPS_MAX) & (opening_qty >= fixed.qty_min)
        is_sound &= opening_qty * lanes[N_CLOSE + lane] * fixed.point_value >= fixed.notional_min
        is_joint = mode == REVERSED
        total = steps + opening if is_joint else opening
        qty = total * fixed.step_over / fixed.step_under
        fill_fee = fee(fixed, qty, lanes[N_PRICE + lane])
        paid = fill_fee if is_joint else lanes[EXIT_FEE + lane]
        of_steps = total if is_joint else steps
        exit_fee = paid * steps / of_steps * steps / steps
        pnl = lanes[GAIN + lane] * (lanes[CLOSING_QTY + lane] * fixed.point_value)
        pnl = pnl - lanes[ENTRY_FEE + lane] - exit_fee - lanes[FUNDING + lane]
        pnl = pnl if lanes[CLOSING_QTY + lane] > 0 else 0.0
        closed = 0.0 if mode == OPEN_AT_END else pnl
        before = lanes[NET + lane]
        net = before + closed
        own = min(lanes[EQUITY + lane] - lanes[FUNDING_LATE + lane], fixed.capital + net)
        opened = fill_fee * opening / total
        is_sound &= wanted * fixed.step_size * lanes[N_NEED + lane] + opened <= own * SURE
        is_sound &= own > fixed.capital * (1 - SURE)  # Without margin nothing is needed of it.
        lot_fee = lanes[LOT_FEE + lane]
        lanes[HELD_FEE + lane] = lot_fee
        lanes[OWNED + lane] = fixed.capital + (before - lot_fee) - lanes[FUNDING_MAX + lane]
        lanes[NET + lane], lanes[PNL + lane], lanes[PAID + lane] = net, pnl, exit_fee
        is_left = steps < held
        left = held - steps
        left_qty = left * fixed.step_over / fixed.step_under
        lanes[N_STEPS + lane] = left if is_left else opening
        lanes[N_QTY + lane] = left_qty if is_left else opening_qty
        lanes[LOT_FEE + lane] = lot_fee - lanes[ENTRY_FEE + lane] if is_left else opened
        is_unsure = (lanes[N_SIDE + lane] != 0) & ((not is_sound) | is_left)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_unsure else 0.0)


@rule
def mark_parts(lanes: F64_1D, fixed: Fixed) -> None:
    """Mark equity at the worst of each part, of what was held with it, and after it."""
    is_calling = fixed.leverage == 1.0
    for lane in range(LANES):
        is_closed = lanes[MODE + lane] != OPEN_AT_END
        peak, pnl = lanes[PEAK + lane], lanes[PNL + lane]
        net = lanes[NET + lane]
        before = fixed.capital + (net - pnl if is_closed else net)
        held_unit = lanes[QTY + lane] * fixed.point_value
        settled_peak = lanes[SETTLED_PEAK + lane]
        is_new_bar = lanes[BAR + lane] > lanes[LAST_BAR + lane]
        settled_peak = max(settled_peak, before) if is_new_bar else settled_peak
        lanes[SETTLED_PEAK + lane] = settled_peak
        is_shared = lanes[CLOSING + lane] < lanes[STEPS + lane]
        lot_fee = lanes[HELD_FEE + lane]
        gone = lanes[QUIET + lane] - lanes[SIDE + lane] * lanes[ENTRY_PRICE + lane]
        worst = before - lot_fee + gone * held_unit
        stretch = max(0.0, settled_peak - worst) if is_shared & is_new_bar else 0.0
        moved = lanes[LOSS + lane] * (lanes[CLOSING_QTY + lane] * fixed.point_value)
        mae = max(0.0, moved + lanes[ENTRY_FEE + lane])
        swing = max(0.0, peak - (before - max(mae, -pnl)))
        swing_max = max(lanes[SWING_MAX + lane], swing, stretch)
        ratio_max = max(lanes[SWING_RATIO_MAX + lane], swing / peak, stretch / settled_peak)
        lanes[SWING_MAX + lane], lanes[SWING_RATIO_MAX + lane] = swing_max, ratio_max
        peak = max(peak, fixed.capital + net)
        lanes[PEAK + lane] = peak
        fall = peak - (fixed.capital + net)
        lanes[FALL_MAX + lane] = max(lanes[FALL_MAX + lane], fall)
        side = lanes[SIDE + lane]
        margin = fixed.margin_long if side > 0 else fixed.margin_short
        worth = (lanes[ENTRY_PRICE + lane] - side * lanes[LOSS + lane]) * held_unit * margin
        funds = lanes[OWNED + lane] - lanes[LOSS + lane] * held_unit
        is_called = is_calling & (margin > 0) & (worth > funds * SURE)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_called else 0.0)


@rule
def move_parts(lanes: F64_1D) -> None:
    """Let what is left or was opened be what is held."""
    for lane in range(LANES):
        is_left = lanes[CLOSING + lane] < lanes[STEPS + lane]
        lanes[STEPS + lane], lanes[QTY + lane] = lanes[N_STEPS + lane], lanes[N_QTY + lane]
        price, side = lanes[ENTRY_PRICE + lane], lanes[SIDE + lane]
        lanes[ENTRY_PRICE + lane] = price if is_left else lanes[N_PRICE + lane]
        lanes[SIDE + lane] = side if is_left else lanes[N_SIDE + lane]
        bar = lanes[ENTRY_BAR + lane]
        lanes[ENTRY_BAR + lane] = bar if is_left else lanes[N_BAR + lane]
