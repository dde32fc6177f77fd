"""The levels of a position that closes in parts, from the price of its entry.

Theory. Each target has a leg of its own, whose limit fills once the price has come to it, some
ticks beyond it if that is verified. At the limit of a target the breakeven moves the stops of the
legs behind it, to its offset at the first and to the target before at the others. All prices are
multiplied by the sign of the side, so that up is a gain.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.exit_walk import WALK
from engines.kernels.parts.columns import PARTS_MAX
from engines.kernels.passage.events import stop_of
from engines.kernels.rounding import price_of, round_by, ticks_nearest, ticks_up
from engines.kernels.slots import (
    BREAKEVEN_GAIN,
    BREAKEVEN_OFFSET,
    NO_TRAIL,
    RUN,
    STOP_ATR,
    STOP_RATIO,
    TARGET_RATIOS,
    TARGETS,
    TICK_SIZE,
    TRAIL_ACTIVATION,
    TRAIL_BY_TICKS,
    TRAIL_DISTANCE,
    TRAIL_RATIO,
    TRAIL_UNIT,
    VERIFY_TICKS,
)
from engines.types import F64_1D

# Behind the terms of the plan: the side, the leg behind the last that is held, the first one, how
# many limits the price has come to, the stop of all, where it begins to follow and at which
# distance, what it has followed to; the price of the path, the lowest since the bar or the entry,
# the lowest of the bars before, the bar of the last fill and of the path, the lowest of the bars
# between, the first bar that counts whole, the lowest of the one before it since the entry, how
# many closes are listed, and where.
(
    SIGN, HELD_TO, DONE, GONE, STOP, ARM, FOLLOWS_TICKS, BEST, AT, BAR_LOW, FULL_LOW, FILL_BAR, BAR,
    QUIET_LOW, WHOLE_FROM, REST_LOW, LISTED, FIRST, LIMITS,
) = range(RUN, RUN + 19)  # fmt: skip # one list
# Where the price must go to for the limit of the same place to fill, and where the stop of the legs
# behind goes once the price has come to it.
TRIGGERS = LIMITS + PARTS_MAX
LOCKS = TRIGGERS + PARTS_MAX
MET_AT = LOCKS + PARTS_MAX  # the price that has met each close that is listed
PART_WALK = max(MET_AT + PARTS_MAX, WALK)


@rule
def set_levels(
    run: F64_1D, base: float, sign: float, stop: float, atr: float, close: float
) -> None:
    """Set the levels of a position of this side, entered at `base`, by the run's plan.

    A given `stop` takes the place of the plan's, NaN leaves that to it; `atr` is known where the
    plan sets its stop by it, at the deciding `close`.
    """
    count = int(run[TARGETS])
    run[SIGN], run[HELD_TO], run[DONE], run[GONE] = sign, count, 0.0, 0.0
    run[STOP] = stop_of(run, stop, run[STOP_RATIO], run[STOP_ATR], atr, close, base, sign)
    run[ARM], run[BEST], run[FOLLOWS_TICKS] = math.inf, math.inf, 0.0
    if run[TRAIL_UNIT] != NO_TRAIL:
        _set_trail(run, base, sign)
    for place in range(count):
        limit = round_by(run, base * (1 + sign * run[TARGET_RATIOS + place]), sign)
        run[LIMITS + place], run[LOCKS + place] = sign * limit, -math.inf
        run[TRIGGERS + place] = _trigger(run, limit, sign)
        if run[BREAKEVEN_GAIN] == run[BREAKEVEN_GAIN]:
            lock = run[BREAKEVEN_OFFSET] if place == 0 else run[TARGET_RATIOS + place - 1]
            run[LOCKS + place] = sign * round_by(run, base * (1 + sign * lock), -sign)


@rule
def _trigger(run: F64_1D, limit: float, sign: float) -> float:
    """Return where the price must go to for a limit to fill."""
    if run[VERIFY_TICKS] == 0:
        return sign * limit
    ticks = ticks_nearest(run, limit) + sign * run[VERIFY_TICKS]
    trigger = sign * price_of(run, ticks)
    return min(trigger, run[ARM]) if sign * limit < run[ARM] else trigger


@rule
def _set_trail(run: F64_1D, base: float, sign: float) -> None:
    """Set where the stop begins to follow, and at which distance, as `legs` does."""
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
    run[ARM], run[FOLLOWS_TICKS] = sign * round_by(run, arm, sign), ticks
