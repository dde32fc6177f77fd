"""Closes of a position whose stop moves at limits alone: one search for each stage.

Theory. Where no stop follows the price and a limit fills where it is touched, as many limits have
filled as the price has come to. So the legs that are left have one stop: that of all, or the one
that the last limit has set. A *stage* lies between two limits and is no more than a stop and a
target that stand still (`bracket_walk`): blocks of bars are stepped over by their extremes, and of
the bar that comes to either the way is gone. It finds what the walk of `exits` finds, in less than
half of its time.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels.bracket_walk import skip
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    LONG,
    MODE_BITS,
    O_MONTH,
    ON_THE_WAY,
    SHORT,
    Opens,
)
from engines.kernels.columns import F64_2D
from engines.kernels.money import due_price, slipped_price
from engines.kernels.parts.columns import (
    C_MONTH,
    C_PRICE,
    C_QUIET,
    C_WORST,
    CLOSE,
    CODE_BITS,
    PartExits,
)
from engines.kernels.parts.levels import (
    BAR_LOW,
    FIRST,
    HELD_TO,
    LIMITS,
    LOCKS,
    MET_AT,
    SIGN,
    STOP,
)
from engines.kernels.passage.events import slip_at
from engines.kernels.slots import CLOSE as CLOSE_PRICE
from engines.kernels.slots import HIGH, LOW, NO_TRAIL, OPEN, TRAIL_UNIT, VERIFY_TICKS
from engines.types import F64_1D


@rule
def has_stages(run: F64_1D) -> bool:
    """Return whether the stop of a plan moves at limits alone, and these fill where touched."""
    return bool(run[TRAIL_UNIT] == NO_TRAIL and run[VERIFY_TICKS] == 0)


@rule
def walk_stages(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, line: int, last: int,
    exits: PartExits,
) -> tuple[int, int]:  # fmt: skip # what it reads, then where it writes
    """List the closes of an entry at a line in bars up to `last`.

    `run` holds its levels, its price as the lowest one, and the place of its first close.
    Returns: how many, and the bar of the last one, the number of bars if something is left.
    """
    side, done = LONG if run[SIGN] > 0 else SHORT, 0
    full, bar = math.inf, line - opens.lag
    if opens.lag != 0:
        done = _enter_at_close(run, opens, exits, prices, slip_ratio, bar)
    elif bar <= last:
        done = _pass_bar(run, opens, exits, prices, slip_ratio, bar, 0, math.inf, math.inf)
        full = _against(prices, bar, side)
    return _go_on(run, opens, prices, slip_ratio, bar, last, done, full, exits)


@rule
def walk_stages_from(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, bar: int, part: int, at: float,
    rest: float, last: int, exits: PartExits,
) -> tuple[int, int]:  # fmt: skip # where it begins, then where it writes
    """List the closes of an entry at the signed price `at`, on a part of a bar's way.

    `rest` is the lowest signed price of the rest of that way. Returns: as `walk_stages`.
    """
    done = _pass_rest(run, opens, exits, prices, slip_ratio, bar, part, at)
    return _go_on(run, opens, prices, slip_ratio, bar, last, done, rest, exits)


@rule
def _go_on(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, bar: int, last: int, done: int,
    full: float, exits: PartExits,
) -> tuple[int, int]:  # fmt: skip # where it stands, then where it writes
    """Go from stage to stage behind a bar, at the end of which `done` legs had closed.

    `full` is the lowest signed price until then.
    """
    side, held = LONG if run[SIGN] > 0 else SHORT, int(run[HELD_TO])
    while done < held:
        stop = _stop(run, done)
        bar, quiet = skip(opens, prices, bar + 1, last, side, stop, run[LIMITS + done])
        if bar > last:
            return done, opens.bars
        run[BAR_LOW], full = run[SIGN] * prices[bar, OPEN], min(full, quiet)
        done = _pass_bar(run, opens, exits, prices, slip_ratio, bar, done, full, quiet)
        full = min(full, _against(prices, bar, side))
    return done, bar


@inlined
def _against(prices: F64_2D, bar: int, side: int) -> float:
    """Return the lowest signed price of a bar."""
    return float(prices[bar, LOW] if side == LONG else -prices[bar, HIGH])


@inlined
def _stop(run: F64_1D, done: int) -> float:
    """Return the stop of what is held where so many limits have filled."""
    return float(max(run[STOP], run[LOCKS + done - 1]) if done > 0 else run[STOP])


@rule
def _enter_at_close(
    run: F64_1D, opens: Opens, exits: PartExits, prices: F64_2D, slip_ratio: F64_1D, bar: int
) -> int:
    """Fill what the close of a bar, at which the position begins, has passed; return how many."""
    price = run[SIGN] * prices[bar, CLOSE_PRICE]
    if run[LIMITS] > price and run[STOP] < price:
        return 0
    slip_at(run, slip_ratio, max(0, bar - 1))
    return _settle(run, opens, exits, bar, 0, price, AT_LEVEL, run[BAR_LOW], math.inf)


@rule
def _pass_bar(
    run: F64_1D, opens: Opens, exits: PartExits, prices: F64_2D, slip_ratio: F64_1D, bar: int,
    done: int, full: float, quiet: float,
) -> int:  # fmt: skip # where the position stands, then the lowest prices before the bar
    """Go the way of a bar: its open, the extreme nearer to it, the other one, the close.

    Returns: how many legs have closed, `done` of them before.
    """
    sign, held, low = run[SIGN], int(run[HELD_TO]), run[BAR_LOW]
    opened, high, low_price = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_up_first = (high - opened < opened - low_price) == (sign > 0)
    up, down = max(sign * high, sign * low_price), min(sign * high, sign * low_price)
    opened *= sign
    slip_at(run, slip_ratio, bar - 1)
    if run[LIMITS + done] <= opened or _stop(run, done) >= opened:
        done = _settle(run, opens, exits, bar, done, opened, AT_LEVEL, min(full, low), quiet)
    stop = _stop(run, done)
    if not is_up_first:
        if done < held and stop >= down:
            worst = min(full, low, stop)
            return _settle(run, opens, exits, bar, done, stop, ON_THE_WAY, worst, quiet)
        low = min(low, down)
    while done < held and run[LIMITS + done] <= up:
        price, mode = run[LIMITS + done], ON_THE_WAY + (0 if is_up_first else 1)
        done = _settle(run, opens, exits, bar, done, price, mode, min(full, low), quiet)
    stop, down = _stop(run, done), down if is_up_first else sign * prices[bar, CLOSE_PRICE]
    if done < held and stop >= down:
        worst = min(full, low, stop)
        mode = ON_THE_WAY + (1 if is_up_first else 2)
        return _settle(run, opens, exits, bar, done, stop, mode, worst, quiet)
    return done


@rule
def _pass_rest(
    run: F64_1D, opens: Opens, exits: PartExits, prices: F64_2D, slip_ratio: F64_1D, bar: int,
    part: int, at: float,
) -> int:  # fmt: skip # what it reads, then where the position begins
    """Go what is left of the way of the bar in which the position begins; return as `_pass_bar`."""
    sign, held, low, done = run[SIGN], int(run[HELD_TO]), run[BAR_LOW], 0
    opened, high, low_price = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_high_first = high - opened < opened - low_price
    slip_at(run, slip_ratio, bar - 1)
    if run[LIMITS] <= at or run[STOP] >= at:
        low = min(low, at)
        done = _settle(run, opens, exits, bar, 0, at, ON_THE_WAY + part, low, math.inf)
    for point in range(part, 3):
        to, mode = high if (point == 0) == is_high_first else low_price, ON_THE_WAY + point
        to = sign * (prices[bar, CLOSE_PRICE] if point == 2 else to)
        while done < held and run[LIMITS + done] <= to:
            done = _settle(run, opens, exits, bar, done, run[LIMITS + done], mode, low, math.inf)
        stop = _stop(run, done)
        if done < held and stop >= to:
            done = _settle(run, opens, exits, bar, done, stop, mode, min(low, stop), math.inf)
        low = min(low, to)
    return done


@rule
def _settle(
    run: F64_1D, opens: Opens, exits: PartExits, bar: int, done: int, price: float,
    mode: int, worst: float, quiet: float,
) -> int:  # fmt: skip # where it writes, then what
    """Let `price` close what it has come to, of which `done` legs had been closed; return how many.

    At an open the last leg acts first, on the way of a bar the first one, as they lie in the book.
    """
    sign, held, met, line = run[SIGN], int(run[HELD_TO]), done, bar + opens.lag
    while met < held and run[LIMITS + met] <= price:
        met += 1
    out = held if _stop(run, met) >= price else met
    due = due_price(run, sign * price)
    stopped = slipped_price(run, due, -sign, 0.0) if out > met else due
    for turn in range(done, out):
        leg, place = done + out - 1 - turn if mode == AT_LEVEL else turn, int(run[FIRST]) + turn
        exits.codes[place] = np.int32((line << CODE_BITS) | (leg << MODE_BITS) | mode)
        row, run[MET_AT + turn] = place * CLOSE, price
        exits.closes[row + C_PRICE] = stopped if leg >= met else due
        exits.closes[row + C_WORST], exits.closes[row + C_QUIET] = worst, quiet
        exits.closes[row + C_MONTH] = opens.lines[line * LINE + O_MONTH]
    return out
