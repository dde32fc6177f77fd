"""Funding of positions that close in parts: what a lot owes, and the share of each part.

Theory. As in `passage.funding`, but that a lot's settlements go on behind the close of a part: what
it has paid is shared by steps, and the account stands where the lot stands after each close.
"""

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.parts.lanes import CLOSING, LOT_FUNDING, NEXT_PAID
from engines.kernels.passage.columns import (
    PASSED_AT_OPEN,
    RELIEVED,
    REVERSED,
    Fixed,
    Payments,
)
from engines.kernels.passage.lanes import (
    AT_HORIZON,
    BAR,
    FUNDING,
    FUNDING_LATE,
    FUNDING_MAX,
    FUNDING_SEEN,
    LANES,
    N_BAR,
    PHASE,
    QTY,
    SIDE,
    STEPS,
)
from engines.types import F64_1D


@rule
def pay_parts(lanes: F64_1D, payments: Payments, fixed: Fixed) -> None:
    """Find what each lane pays until its close, and the share of the part that closes."""
    for lane in range(LANES):
        mode, phase = lanes[AT_HORIZON + lane], lanes[PHASE + lane]
        bar = np.uint64(lanes[BAR + lane])
        first, last = int(lanes[NEXT_PAID + lane]), int(payments.after[bar])
        seen = last
        if lanes[SIDE + lane] == 0:
            seen = last = first
        elif phase > PASSED_AT_OPEN:
            seen = last = int(payments.before[bar + np.uint64(1)])
        elif phase == 0 and mode in (REVERSED, RELIEVED):
            seen = int(payments.before[bar])
        add_up_parts(lanes, lane, payments, fixed, first, seen, last)
        lanes[NEXT_PAID + lane] = last


@rule
def pay_parts_until_closes(lanes: F64_1D, payments: Payments, fixed: Fixed) -> None:
    """Find the same where fills are at closes, line b + 1 that of bar b."""
    for lane in range(LANES):
        line, first = np.uint64(lanes[BAR + lane]), int(lanes[NEXT_PAID + lane])
        closed = int(payments.before[line])
        opened = int(payments.after[max(line, np.uint64(1)) - np.uint64(1)])
        last = max(first, opened if lanes[PHASE + lane] == PASSED_AT_OPEN else closed)
        last = first if lanes[SIDE + lane] == 0 else last
        add_up_parts(lanes, lane, payments, fixed, first, last, last)
        lanes[NEXT_PAID + lane] = last


@rule
def begin_paying(lanes: F64_1D, payments: Payments, settles: bool) -> None:
    """Let each lane pay from its next entry on, if it has one."""
    for lane in range(LANES):
        line = np.uint64(lanes[N_BAR + lane])
        entered = payments.before[line] if settles else payments.after[line]
        is_left = lanes[CLOSING + lane] < lanes[STEPS + lane]
        last = lanes[NEXT_PAID + lane]
        lanes[NEXT_PAID + lane] = last if is_left else float(entered)


@rule
def add_up_parts(
    lanes: F64_1D, lane: int, payments: Payments, fixed: Fixed, first: int, seen: int, last: int
) -> None:
    """Add up the settlements [first, last) of a lane, of which the deciding close saw some."""
    steps, qty = lanes[STEPS + lane], lanes[SIDE + lane] * lanes[QTY + lane]
    of_lot = of_account = at_close = lanes[LOT_FUNDING + lane]
    most = max(0.0, of_account)
    for place in range(np.uint64(first), np.uint64(max(first, last))):
        paid = qty * payments.prices[place] * fixed.point_value * payments.rates[place]
        of_lot += paid * steps / steps
        of_account += paid
        most = max(most, of_account)
        if place < np.uint64(seen):
            at_close = of_account
    share = of_lot * lanes[CLOSING + lane] / steps
    lanes[FUNDING + lane], lanes[FUNDING_SEEN + lane] = share, at_close
    lanes[LOT_FUNDING + lane] = of_lot - share if lanes[CLOSING + lane] < steps else 0.0
    lanes[FUNDING_MAX + lane] = most
    lanes[FUNDING_LATE + lane] = max(0.0, of_account - at_close)
