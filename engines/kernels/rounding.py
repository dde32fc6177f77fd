"""Ticks, steps and ten digits: the rounding of `instrument` and `account`, as scalar rules.

Theory. The same divisions in the same order as `Instrument`, floors as floats: below 2**53 they are
the reference's whole numbers.

Ten significant digits. The reference writes money with ten digits and reads it back, so the result
is the double nearest to the decimal nearest to the exact value, ties to even. Here the value is
scaled so that it has ten digits before the point, x * 10**k or x / 10**k with an exact 10**k (k up
to 22), and the rounding is decided on the exact product: a double and its error (Dekker's
two-product, which needs no fused multiply-add). The ten digits are a whole number below 2**34, so
the way back is one operation on exact operands, which rounds once.
Source: Dekker (1971), "A floating-point technique for extending the available precision".
"""

import math

from engines.instrument import STEP_NOISE, TICK_NOISE
from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.slots import (
    NEEDS_REFERENCE,
    STEP_OVER,
    STEP_UNDER,
    TICK_OVER,
    TICK_UNDER,
)

SPLIT = 134217729.0  # 2**27 + 1
POWERS = tuple(float(10**power) for power in range(23))  # each exact
DIGITS = 10
WHOLE_MIN, WHOLE_MAX = POWERS[DIGITS - 1], POWERS[DIGITS]
TEN_MAX = len(POWERS) - 1


@rule
def price_of(run: Run, ticks: float) -> float:
    """Return the price that lies `ticks` ticks above zero."""
    return ticks * run[TICK_OVER] / run[TICK_UNDER]


@rule
def ticks_nearest(run: Run, price: float) -> float:
    """Return the whole tick nearest to `price`, halves upwards."""
    return float(math.floor(price * run[TICK_UNDER] / run[TICK_OVER] + 0.5))


@rule
def ticks_up(run: Run, price: float) -> float:
    """Return the first whole tick at or above `price`."""
    return float(math.ceil(price * run[TICK_UNDER] / run[TICK_OVER] - TICK_NOISE))


@rule
def ticks_down(run: Run, price: float) -> float:
    """Return the last whole tick at or below `price`."""
    return float(math.floor(price * run[TICK_UNDER] / run[TICK_OVER] + TICK_NOISE))


@rule
def round_by(run: Run, price: float, sign: float) -> float:
    """Return the tick at `price`, or the next one up (`sign` 1) or down (-1)."""
    if sign > 0:
        return price_of(run, ticks_up(run, price))
    return price_of(run, ticks_down(run, price))


@rule
def qty_of(run: Run, steps: float) -> float:
    """Return the quantity of `steps` whole steps."""
    return steps * run[STEP_OVER] / run[STEP_UNDER]


@rule
def steps_down(run: Run, qty: float) -> float:
    """Return how many whole steps fit into `qty`, float noise forgiven."""
    return float(math.floor(qty * run[STEP_UNDER] / run[STEP_OVER] + STEP_NOISE))


@rule
def steps_truncated(run: Run, qty: float) -> float:
    """Return how many whole steps fit into a computed `qty`, nothing forgiven."""
    return float(math.floor(qty * run[STEP_UNDER] / run[STEP_OVER]))


@rule
def product_error(a: float, b: float, product: float) -> float:
    """Return a * b - product exactly, where `product` is the rounded a * b."""
    scaled = SPLIT * a
    a_high = scaled - (scaled - a)
    scaled = SPLIT * b
    b_high = scaled - (scaled - b)
    a_low, b_low = a - a_high, b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@rule
def small_digits(value: float) -> float:
    """Return ten digits of a value below 10**10; 0 where it is too small to scale exactly."""
    power = 0
    while value * POWERS[power] < WHOLE_MIN:
        power += 1
        if power > TEN_MAX:
            return 0.0  # Less than 10**-13 buys no step: `plan_terms` sees to that.
    scaled = value * POWERS[power]
    error = product_error(value, POWERS[power], scaled)
    if scaled == WHOLE_MIN and error < 0:
        power += 1
        if power > TEN_MAX:
            return 0.0
        scaled = value * POWERS[power]
        error = product_error(value, POWERS[power], scaled)
    whole = float(math.floor(scaled))
    above_half = scaled - whole - 0.5
    if above_half > -error or (above_half == -error and whole % 2 == 1):
        whole += 1
    return whole / POWERS[power]


@rule
def large_digits(value: float) -> float:
    """Return ten digits of a value from 10**10 on, NaN where it is too large to scale exactly."""
    power = 1
    while value >= WHOLE_MAX * POWERS[power]:
        power += 1
        if power > TEN_MAX - DIGITS:
            return math.nan
    whole = float(math.floor(value / POWERS[power]))
    doubled = 2 * whole + 1
    half = doubled * POWERS[power]
    above_half = 2 * value - half
    error = product_error(doubled, POWERS[power], half)
    if above_half > error or (above_half == error and whole % 2 == 1):
        whole += 1
    return whole * POWERS[power]


@rule
def ten_digits(run: Run, value: float) -> float:
    """Return `value` rounded to ten significant digits; what cannot be needs the reference."""
    if value <= 0:
        return 0.0  # An account that owes money buys nothing.
    rounded = small_digits(value) if value < WHOLE_MAX else large_digits(value)
    if rounded != rounded:  # NaN
        run[NEEDS_REFERENCE] = 1.0
        return 0.0
    return rounded
