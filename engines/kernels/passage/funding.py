"""Funding in the lanes: what each position pays until it ends, and until the close that decides it.

Theory. Settlements lie in their order, and which of them a position pays follows from its two ends
(`funding`): from the first behind the fills of its entry's open, to the last before the fills of
the open at which it ends, or to the end of the bar on whose way it ends. A close that decides the
next entry has seen those of the bars up to it. What is paid is added up one by one, as the broker
does, since whole steps hang on the last bit of equity. Where fills are at closes a position pays
from the first of the next bar, ahead of its open too, to the last of the bar whose close ends it.
"""

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.columns import NONE, Charges
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
    ENTRY_BAR,
    FUNDING,
    FUNDING_LATE,
    FUNDING_MAX,
    FUNDING_SEEN,
    LANES,
    PHASE,
    QTY,
    SIDE,
    STEPS,
)
from engines.types import F64_1D

# Which settlements a lane pays, in the room of what it will have paid.
FIRST, SEEN, LAST = FUNDING, FUNDING_SEEN, FUNDING_LATE


def payments_of(charges: Charges, bars: int) -> Payments:
    """Return the settlements that a run on so many bars pays, none if it pays no funding."""
    if not charges.settles or not len(charges.settle_bar):
        # Of the same kind as others, so that passes are compiled once for both.
        return Payments(NONE, NONE, np.empty(0, np.int32), np.empty(0, np.int32))
    is_before = charges.is_before != 0
    counts = np.bincount(charges.settle_bar, minlength=bars + 2)
    early = np.bincount(charges.settle_bar[is_before], minlength=bars + 2)
    before = np.cumsum(counts) - counts
    return Payments(
        charges.settle_price, charges.settle_rate, before.astype(np.int32),
        (before + early).astype(np.int32),
    )  # fmt: skip # the order of its fields


@rule
def pay(lanes: F64_1D, payments: Payments, fixed: Fixed) -> None:
    """Find what the position of each lane pays, by the end that was looked up for it."""
    for lane in range(LANES):
        mode, phase = lanes[AT_HORIZON + lane], lanes[PHASE + lane]
        bar, entered = np.uint64(lanes[BAR + lane]), np.uint64(lanes[ENTRY_BAR + lane])
        first, opened = payments.after[entered], payments.after[bar]
        before, closed = payments.before[bar], payments.before[bar + np.uint64(1)]
        # Values are chosen here, not ways, so that no look-up of a lane waits for another's.
        is_late = phase > PASSED_AT_OPEN
        last = closed if is_late else opened
        decides = (phase == 0) & ((mode == REVERSED) | (mode == RELIEVED))
        seen = before if decides else last
        is_none = lanes[SIDE + lane] == 0
        lanes[FIRST + lane] = first
        lanes[SEEN + lane] = first if is_none else seen
        lanes[LAST + lane] = first if is_none else last
    for lane in range(LANES):
        add_up(lanes, lane, payments, fixed)


@rule
def pay_until_closes(lanes: F64_1D, payments: Payments, fixed: Fixed) -> None:
    """Find what each lane's position pays where fills are at closes, line b + 1 that of bar b."""
    for lane in range(LANES):
        line, entered = np.uint64(lanes[BAR + lane]), np.uint64(lanes[ENTRY_BAR + lane])
        first, closed = payments.before[entered], payments.before[line]
        opened = payments.after[max(line, np.uint64(1)) - np.uint64(1)]
        last = opened if lanes[PHASE + lane] == PASSED_AT_OPEN else closed
        last = first if lanes[SIDE + lane] == 0 else last
        lanes[FIRST + lane], lanes[SEEN + lane], lanes[LAST + lane] = first, last, last
    for lane in range(LANES):
        add_up(lanes, lane, payments, fixed)


@rule
def add_up(lanes: F64_1D, lane: int, payments: Payments, fixed: Fixed) -> None:
    """Add up the settlements of a lane, of which the deciding close saw some."""
    first, last = np.uint64(lanes[FIRST + lane]), np.uint64(lanes[LAST + lane])
    seen = np.uint64(lanes[SEEN + lane])
    steps, qty = lanes[STEPS + lane], lanes[SIDE + lane] * lanes[QTY + lane]
    of_lot = of_account = at_close = most = 0.0
    for place in range(first, max(first, last)):
        paid = qty * payments.prices[place] * fixed.point_value * payments.rates[place]
        of_lot += paid * steps / steps
        of_account += paid
        most = max(most, of_account)
        at_close = of_account if place < seen else at_close
    lanes[FUNDING + lane], lanes[FUNDING_SEEN + lane] = of_lot * steps / steps, at_close
    lanes[FUNDING_MAX + lane] = most
    lanes[FUNDING_LATE + lane] = max(0.0, of_account - at_close)
