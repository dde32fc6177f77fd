"""The legs of an entry's bracket: their levels and what moves their stops (`brackets`, `orders`).

Theory. A leg lies behind the lot whose entry it closes, and reads the words that the entry's wish
said from there; what its levels mean is told in `engines/brackets.py`. They count from a base
price, which moves with every fill that opens where the plan's basis is not the entry's own price.
`sign` is 1 for a long position's legs, -1 for a short one's.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.machine.book import is_trailing, order_at
from engines.kernels.rounding import price_of, round_by, ticks_nearest, ticks_up
from engines.kernels.slots import (
    ARM_PRICE,
    ATR_SL,
    ATR_TP,
    BASIS,
    BEST_PRICE,
    BOOK,
    BRACKET_ORDER,
    BREAKEVEN_GAIN,
    BREAKEVEN_OFFSET,
    BREAKEVEN_SL,
    FROM_AVERAGE,
    FROM_ENTRY,
    HAS_EXITS,
    HAS_MOVES,
    IS_LEG,
    LATE_RATIO,
    LEG,
    LEG_LIMIT,
    LEG_LOT,
    LEG_PLACE,
    LEG_STEPS,
    LEG_STOP,
    LEG_TRIGGER,
    LIVES,
    LOT,
    LOT_LEGS,
    LOT_PRICE,
    LOT_STEPS,
    LOT_WORDS,
    NEXT_RATCHET,
    NO_TRAIL,
    ORDER_DOWN,
    ORDER_UP,
    PORTIONS,
    PRICE_AVG,
    PRICE_LAST,
    PROFIT_ATR,
    PROFIT_RATIO,
    PROFIT_REASON,
    RATCHET_STOPS,
    RATCHETED_STOP,
    RATCHETS,
    SAID_ATR,
    SAID_CLOSE,
    SAID_LATE,
    SAID_PROFIT,
    SAID_STOP,
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
    VERIFY_TICKS,
)


@rule
def nearer(a: float, b: float, sign: float) -> float:
    """Return the higher (`sign` 1) or the lower (-1) level; a NaN is none."""
    return b if a != a or (b - a) * sign > 0 else a


@rule
def side_of(run: Run) -> float:
    """Return 1 for a long position, -1 for a short one."""
    return 1.0 if run[STEPS] > 0 else -1.0


@rule
def put_legs(run: Run, lot: int) -> None:
    """Give the lot that has just opened its legs; they are not in the book yet."""
    run[LOT_LEGS + lot] = 0
    stop, profit = run[LOT_WORDS + lot + SAID_STOP], run[LOT_WORDS + lot + SAID_PROFIT]
    # As in the reference, a level of zero alone makes no bracket.
    is_given = (stop == stop and stop != 0) or (profit == profit and profit != 0)
    if run[HAS_EXITS] == 0 and not is_given:
        return
    left = whole = run[LOT_STEPS + lot]
    is_split = profit != profit and run[TARGETS] > 0  # one target takes the place of several
    if not is_split:
        _put_leg(run, lot, BRACKET_ORDER, whole)
        return
    for place in range(int(run[TARGETS])):
        steps = whole
        if place < int(run[TARGETS]) - 1:
            steps = max(1.0, float(math.floor(whole * run[PORTIONS + place] + 1e-9)))
        steps = min(steps, left)
        if steps > 0:
            _put_leg(run, lot, place, steps)
            left -= steps


@rule
def _put_leg(run: Run, lot: int, place: float, steps: float) -> None:
    """Add a leg of `steps`; `place` is that of its target among several, else BRACKET_ORDER."""
    leg = lot + LOT + int(run[LOT_LEGS + lot]) * LEG
    run[LOT_LEGS + lot] += 1
    run[LIVES + leg] = run[IS_LEG + leg] = 1.0
    run[LEG_LOT + leg], run[LEG_STEPS + leg], run[LEG_PLACE + leg] = lot, steps, place
    run[HAS_MOVES + leg] = 0.0
    for slot in (ARM_PRICE, BEST_PRICE, TRAIL_STOP, RATCHETED_STOP):
        run[slot + leg] = math.nan
    run[RATCHETS + leg] = run[NEXT_RATCHET + leg] = 0
    set_levels(run, leg)


@rule
def set_levels(run: Run, leg: int) -> None:
    """Set the levels of a leg off its base price; what its moving stops have reached is kept."""
    sign, lot = side_of(run), int(run[LEG_LOT + leg])
    base = run[LOT_PRICE + lot]
    if run[BASIS] != FROM_ENTRY:
        base = run[PRICE_AVG] if run[BASIS] == FROM_AVERAGE else run[PRICE_LAST]
    _set_stop(run, leg, base, sign)
    _set_target(run, leg, base, sign)
    if run[TRAIL_UNIT] != NO_TRAIL:
        run[HAS_MOVES + leg] = 1.0
        if not is_trailing(run, leg):
            _set_trail(run, leg, base, sign)
    if run[BREAKEVEN_GAIN] == run[BREAKEVEN_GAIN]:
        _set_ratchets(run, leg, base, sign)
    refresh_leg(run, leg, sign)


@rule
def move_legs(run: Run) -> None:
    """Set all levels anew that do not count from their own entry's price."""
    if run[BASIS] == FROM_ENTRY:
        return
    for place in range(int(run[BOOK])):
        order = order_at(run, place)
        if run[IS_LEG + order] != 0 and run[LIVES + order] != 0:
            set_levels(run, order)


@rule
def _set_stop(run: Run, leg: int, base: float, sign: float) -> None:
    words, fixed = LOT_WORDS + int(run[LEG_LOT + leg]), run[STOP_RATIO]
    run[STOP_REASON + leg] = STOP_LOSS
    if run[words + SAID_STOP] == run[words + SAID_STOP]:
        run[LEG_STOP + leg] = round_by(run, run[words + SAID_STOP], -sign)
        return
    stop = math.nan
    by_atr = run[STOP_ATR] * run[words + SAID_ATR] / run[words + SAID_CLOSE]
    if by_atr == by_atr:
        ticks = by_atr * run[words + SAID_CLOSE] / run[TICK_SIZE]
        stop = round_by(run, base + -sign * ticks * run[TICK_SIZE], -sign)
        if fixed != fixed or by_atr < fixed:
            run[STOP_REASON + leg] = ATR_SL
    if fixed == fixed:
        rounded = round_by(run, base * (1 + -sign * fixed), -sign)
        if stop != stop or (rounded - stop) * -sign < 0:
            stop = rounded
    run[LEG_STOP + leg] = stop


@rule
def _set_target(run: Run, leg: int, base: float, sign: float) -> None:
    words, limit = LOT_WORDS + int(run[LEG_LOT + leg]), math.nan
    profit, place = run[words + SAID_PROFIT], run[LEG_PLACE + leg]
    by_atr = run[PROFIT_ATR] * run[words + SAID_ATR]
    run[PROFIT_REASON + leg] = TAKE_PROFIT
    if profit == profit:
        limit = round_by(run, profit, sign)
    elif place != BRACKET_ORDER:
        limit = round_by(run, base * (1 + sign * run[TARGET_RATIOS + int(place)]), sign)
    elif run[words + SAID_LATE] != 0:
        limit = round_by(run, base * (1 + sign * run[LATE_RATIO]), sign)
    elif run[PROFIT_RATIO] == run[PROFIT_RATIO]:
        limit = round_by(run, base * (1 + sign * run[PROFIT_RATIO]), sign)
    elif by_atr == by_atr:
        ticks = by_atr / run[TICK_SIZE]
        limit = round_by(run, base + sign * ticks * run[TICK_SIZE], sign)
        run[PROFIT_REASON + leg] = ATR_TP
    run[LEG_LIMIT + leg] = run[LEG_TRIGGER + leg] = limit
    if run[VERIFY_TICKS] != 0 and limit == limit:
        ticks = ticks_nearest(run, limit) + sign * run[VERIFY_TICKS]
        run[LEG_TRIGGER + leg] = price_of(run, ticks)


@rule
def _set_trail(run: Run, leg: int, base: float, sign: float) -> None:
    unit, gain, distance = run[TRAIL_UNIT], run[TRAIL_ACTIVATION], run[TRAIL_DISTANCE]
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
def _set_ratchets(run: Run, leg: int, base: float, sign: float) -> None:
    """Set the breakeven of a single bracket, or the steps of the targets before this one."""
    is_target = run[LEG_PLACE + leg] != BRACKET_ORDER
    count = int(run[LEG_PLACE + leg]) if is_target else 1
    if count == 0:
        return
    run[HAS_MOVES + leg] = 1.0
    run[RATCHETS + leg], run[NEXT_RATCHET + leg] = count, 0
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
        run[ORDER_UP + leg] = limit if limit == limit else math.inf
        run[ORDER_DOWN + leg] = stop if stop == stop else -math.inf
    else:
        run[ORDER_UP + leg] = stop if stop == stop else math.inf
        run[ORDER_DOWN + leg] = limit if limit == limit else -math.inf


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
