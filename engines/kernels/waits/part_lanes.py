"""Closes of positions in parts, whose entries wait, in the lanes of `passage.lanes`.

Theory. A step is a close, as in `parts.lanes`; what comes next is an order, as in `waits.lanes`. A
close that leaves something is followed by nothing, but it already knows the order that comes in the
end: what that is sized by is equity at the close that decided it, which the first close behind that
close still finds. Later ones keep it, and add up what was paid for funding since.
"""

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import MODE_BITS
from engines.kernels.parts.columns import CODE_BITS, PART_MASK
from engines.kernels.parts.funding import add_up_parts
from engines.kernels.parts.lanes import CLOSING, NEXT_PAID, PART, QUIET, SEES
from engines.kernels.passage.columns import RELIEVED, REVERSED, U64_1D, Fixed, Payments
from engines.kernels.passage.lanes import (
    AT,
    AT_HORIZON,
    BAR,
    END,
    FUNDING_LATE,
    LANES,
    MONTH,
    N_BAR,
    N_OWN_SHARE,
    PRICE,
    SIDE,
    STEPS,
)
from engines.kernels.waits.columns import (
    CLOSES_ONLY,
    END_MODE,
    IS_LATE,
    IS_LEFT,
    NEXT_BITS,
    P_CODE,
    P_DECIDED,
    P_MONTH,
    P_NEXT,
    P_PRICE,
    P_QUIET,
    P_SHARE,
    P_WORST,
    PART_BITS,
    ROW_BITS,
    PartTurns,
)
from engines.kernels.waits.lanes import (
    ENDS_LATE,
    ENTERED_LATE,
    LATE_SINCE,
    N_CLOSES,
    N_DECIDED_AT,
    N_LATE,
    WORST,
    stand_before,
)
from engines.types import F64_1D

AHEAD = 3  # links whose orders are asked for
LINKS_AHEAD = 8 << PART_BITS  # numbers of links that are asked for
NO_BAR = float(1 << 40)  # behind all


@rule
def follow_parts(lanes: F64_1D, places: U64_1D, links: PartTurns, rows: F64_1D) -> None:
    """Look up the next link of each lane; one that is at its end stays there."""
    one, values = np.uint64(1), links.values
    for lane in range(LANES):
        at = min(places[AT + lane] + one, places[END + lane])
        places[AT + lane] = at
        link = at << np.uint64(PART_BITS)
        soon = min(at + np.uint64(AHEAD), places[END + lane]) << np.uint64(PART_BITS)
        ahead = np.uint64(links.links[soon + np.uint64(P_NEXT)]) >> np.uint64(NEXT_BITS)
        prefetch(rows, ahead << np.uint64(ROW_BITS))
        prefetch(links.links, link + np.uint64(LINKS_AHEAD))
        prefetch(values, link + np.uint64(LINKS_AHEAD))
        code = np.uint64(links.links[link + np.uint64(P_CODE)])
        follower = np.uint64(links.links[link + np.uint64(P_NEXT)])
        decided = np.uint64(links.links[link + np.uint64(P_DECIDED)])
        places[MONTH + lane] = np.uint64(links.links[link + np.uint64(P_MONTH)])
        lanes[BAR + lane] = code >> np.uint64(CODE_BITS)
        lanes[PART + lane] = (code >> np.uint64(MODE_BITS)) & np.uint64(PART_MASK)
        lanes[AT_HORIZON + lane] = code & np.uint64(END_MODE)
        lanes[ENDS_LATE + lane] = code & np.uint64(IS_LATE)
        lanes[PRICE + lane] = values[link + np.uint64(P_PRICE)]
        lanes[WORST + lane] = values[link + np.uint64(P_WORST)]
        lanes[QUIET + lane] = values[link + np.uint64(P_QUIET)]
        lanes[N_OWN_SHARE + lane] = values[link + np.uint64(P_SHARE)]
        lanes[N_DECIDED_AT + lane] = decided >> one
        lanes[SEES + lane] = decided & one
        lanes[N_CLOSES + lane] = follower & np.uint64(CLOSES_ONLY)
        stand_before(lanes, lane, (follower >> np.uint64(NEXT_BITS)) << np.uint64(ROW_BITS), rows)
        is_left = follower & np.uint64(IS_LEFT) != np.uint64(0)
        lanes[N_BAR + lane] = NO_BAR if is_left else lanes[N_BAR + lane]
        lanes[N_LATE + lane] = lanes[ENTERED_LATE + lane] if is_left else lanes[N_LATE + lane]


@rule
def pay_wait_parts(lanes: F64_1D, payments: Payments, fixed: Fixed) -> None:
    """Find what each lane pays until its close, and the share of the part that closes."""
    one = np.uint64(1)
    for lane in range(LANES):
        bar, mode = np.uint64(lanes[BAR + lane]), lanes[AT_HORIZON + lane]
        first, is_late = int(lanes[NEXT_PAID + lane]), lanes[ENDS_LATE + lane] > 0
        last = int(payments.before[bar + one] if is_late else payments.after[bar])
        decides = (mode == REVERSED) | (mode == RELIEVED) | (lanes[SEES + lane] > 0)
        decided = np.uint64(lanes[N_DECIDED_AT + lane])
        seen = int(payments.before[decided + one]) if decides else last
        if lanes[SIDE + lane] == 0:
            seen = last = first
        add_up_parts(lanes, lane, payments, fixed, first, seen, last)
        lanes[NEXT_PAID + lane] = last
        late = lanes[FUNDING_LATE + lane]
        late += 0.0 if lanes[SEES + lane] > 0 else lanes[LATE_SINCE + lane]
        lanes[LATE_SINCE + lane] = late if decides else 0.0
        lanes[FUNDING_LATE + lane] = lanes[LATE_SINCE + lane]


@rule
def begin_paying_late(lanes: F64_1D, payments: Payments) -> None:
    """Let each lane pay from its next entry on, if it has one."""
    bars = len(payments.before) - 2
    for lane in range(LANES):
        bar = np.uint64(min(lanes[N_BAR + lane], bars))
        is_late = lanes[N_LATE + lane] > 0
        entered = payments.before[bar + np.uint64(1)] if is_late else payments.after[bar]
        is_left = lanes[CLOSING + lane] < lanes[STEPS + lane]
        last = lanes[NEXT_PAID + lane]
        lanes[NEXT_PAID + lane] = last if is_left else float(entered)
