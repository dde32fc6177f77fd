"""Which waiting order the price meets first, on its way and where it jumps (`broker`, 3 and 4)."""

import math

from engines.book import EXIT_KINDS, Book
from engines.orders import Order
from engines.trades import Side


def next_met(book: Book, price: float, target: float) -> tuple[Order, float, bool] | None:
    """Return the order that the way to `target` meets first, its price, and if from below."""
    high, low = (target, price) if target >= price else (price, target)
    if book.up > high and book.down < low:
        return None
    found = None
    nearest = (math.inf, 0, False)
    for order in book.resting:
        # A leg that comes to life with both its levels behind the price fills as a limit.
        is_buying = order.side is Side.BUY
        if order.down >= low:
            rank = (max(0.0, price - order.down), order.slot, not is_buying)
            if rank < nearest:
                nearest, found = rank, (order, min(order.down, price), False)
        if order.up <= high:
            rank = (max(0.0, order.up - price), order.slot, is_buying)
            if rank < nearest:
                nearest, found = rank, (order, max(order.up, price), True)
    return found


def first_passed(book: Book, price: float) -> Order | None:
    """Return the next order to fill among those whose level an open at `price` has passed."""
    passed = [o for o in book.resting if o.up <= price or o.down >= price]
    return min(passed, key=lambda o: _gap_rank(o, price)) if passed else None


def _gap_rank(order: Order, price: float) -> tuple[bool, float, int, int]:
    """Return the place of `order` among those that an open has passed (step 3)."""
    if order.kind in EXIT_KINDS:
        return (True, 0.0, 0, -order.slot)
    level = order.up if order.up <= price else order.down
    return (False, level, -order.side, order.slot)
