"""The way of one leg of a stack through a bar, its prices multiplied by the side of the position.

Theory. The rules are those of `exit_walk` and `machine.legs`: a limit and what arms or locks lie
above, the stop below, for both sides alike. But a leg here is LEG_SIZE numbers, of which there are
as many as entries, and it may begin and stop anywhere on the way of a bar: at the open, or at a
price on a part of it.

What an entry fixes are levels that its strategy gives and how far its own lie by the ATR. The rest
is set anew where the base moves (`legs`), but what a stop that follows the price has reached, and
what was locked.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import F64_2D, Run
from engines.kernels.exit_walk import PART, STAYS
from engines.kernels.money import due_price, slipped_price
from engines.kernels.rounding import price_of, ticks_nearest
from engines.kernels.slots import CLOSE, HIGH, LOW, OPEN, PATH_LOW, PRICE, TICK_SIZE
from engines.types import F64_1D

# A leg: a stop and a target that the strategy gives, NaN if it does not, and how far the plan's lie
# by the ATR of its entry, infinitely if they do not.
GIVEN_STOP, GIVEN_TARGET, ATR_STOP, ATR_TARGET = range(4)
# Since the last opening: the stop, the limit and where it is met, what arms a stop that follows the
# price and by how many ticks it does, what locks a stop and where that lies.
STOP, TARGET, TRIGGER, ARM, TICKS, GATE, LOCK = range(4, 11)
# The best price and the stop of one that follows, infinitely low if none does, and the locked stop.
BEST, TRAIL, LOCKED = range(11, 14)
# Where a rising and a falling price meet the leg.
UP, DOWN = range(14, 16)
LEG_SIZE = DOWN + 1

BY_OPEN, WHOLE = -1, 3  # parts of a way: the open, and behind the last


@rule
def refresh(legs: F64_1D, leg: int) -> None:
    """Set where the price meets a leg."""
    up = min(legs[leg + TRIGGER], legs[leg + GATE])
    if legs[leg + BEST] == -math.inf:
        up = min(up, legs[leg + ARM])
    legs[leg + UP] = up
    legs[leg + DOWN] = max(legs[leg + STOP], legs[leg + LOCKED], legs[leg + TRAIL])


@rule
def watched_above(legs: F64_1D, leg: int) -> float:
    """Return the price up to which nothing happens to a leg."""
    up, best = legs[leg + UP], legs[leg + BEST]
    return float(up if best == -math.inf else min(up, best))


@rule
def pass_way(
    run: Run, legs: F64_1D, leg: int, prices: F64_2D, bar: int, side: float, last: int, at: float
) -> float:
    """Let a leg go the way of a bar; return at what price it ends its entry, STAYS if it does not.

    It goes from PRICE on a PART of the way to the price `at` on its `last` part, or to the close.
    """
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    first = int(run[PART])
    if first == BY_OPEN:
        filled = stand_at(run, legs, leg, side * opened, side)
        if filled == filled:
            return filled
        against, along = (low, high) if side > 0 else (-high, -low)
        if last == WHOLE and _follows(run, legs, leg, against, along, side):
            return STAYS
    is_high_first = high - opened < opened - low
    for part in range(max(0, first), min(last, WHOLE - 1) + 1):
        to = high if (part == 0) == is_high_first else low
        if part == WHOLE - 1:
            to = prices[bar, CLOSE]
        run[PART] = part
        filled = _travel(run, legs, leg, at if part == last else side * to, side)
        if filled == filled:
            return filled
    return STAYS


@rule
def stand_at(run: Run, legs: F64_1D, leg: int, price: float, side: float) -> float:
    """Stand at an open, or at a close where levels were set; return as `pass_way` does."""
    run[PRICE] = run[PATH_LOW] = price
    _go_along(run, legs, leg, price, side)
    while not legs[leg + DOWN] < price < legs[leg + UP]:
        filled = _touch(run, legs, leg, price, legs[leg + UP] <= price, side, True)
        if filled == filled:
            return filled
    return STAYS


@rule
def _follows(
    run: Run, legs: F64_1D, leg: int, against: float, along: float, side: float
) -> bool:  # fmt: skip # one list
    """Let the stop follow a bar that does nothing else; return whether it is such a bar."""
    if along >= legs[leg + UP] or against <= legs[leg + DOWN]:
        return False
    if legs[leg + BEST] > -math.inf:
        # As in `exit_walk`, one tick more than the range outweighs rounding.
        if legs[leg + TICKS] <= (along - against) / run[TICK_SIZE] + 1:
            return False
        _go_along(run, legs, leg, along, side)
    return True


@rule
def _travel(run: Run, legs: F64_1D, leg: int, to: float, side: float) -> float:
    """Move the price to `to`; return at what price the leg ends its entry on the way."""
    while True:
        price, up, down = run[PRICE], legs[leg + UP], legs[leg + DOWN]
        below = max(0.0, price - down) if down >= min(to, price) else math.inf
        above = max(0.0, up - price) if up <= max(to, price) else math.inf
        if min(above, below) == math.inf:
            _advance(run, legs, leg, to, side)
            return STAYS
        rises = above <= below
        level = max(up, price) if rises else min(down, price)
        _advance(run, legs, leg, level, side)
        filled = _touch(run, legs, leg, level, rises, side, False)
        if filled == filled:
            return filled


@rule
def _advance(run: Run, legs: F64_1D, leg: int, price: float, side: float) -> None:
    """Record that the price has come to `price`."""
    run[PRICE], run[PATH_LOW] = price, min(run[PATH_LOW], price)
    _go_along(run, legs, leg, price, side)


@rule
def _go_along(run: Run, legs: F64_1D, leg: int, price: float, side: float) -> None:
    """Let a stop that follows the price go along."""
    if legs[leg + BEST] > -math.inf and price > legs[leg + BEST]:
        _trail(run, legs, leg, price, side)


@rule
def _trail(run: Run, legs: F64_1D, leg: int, price: float, side: float) -> None:
    """Let the stop follow from a price on."""
    ticks = ticks_nearest(run, side * price) - side * legs[leg + TICKS]
    legs[leg + BEST], legs[leg + TRAIL] = price, side * price_of(run, ticks)
    refresh(legs, leg)


@rule
def _touch(
    run: Run, legs: F64_1D, leg: int, price: float, rises: bool, side: float, is_passed: bool
) -> float:
    """Let `price` act on a leg; return at what price it fills, STAYS if only its stop moves."""
    if not rises:
        return _stopped(run, price, side)
    if price >= legs[leg + GATE]:
        legs[leg + GATE], legs[leg + LOCKED] = math.inf, max(legs[leg + LOCKED], legs[leg + LOCK])
        refresh(legs, leg)
        return STAYS
    if legs[leg + BEST] == -math.inf and legs[leg + ARM] <= min(price, legs[leg + TARGET]):
        _trail(run, legs, leg, price, side)
        return _stopped(run, price, side) if legs[leg + TICKS] == 0 else STAYS
    if is_passed or price > legs[leg + TRIGGER]:
        return due_price(run, side * price)
    return due_price(run, side * max(legs[leg + TARGET], run[PATH_LOW]))


@rule
def _stopped(run: Run, price: float, side: float) -> float:
    """Return what a stop fills at that is met at a price."""
    return slipped_price(run, due_price(run, side * price), -side, 0.0)
