"""The orders that rest: their queue, and the nearest levels over all of them (`engines/book.py`).

Theory. The book is a list of addresses in the order in which the orders came to rest, so the first
of several at one price is the one with the lowest slot. An order that has filled or was withdrawn
lives no longer; `refresh_book` lets the dead go and finds the nearest levels in the same pass, so
whoever changes an order calls it before the path goes on. TRAIL_UP and TRAIL_DOWN are the best
prices of trailing legs: a bar that stays between them and the nearest levels changes nothing.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.slots import (
    AT_LIMIT,
    BEST_PRICE,
    BOOK,
    BOOK_AT,
    DOWN,
    IS_LEG,
    IS_TRAILING,
    KIND_OF_ENTRY,
    LIVES,
    ORDER_DOWN,
    ORDER_UP,
    SIDE,
    STEPS,
    TRAIL_DOWN,
    TRAIL_UP,
    TRIGGER,
    UP,
)


@rule
def order_at(run: Run, place: int) -> int:
    """Return where the order lies that came to rest as number `place` of those in the book."""
    return int(run[int(run[BOOK_AT]) + place])


@rule
def rest(run: Run, order: int) -> None:
    """Let an order rest behind all that rest already."""
    run[int(run[BOOK_AT]) + int(run[BOOK])] = order
    run[BOOK] += 1
    run[UP] = min(run[UP], run[ORDER_UP + order])
    run[DOWN] = max(run[DOWN], run[ORDER_DOWN + order])


@rule
def refresh_book(run: Run) -> None:
    """Let the dead go and find the nearest levels over those that live."""
    up, down, trails, kept = math.inf, -math.inf, 0.0, 0
    run[TRAIL_UP], run[TRAIL_DOWN] = math.inf, -math.inf
    at = int(run[BOOK_AT])
    for place in range(int(run[BOOK])):
        order = int(run[at + place])
        if run[LIVES + order] == 0:
            continue
        run[at + kept] = order
        kept += 1
        up, down = min(up, run[ORDER_UP + order]), max(down, run[ORDER_DOWN + order])
        if run[IS_LEG + order] != 0 and is_trailing(run, order):
            trails = 1.0
            if run[STEPS] > 0:
                run[TRAIL_UP] = min(run[TRAIL_UP], run[BEST_PRICE + order])
            else:
                run[TRAIL_DOWN] = max(run[TRAIL_DOWN], run[BEST_PRICE + order])
    run[UP], run[DOWN], run[IS_TRAILING], run[BOOK] = up, down, trails, kept


@rule
def is_trailing(run: Run, leg: int) -> bool:
    """Return whether the stop of a leg follows the price now."""
    return run[BEST_PRICE + leg] == run[BEST_PRICE + leg]


@rule
def set_levels_of_entry(run: Run, order: int) -> None:
    """Set where the price meets a priced entry."""
    is_limit = run[KIND_OF_ENTRY + order] == AT_LIMIT
    waits_above = (run[SIDE + order] < 0) == is_limit
    run[ORDER_UP + order] = run[TRIGGER + order] if waits_above else math.inf
    run[ORDER_DOWN + order] = -math.inf if waits_above else run[TRIGGER + order]
