"""How its own levels end an entry of a stack, whatever the account.

Levels that stand still are searched for (`bracket_walk`), those that move are walked (`exit_walk`).

An entry's levels hang on its price and side alone, and so does where in its bar they are met. That
several entries of a stack may end in one bar asks for more than a chain does: how far along the way
of the bar each is met, and how low the price came until then, for the rows that it closes.
"""

import math

from engines.kernels._compiled import inlined, rule, shared
from engines.kernels.bracket_walk import first_met, stands_still, trigger_of
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    LONG,
    MODE_BITS,
    O_CLOSE,
    O_PRICE,
    ON_THE_WAY,
    SIDE_MASK,
    Opens,
)
from engines.kernels.columns import F64_2D
from engines.kernels.exit_walk import ARMED, PART, enter, find_exit, find_exit_after
from engines.kernels.money import due_price, slipped_price
from engines.kernels.passage.events import slip_at, stop_of, target_of
from engines.kernels.slots import (
    HAS_EXITS,
    HIGH,
    LOW,
    OPEN,
    PATH_HIGH,
    PATH_LOW,
    PRICE,
    PROFIT_ATR,
    PROFIT_RATIO,
    STOP_ATR,
    STOP_RATIO,
)
from engines.kernels.stacks.columns import END_ARMED, END_AT, END_LOW, END_PRICE, END_WAY
from engines.types import F64_1D


def _walk(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, entry: int, last: int,
    stop: float, target: float, atr: float, ends: F64_1D, first: int,
) -> None:  # fmt: skip # what it reads, then where the end goes
    bar, side = entry >> 1, entry & SIDE_MASK
    price, sign = opens.lines[bar * LINE + O_PRICE + side], 1.0 if side == LONG else -1.0
    if stands_still(run, target):
        _search(run, opens, prices, slip_ratio, entry, last, stop, target, atr, ends, first)
        return
    enter(run, price, sign, stop, target, atr, opens.lines[bar * LINE + O_CLOSE])
    if opens.lag == 0:
        bar, is_at_open, price, _ = find_exit(run, prices, opens.reach, slip_ratio, bar, last)
    else:
        bar, is_at_open, price, _ = find_exit_after(run, prices, opens.reach, slip_ratio, bar, last)
    mode, is_rising = AT_LEVEL, True
    if bar < opens.bars and not is_at_open:
        opened, part = prices[bar, OPEN], int(run[PART])
        is_high_first = prices[bar, HIGH] - opened < opened - prices[bar, LOW]
        mode, is_rising = ON_THE_WAY + part, is_high_first == (part != 1)
    ends[first + END_AT] = ((bar + opens.lag) << MODE_BITS) | mode
    ends[first + END_PRICE] = price
    ends[first + END_WAY] = run[PRICE] if is_rising else -run[PRICE]
    ends[first + END_LOW] = run[PATH_LOW] if sign > 0 else -run[PATH_HIGH]
    ends[first + END_ARMED] = run[ARMED]


walk = shared(_walk)


@inlined
def _search(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, entry: int, last: int,
    given_stop: float, given_target: float, atr: float, ends: F64_1D, first: int,
) -> None:  # fmt: skip # what it reads, then where the end goes
    """Write how a stop and a target that stand still end an entry, prices times the sign."""
    bar, side = entry >> 1, entry & SIDE_MASK
    close, base = opens.lines[bar * LINE + O_CLOSE], opens.lines[bar * LINE + O_PRICE + side]
    never = opens.bars + opens.lag
    ends[first + END_AT], ends[first + END_ARMED] = (never << MODE_BITS) | AT_LEVEL, math.inf
    is_given = given_stop == given_stop and given_stop != 0
    is_given |= given_target == given_target and given_target != 0
    if run[HAS_EXITS] == 0 and not is_given:
        return
    sign = 1.0 if side == LONG else -1.0
    stop = stop_of(run, given_stop, run[STOP_RATIO], run[STOP_ATR], atr, close, base, sign)
    target = target_of(run, given_target, run[PROFIT_RATIO], run[PROFIT_ATR], atr, base, sign)
    trigger, opened, mode = trigger_of(run, target, sign), sign * close, AT_LEVEL
    if opens.lag != 0 and (trigger <= opened or stop >= opened):
        bar -= 1  # whose close it has passed
    else:
        bar = first_met(opens, bar, last, side, stop, trigger)
        if bar > last:
            return
        opened = sign * prices[bar, OPEN]
        if stop < opened < trigger:
            mode = ON_THE_WAY
    met = lowest = opened
    is_limit, is_rising = trigger <= opened, True
    if mode == ON_THE_WAY:
        part, is_limit, lowest = _meet(prices, bar, sign, stop, trigger)
        met = trigger if is_limit else stop
        mode, is_rising = mode + part, is_limit == (side == LONG)
    slip_at(run, slip_ratio, max(0, bar - 1))
    price = due_price(run, sign * (max(target, lowest) if is_limit and mode != AT_LEVEL else met))
    ends[first + END_AT] = ((bar + opens.lag) << MODE_BITS) | mode
    ends[first + END_PRICE] = price if is_limit else slipped_price(run, price, -sign, 0.0)
    ends[first + END_WAY] = sign * met if is_rising else -sign * met
    ends[first + END_LOW] = lowest


@rule
def _meet(
    prices: F64_2D, bar: int, sign: float, stop: float, trigger: float
) -> tuple[int, bool, float]:
    """Return on which part of its way a bar meets a level between which it opened.

    Then whether that is the limit, and the lowest price until then; prices times the sign.
    """
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_up_first = (high - opened < opened - low) == (sign > 0)
    against, along = (low, high) if sign > 0 else (-high, -low)
    if trigger <= along and (is_up_first or stop < against):
        return (0, True, sign * opened) if is_up_first else (1, True, min(sign * opened, against))
    return (1 if is_up_first else 0), False, stop
