"""The stop of a campaign that moves: it follows the price, or is locked once it has gained enough.

Theory. All legs count from one base, so they are armed, follow and are locked at the same prices,
as long as none opens after one of them has moved: what the others' stops have come to is kept
then, and the new one has nothing to keep. A stop that has moved lies above the rungs that average
in, but an open may pass both, and rungs that scale in lie above what moves it. A set in which a lot
opens after a move is unsure.

The rules are those of `machine.legs`, in signed prices: what arms or locks lies above, as the
target does. Where the price comes to several at once it locks first, then arms, then fills.
"""

import math

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    ARM_AT,
    FOLLOWED,
    FOLLOWS_BY,
    GATE_AT,
    IS_MOVING,
    IS_UNSURE,
    LEG_DOWN,
    LEG_LIMIT,
    LEG_UP,
    LOCK_AT,
    MOVED_TO,
)
from engines.kernels.columns import Run
from engines.kernels.rounding import price_of, round_by, ticks_nearest, ticks_up
from engines.kernels.slots import (
    BREAKEVEN_GAIN,
    BREAKEVEN_OFFSET,
    NO_TRAIL,
    TICK_SIZE,
    TRAIL_ACTIVATION,
    TRAIL_BY_TICKS,
    TRAIL_DISTANCE,
    TRAIL_RATIO,
    TRAIL_UNIT,
)


@rule
def prepare_moves(run: Run) -> None:
    """Note whether the stop of a plan moves."""
    is_moving = run[TRAIL_UNIT] != NO_TRAIL or run[BREAKEVEN_GAIN] == run[BREAKEVEN_GAIN]
    run[IS_MOVING] = 1.0 if is_moving else 0.0


@rule
def begin_moves(run: Run) -> None:
    """Let a stop begin where it has not moved yet."""
    run[FOLLOWED] = run[MOVED_TO] = -math.inf


@apart
def set_moves(run: Run, side: float, base: float) -> None:
    """Set what moves the stop, off the base from which all levels have just been set."""
    run[ARM_AT] = run[GATE_AT] = math.inf
    if run[TRAIL_UNIT] != NO_TRAIL:
        _set_arm(run, side, base)
    if run[BREAKEVEN_GAIN] == run[BREAKEVEN_GAIN]:
        gate = base * (1 + side * run[BREAKEVEN_GAIN])
        run[GATE_AT] = side * round_by(run, gate, side)
        lock = base * (1 + side * run[BREAKEVEN_OFFSET])
        run[LOCK_AT] = side * round_by(run, lock, -side)
    if run[MOVED_TO] > -math.inf:
        run[IS_UNSURE] = 1.0
    _set_nearest(run)


@rule
def _set_arm(run: Run, side: float, base: float) -> None:
    unit, gain, distance = run[TRAIL_UNIT], run[TRAIL_ACTIVATION], run[TRAIL_DISTANCE]
    if unit == TRAIL_RATIO:
        arm, ticks = base * (1 + side * gain), ticks_up(run, base * distance)
    elif unit == TRAIL_BY_TICKS:
        arm, ticks = base + side * gain * run[TICK_SIZE], float(math.floor(distance))
    else:
        arm, ticks = base + side * gain, ticks_up(run, distance)
    run[ARM_AT], run[FOLLOWS_BY] = side * round_by(run, arm, side), ticks
    if ticks == 0:
        run[IS_UNSURE] = 1.0  # It ends the position where it is armed.


@rule
def _set_nearest(run: Run) -> None:
    """Set where a rising and a falling price meet the legs."""
    up = min(run[LEG_LIMIT], run[GATE_AT])
    run[LEG_UP] = up if run[FOLLOWED] > -math.inf else min(up, run[ARM_AT])
    run[LEG_DOWN] = max(run[LEG_DOWN], run[MOVED_TO])


@apart
def move(run: Run, price: float, side: float) -> bool:
    """Let a price that has come up to the legs move their stop; return whether it did."""
    if price >= run[GATE_AT]:
        run[GATE_AT], run[MOVED_TO] = math.inf, max(run[MOVED_TO], run[LOCK_AT])
        _set_nearest(run)
        return True
    if run[FOLLOWED] == -math.inf and run[ARM_AT] <= min(price, run[LEG_LIMIT]):
        _follow(run, price, side)
        return True
    return False


@rule
def goes_along(run: Run, price: float, side: float) -> bool:
    """Let a stop that follows the price go along to it; return whether it did."""
    if run[FOLLOWED] == -math.inf or price <= run[FOLLOWED]:
        return False
    _follow(run, price, side)
    return True


@rule
def _follow(run: Run, price: float, side: float) -> None:
    ticks = ticks_nearest(run, side * price) - side * run[FOLLOWS_BY]
    run[FOLLOWED], run[MOVED_TO] = price, max(run[MOVED_TO], side * price_of(run, ticks))
    _set_nearest(run)
