"""How a position of one leg ends by its own levels, whatever the account: one walk over the bars.

Theory. Where a plan allows one entry at a time and one leg closes it whole, the levels of the leg
hang on the price and the side of its entry alone, and so does all that moves them: a trailing part,
a breakeven, a target. So the walk needs no money. The leg is that of `legs`, with its own rules,
and it meets the prices of each bar as the one leg of a book does in `path`: what the open has
passed fills there, then the price goes to the extreme nearer to the open, to the other one and to
the close. Only wishes end the position otherwise, at an open before all that the walk finds there.

Bars that reach neither a level nor the best price of a trailing part are stepped over by blocks
(`search`), and one that only moves the stop is not walked: on whichever way the price goes from the
low to the high, a stop that follows it is never nearer to the better end than its distance, give or
take the rounding to a tick.

How far the price went against a position counts its bars before the last, and of that one the way
to the exit; the open of the entry's own bar does not count (`results.excursions`).
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import F64_2D, Run
from engines.kernels.machine.book import is_trailing
from engines.kernels.machine.legs import arm_on, arms_first, put_legs, ratchet_on
from engines.kernels.money import due_price, slipped_price
from engines.kernels.passage.events import slip_at
from engines.kernels.search import extremes, first_touch
from engines.kernels.slots import (
    BEST_PRICE,
    CLOSE,
    HAS_MOVES,
    HIGH,
    LEG,
    LEG_LIMIT,
    LEG_TRIGGER,
    LOT,
    LOT_HIGH,
    LOT_LEGS,
    LOT_LOW,
    LOT_PRICE,
    LOT_STEPS,
    LOT_WORDS,
    LOW,
    OPEN,
    ORDER_DOWN,
    ORDER_UP,
    PATH_HIGH,
    PATH_LOW,
    PRICE,
    RUN,
    SAID_ATR,
    SAID_CLOSE,
    SAID_LATE,
    SAID_PROFIT,
    SAID_STOP,
    STEPS,
    TICK_SIZE,
    TRAIL_TICKS,
)
from engines.types import F64_1D

THE_LOT = RUN
THE_LEG = THE_LOT + LOT
PART = THE_LEG + LEG  # of the way of the bar that the walk is on, 0 to 2
ARMED = PART + 1  # the bar in which the stop began to follow, if that did not end the position
WALK = ARMED + 1  # places of the row that a walk needs
STAYS = math.nan  # the price of a fill where a level was met that only moves the stop


@rule
def enter(
    run: Run, price: float, sign: float, stop: float, target: float, atr: float = math.nan,
    close: float = 1.0,
) -> None:  # fmt: skip # what is held, then what its levels are made of
    """Hold a position of this side, entered at `price`, with the leg of the run's plan.

    `stop` and `target` take the place of the plan's, NaN leaves that to it; `atr` is known where
    the plan sets levels by it, at the deciding `close`.
    """
    run[STEPS] = sign
    run[THE_LOT + LOT_PRICE], run[THE_LOT + LOT_STEPS] = price, 1.0
    words = THE_LOT + LOT_WORDS
    run[words + SAID_STOP], run[words + SAID_PROFIT] = stop, target
    run[words + SAID_ATR] = atr
    run[words + SAID_CLOSE], run[words + SAID_LATE] = close, 0.0
    run[ARMED] = math.inf
    put_legs(run, THE_LOT)


@rule
def find_exit(
    run: Run, prices: F64_2D, reach: F64_2D, slip_ratio: F64_1D, first: int, last: int
) -> tuple[int, bool, float, float]:
    """Return how a level ends the position entered at the open of bar `first`, up to bar `last`.

    Returns: the bar, the number of bars if no level is met until `last`; whether its open had
    passed the level; the price of the exit; the lowest price on the way times the sign of the side.
    """
    return find_exit_from(run, prices, reach, slip_ratio, first, last, True)


@rule
def find_exit_from(
    run: Run, prices: F64_2D, reach: F64_2D, slip_ratio: F64_1D, first: int, last: int,
    is_entered: bool,
) -> tuple[int, bool, float, float]:  # fmt: skip # what it reads, then where it begins
    """Return how a level ends the position from the open of bar `first` on, as `find_exit` does.

    `is_entered` tells whether the position is entered there, not earlier.
    """
    count, bar, sign = len(prices), first, run[STEPS]
    while run[THE_LOT + LOT_LEGS] > 0:
        if bar > first or not is_entered:
            down, up = _watched(run, sign)
            bar = first_touch(reach, count, bar, last + 1, down, up)
        if bar > last:
            break
        slip_at(run, slip_ratio, bar - 1)
        price = _open(run, prices[bar, OPEN], sign, is_entered and bar == first)
        is_at_open = price == price
        if not is_at_open and not _follows(run, prices[bar, HIGH], prices[bar, LOW], sign):
            price = walk_way(run, prices, bar, sign, 0)
        if price == price:
            return bar, is_at_open, price, _lowest(run, reach, count, first, bar, sign)
        if is_trailing(run, THE_LEG):
            run[ARMED] = min(run[ARMED], bar)
        bar += 1
    return count, False, 1.0, 0.0


@rule
def find_exit_after(
    run: Run, prices: F64_2D, reach: F64_2D, slip_ratio: F64_1D, first: int, last: int
) -> tuple[int, bool, float, float]:
    """Return how a level ends the position entered at the close before bar `first`.

    That close may have passed one already; then it ends there. Returns: as `find_exit`.
    """
    if run[THE_LOT + LOT_LEGS] > 0:
        bar, sign = first - 1, run[STEPS]
        slip_at(run, slip_ratio, max(0, bar - 1))
        price = _open(run, prices[bar, CLOSE], sign, True)
        if price == price:
            return bar, True, price, math.inf
    return find_exit_from(run, prices, reach, slip_ratio, first, last, False)


@rule
def _watched(run: Run, sign: float) -> tuple[float, float]:
    """Return the prices down and up to which nothing happens to the leg."""
    down, up = run[THE_LEG + ORDER_DOWN], run[THE_LEG + ORDER_UP]
    if is_trailing(run, THE_LEG):
        best = run[THE_LEG + BEST_PRICE]
        if sign > 0:
            up = min(up, best)
        else:
            down = max(down, best)
    return down, up


@rule
def _open(run: Run, price: float, sign: float, is_first: bool) -> float:
    """Stand at the open of a bar; return what the leg fills at there, STAYS if it does not."""
    run[PRICE] = run[PATH_HIGH] = run[PATH_LOW] = price
    run[THE_LOT + LOT_HIGH] = run[THE_LOT + LOT_LOW] = run[THE_LOT + LOT_PRICE]
    if not is_first:
        run[THE_LOT + LOT_HIGH] = run[THE_LOT + LOT_LOW] = price
        _advance(run, price, sign)
    while not run[THE_LEG + ORDER_UP] > price > run[THE_LEG + ORDER_DOWN]:
        is_up = run[THE_LEG + ORDER_UP] <= price
        rises = is_up if sign > 0 else run[THE_LEG + ORDER_DOWN] < price
        filled = _touch(run, price, rises, sign, True)
        if filled == filled:
            return filled
    return STAYS


@rule
def _follows(run: Run, high: float, low: float, sign: float) -> bool:
    """Let the stop follow a bar that does nothing else; return whether it is such a bar."""
    if high >= run[THE_LEG + ORDER_UP] or low <= run[THE_LEG + ORDER_DOWN]:
        return False
    if is_trailing(run, THE_LEG):
        # One tick more than the range outweighs the rounding of the stop and of this quotient.
        if run[THE_LEG + TRAIL_TICKS] <= (high - low) / run[TICK_SIZE] + 1:
            return False
        arm_on(run, THE_LEG, high if sign > 0 else low, sign)
    return True


@rule
def walk_way(run: Run, prices: F64_2D, bar: int, sign: float, part: int) -> float:
    """Go the way of a bar from a part of it on; return what the leg fills at, STAYS: it does not.

    The price stands somewhere on that part.
    """
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_high_first = high - opened < opened - low
    for point in range(part, 3):
        target = high if (point == 0) == is_high_first else low
        if point == 2:
            target = prices[bar, CLOSE]
        run[PART] = point
        filled = _travel(run, target, sign)
        if filled == filled:
            return filled
    return STAYS


@rule
def _travel(run: Run, target: float, sign: float) -> float:
    """Move the price to `target`; return what the leg fills at on the way, STAYS: it does not."""
    while True:
        price = run[PRICE]
        up, down = run[THE_LEG + ORDER_UP], run[THE_LEG + ORDER_DOWN]
        below = max(0.0, price - down) if down >= min(target, price) else math.inf
        above = max(0.0, up - price) if up <= max(target, price) else math.inf
        if min(above, below) == math.inf:
            _advance(run, target, sign)
            return STAYS
        rises = above < below or (above == below and sign > 0)
        level = max(up, price) if rises else min(down, price)
        _advance(run, level, sign)
        filled = _touch(run, level, rises, sign, False)
        if filled == filled:
            return filled


@rule
def _advance(run: Run, price: float, sign: float) -> None:
    """Record that the price has come to `price`; the stop follows."""
    run[PRICE] = price
    run[PATH_HIGH], run[PATH_LOW] = max(run[PATH_HIGH], price), min(run[PATH_LOW], price)
    run[THE_LOT + LOT_HIGH] = max(run[THE_LOT + LOT_HIGH], price)
    run[THE_LOT + LOT_LOW] = min(run[THE_LOT + LOT_LOW], price)
    if is_trailing(run, THE_LEG):
        arm_on(run, THE_LEG, price, sign)


@rule
def _touch(run: Run, price: float, rises: bool, sign: float, is_passed: bool) -> float:
    """Let `price` act on the leg; return what it fills at, STAYS if only its stop moves."""
    if rises != (sign > 0):
        return slipped_price(run, due_price(run, price), -sign, 0.0)
    if run[THE_LEG + HAS_MOVES] != 0:
        if ratchet_on(run, THE_LEG, price, sign):
            return STAYS
        if arms_first(run, THE_LEG, sign):
            arm_on(run, THE_LEG, price, sign)
            if run[THE_LEG + TRAIL_TICKS] == 0:
                return slipped_price(run, due_price(run, price), -sign, 0.0)
            return STAYS
    return due_price(run, price if is_passed else _limit_price(run, sign))


@rule
def _limit_price(run: Run, sign: float) -> float:
    """Return what the limit fills at: its own price, or the better one the market offered."""
    if (run[THE_LEG + LEG_TRIGGER] - run[PRICE]) * -sign > 0:
        return run[PRICE]
    limit = run[THE_LEG + LEG_LIMIT]
    return max(limit, run[PATH_LOW]) if sign > 0 else min(limit, run[PATH_HIGH])


@rule
def _lowest(run: Run, reach: F64_2D, count: int, first: int, bar: int, sign: float) -> float:
    """Return the lowest price times `sign` from the entry on to the exit in `bar`."""
    high, low = extremes(reach, count, first, bar)
    high, low = max(high, run[THE_LOT + LOT_HIGH]), min(low, run[THE_LOT + LOT_LOW])
    return low if sign > 0 else -high
