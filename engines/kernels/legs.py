"""The legs of an entry's bracket: their levels and what moves their stops (`brackets`, `orders`).

Theory. With one entry at a time every base price is the entry's own. A leg is a part of the run's
row; what its levels mean is told in `engines/brackets.py`. `sign` is 1 for a long position's legs,
-1 for a short one's.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.rounding import price_of, round_by, ticks_nearest, ticks_up
from engines.kernels.slots import (
    ARM_PRICE,
    AT_LIMIT,
    AT_STOP,
    ATR_SL,
    ATR_TP,
    BEST_PRICE,
    BRACKET_ORDER,
    BREAKEVEN_GAIN,
    BREAKEVEN_OFFSET,
    BREAKEVEN_SL,
    DOWN,
    ENTRY_KIND,
    ENTRY_PRICE,
    FIRST_LEG,
    HAS_EXITS,
    HAS_MOVES,
    IS_TRAILING,
    LEG,
    LEG_DOWN,
    LEG_LIMIT,
    LEG_LIVES,
    LEG_PLACE,
    LEG_STEPS,
    LEG_STOP,
    LEG_TRIGGER,
    LEG_UP,
    LEGS,
    NEXT_RATCHET,
    NO_TRAIL,
    ORDER_ATR,
    ORDER_CLOSE,
    ORDER_PROFIT,
    ORDER_SIDE,
    ORDER_STOP,
    ORDER_TRIGGER,
    PORTIONS,
    PROFIT_ATR,
    PROFIT_RATIO,
    PROFIT_REASON,
    RATCHET_STOPS,
    RATCHETED_STOP,
    RATCHETS,
    STEPS,
    STOP_ATR,
    STOP_LOSS,
    STOP_RATIO,
    STOP_REASON,
    TAKE_PROFIT,
    TARGET_RATIOS,
    TARGETS,
    TICK_SIZE,
    TRAIL_ACTIVATION,
    TRAIL_BY_TICKS,
    TRAIL_DISTANCE,
    TRAIL_RATIO,
    TRAIL_STOP,
    TRAIL_TICKS,
    TRAIL_UNIT,
    TRAILING_STOP,
    TRIGGERS,
    UP,
    VERIFY_TICKS,
)


@rule
def nearer(a: float, b: float, sign: float) -> float:
    """Return the higher (`sign` 1) or the lower (-1) level; a NaN is none."""
    return b if a != a or (b - a) * sign > 0 else a


@rule
def put_legs(run: Run) -> None:
    """Give the lot that has just opened its legs."""
    run[LEGS] = 0
    stop, profit = run[ORDER_STOP], run[ORDER_PROFIT]
    # As in the reference, a level of zero alone makes no bracket.
    is_given = (stop == stop and stop != 0) or (profit == profit and profit != 0)
    if run[HAS_EXITS] == 0 and not is_given:
        return
    is_split = profit != profit and run[TARGETS] > 0  # one target takes the place of several
    if not is_split:
        _put_leg(run, 0, abs(run[STEPS]), math.nan)
        return
    left = whole = abs(run[STEPS])
    for place in range(int(run[TARGETS])):
        steps = whole
        if place < int(run[TARGETS]) - 1:
            steps = max(1.0, float(math.floor(whole * run[PORTIONS + place] + 1e-9)))
        steps = min(steps, left)
        if steps > 0:
            _put_leg(run, place, steps, run[TARGET_RATIOS + place])
            left -= steps


@rule
def _put_leg(run: Run, place: int, steps: float, ratio: float) -> None:
    """Add a leg of `steps`; `ratio` is the distance of its own target, NaN: the plan's."""
    leg = FIRST_LEG + int(run[LEGS]) * LEG
    sign = 1.0 if run[STEPS] > 0 else -1.0
    run[LEG_LIVES + leg], run[LEG_STEPS + leg] = 1.0, steps
    run[LEG_PLACE + leg] = place if ratio == ratio else BRACKET_ORDER
    _set_stop(run, leg, sign)
    _set_target(run, leg, sign, ratio)
    run[HAS_MOVES + leg] = 0.0
    for slot in (ARM_PRICE, BEST_PRICE, TRAIL_STOP, RATCHETED_STOP):
        run[slot + leg] = math.nan
    run[RATCHETS + leg] = run[NEXT_RATCHET + leg] = 0
    if run[TRAIL_UNIT] != NO_TRAIL:
        _set_trail(run, leg, sign)
    if run[BREAKEVEN_GAIN] == run[BREAKEVEN_GAIN]:
        _set_ratchets(run, leg, sign, 1 if ratio != ratio else place, ratio == ratio)
    refresh_leg(run, leg, sign)
    run[LEGS] += 1


@rule
def _set_stop(run: Run, leg: int, sign: float) -> None:
    base, fixed = run[ENTRY_PRICE], run[STOP_RATIO]
    run[STOP_REASON + leg] = STOP_LOSS
    if run[ORDER_STOP] == run[ORDER_STOP]:
        run[LEG_STOP + leg] = round_by(run, run[ORDER_STOP], -sign)
        return
    stop = math.nan
    by_atr = run[STOP_ATR] * run[ORDER_ATR] / run[ORDER_CLOSE]
    if by_atr == by_atr:
        ticks = by_atr * run[ORDER_CLOSE] / run[TICK_SIZE]
        stop = round_by(run, base + -sign * ticks * run[TICK_SIZE], -sign)
        if fixed != fixed or by_atr < fixed:
            run[STOP_REASON + leg] = ATR_SL
    if fixed == fixed:
        rounded = round_by(run, base * (1 + -sign * fixed), -sign)
        if stop != stop or (rounded - stop) * -sign < 0:
            stop = rounded
    run[LEG_STOP + leg] = stop


@rule
def _set_target(run: Run, leg: int, sign: float, ratio: float) -> None:
    base, limit = run[ENTRY_PRICE], math.nan
    run[PROFIT_REASON + leg] = TAKE_PROFIT
    if run[ORDER_PROFIT] == run[ORDER_PROFIT]:
        limit = round_by(run, run[ORDER_PROFIT], sign)
    elif ratio == ratio:
        limit = round_by(run, base * (1 + sign * ratio), sign)
    elif run[PROFIT_RATIO] == run[PROFIT_RATIO]:
        limit = round_by(run, base * (1 + sign * run[PROFIT_RATIO]), sign)
    elif run[PROFIT_ATR] * run[ORDER_ATR] == run[PROFIT_ATR] * run[ORDER_ATR]:
        ticks = run[PROFIT_ATR] * run[ORDER_ATR] / run[TICK_SIZE]
        limit = round_by(run, base + sign * ticks * run[TICK_SIZE], sign)
        run[PROFIT_REASON + leg] = ATR_TP
    run[LEG_LIMIT + leg] = run[LEG_TRIGGER + leg] = limit
    if run[VERIFY_TICKS] != 0 and limit == limit:
        ticks = ticks_nearest(run, limit) + sign * run[VERIFY_TICKS]
        run[LEG_TRIGGER + leg] = price_of(run, ticks)


@rule
def _set_trail(run: Run, leg: int, sign: float) -> None:
    base, unit = run[ENTRY_PRICE], run[TRAIL_UNIT]
    gain, distance = run[TRAIL_ACTIVATION], run[TRAIL_DISTANCE]
    run[HAS_MOVES + leg] = 1.0
    if unit == TRAIL_RATIO:
        arm = base * (1 + sign * gain)
        ticks = ticks_up(run, base * distance)
    elif unit == TRAIL_BY_TICKS:
        arm = base + sign * gain * run[TICK_SIZE]
        ticks = float(math.floor(distance))
    else:
        arm = base + sign * gain
        ticks = ticks_up(run, distance)
    run[ARM_PRICE + leg] = round_by(run, arm, sign)
    run[TRAIL_TICKS + leg] = ticks


@rule
def _set_ratchets(run: Run, leg: int, sign: float, count: int, is_target: bool) -> None:
    """Set the breakeven of a single bracket, or the steps of the targets before this one."""
    if count == 0:
        return
    base = run[ENTRY_PRICE]
    run[HAS_MOVES + leg] = 1.0
    run[RATCHETS + leg] = count
    for step in range(count):
        gain = run[TARGET_RATIOS + step] if is_target else run[BREAKEVEN_GAIN]
        stop = run[BREAKEVEN_OFFSET] if step == 0 else run[TARGET_RATIOS + step - 1]
        run[TRIGGERS + leg + step] = round_by(run, base * (1 + sign * gain), sign)
        run[RATCHET_STOPS + leg + step] = round_by(run, base * (1 + sign * stop), -sign)


@rule
def stops_at(run: Run, leg: int, stop: float, sign: float) -> float:
    """Return the nearest of `stop`, the ratcheted and the trailing stop."""
    return nearer(nearer(stop, run[RATCHETED_STOP + leg], sign), run[TRAIL_STOP + leg], sign)


@rule
def is_trailing(run: Run, leg: int) -> bool:
    """Return whether the stop of a leg follows the price now."""
    return run[BEST_PRICE + leg] == run[BEST_PRICE + leg]


@rule
def refresh_leg(run: Run, leg: int, sign: float) -> None:
    """Set the levels at which something happens to a leg."""
    limit, stop = run[LEG_TRIGGER + leg], run[LEG_STOP + leg]
    if run[HAS_MOVES + leg] != 0:
        if run[NEXT_RATCHET + leg] < run[RATCHETS + leg]:
            limit = nearer(limit, run[TRIGGERS + leg + int(run[NEXT_RATCHET + leg])], -sign)
        if not is_trailing(run, leg):
            limit = nearer(limit, run[ARM_PRICE + leg], -sign)
        stop = stops_at(run, leg, stop, sign)
    if sign > 0:
        run[LEG_UP + leg] = limit if limit == limit else math.inf
        run[LEG_DOWN + leg] = stop if stop == stop else -math.inf
    else:
        run[LEG_UP + leg] = stop if stop == stop else math.inf
        run[LEG_DOWN + leg] = limit if limit == limit else -math.inf


@rule
def order_up(run: Run) -> float:
    """Return the level above at which the entry that waits fills, infinite without one."""
    side = run[ORDER_SIDE]
    if (run[ENTRY_KIND] == AT_LIMIT and side < 0) or (run[ENTRY_KIND] == AT_STOP and side > 0):
        return run[ORDER_TRIGGER]
    return math.inf


@rule
def order_down(run: Run) -> float:
    """Return the level below at which the entry that waits fills, infinite without one."""
    side = run[ORDER_SIDE]
    if (run[ENTRY_KIND] == AT_LIMIT and side > 0) or (run[ENTRY_KIND] == AT_STOP and side < 0):
        return run[ORDER_TRIGGER]
    return -math.inf


@rule
def refresh_book(run: Run) -> None:
    """Set the nearest levels over all legs that live and the entry that waits."""
    up, down, trails = order_up(run), order_down(run), 0.0
    for place in range(int(run[LEGS])):
        leg = FIRST_LEG + place * LEG
        if run[LEG_LIVES + leg] != 0:
            up, down = min(up, run[LEG_UP + leg]), max(down, run[LEG_DOWN + leg])
            if is_trailing(run, leg):
                trails = 1.0
    run[UP], run[DOWN], run[IS_TRAILING] = up, down, trails


@rule
def ratchet_on(run: Run, leg: int, price: float, sign: float) -> bool:
    """Move the stop by every ratchet whose trigger `price` meets; return if there was one."""
    is_moved = False
    while run[NEXT_RATCHET + leg] < run[RATCHETS + leg]:
        step = int(run[NEXT_RATCHET + leg])
        if not (price - run[TRIGGERS + leg + step]) * sign >= 0:
            break
        stop = run[RATCHET_STOPS + leg + step]
        if not (run[RATCHETED_STOP + leg] - stop) * sign >= 0:
            run[RATCHETED_STOP + leg] = stop
        run[NEXT_RATCHET + leg] += 1
        is_moved = True
    if is_moved:
        refresh_leg(run, leg, sign)
    return is_moved


@rule
def arm_on(run: Run, leg: int, price: float, sign: float) -> None:
    """Arm a trailing part if `price` is at its arming level, or move its stop along."""
    if not is_trailing(run, leg):
        if (price - run[ARM_PRICE + leg]) * sign < 0:
            return
    elif (price - run[BEST_PRICE + leg]) * sign <= 0:
        return
    run[BEST_PRICE + leg] = price
    ticks = ticks_nearest(run, price) - sign * run[TRAIL_TICKS + leg]
    run[TRAIL_STOP + leg] = price_of(run, ticks)
    refresh_leg(run, leg, sign)


@rule
def arms_first(run: Run, leg: int, sign: float) -> bool:
    """Return whether the trailing part of a leg is armed before its limit is met."""
    arm, limit = run[ARM_PRICE + leg], run[LEG_LIMIT + leg]
    if is_trailing(run, leg) or arm != arm:
        return False
    return limit != limit or (limit - arm) * sign >= 0


@rule
def stop_reason(run: Run, leg: int, sign: float) -> float:
    """Return which stop of a leg the price has met."""
    stop, moved = run[LEG_STOP + leg], run[RATCHETED_STOP + leg]
    if run[HAS_MOVES + leg] == 0 or stop == stops_at(run, leg, stop, sign):
        return run[STOP_REASON + leg]
    if moved == stops_at(run, leg, moved, sign):
        return BREAKEVEN_SL
    return TRAILING_STOP
