"""Sums and spreads of a sliding window, one pass over the bars whatever the period.

Sums. The rule is TradingView's (see `sums`): what is stored of a value is the amount that entered,
the rounding lost is carried, and now and then the sum starts anew. One bar's sum waits for the last
one's through eight operations. On most bars four give the same: all values in question are
multiples of one small unit, so that nothing but the addition to the total rounds, and what leaves
and what enters may be netted first. The kernel goes on from that guess and checks it against the
rule while the machine would only wait; where they differ the rule's own result is taken. So the
sums are those of the rule in every bit, and only the speed depends on the guess.

Where the guess is hardly ever right, as on oscillators, stretches of the column run side by side
instead, each from a start that is wrong but for the first (see `_recursions`). A sum does not
forget, but where values have that many digits it starts anew every twenty bars or so, and a window
of a few bars is then soon filled alike: both chains are one once a whole window has entered them as
the same doubles. Longer windows do not come to that.

Spreads. Bars are cut into blocks of `period`. A window reaches over at most one edge: it is the end
of one block and the beginning of the next. Ends are summed from the edge backwards, beginnings from
the edge on, so that every window is the sum of two, and none inherits an error: each value is added
at most once. Values are taken as distances from the first bar after the edge, which lies in every
window over that edge. So it is at most sqrt(period) deviations from the mean, at most a factor
`period` of the 16 digits is lost, and a flat window has a spread of exactly zero. Blocks start at
the first bar: what follows a bar changes nothing before it.

Columns are finite here; the callers skip NaN. Outputs are allocated by NumPy (see `_recursions`).
"""

import numpy as np

from engines.features._compiled import compiled
from engines.types import F64_1D, F64_2D

# Sums of short windows go on in lanes where the guess is in doubt on every other bar or so.
LANES, SHORT, PROBE, DOUBTED = 8, 5, 1024, 2
WARY = 64  # bars without a guess after a wrong one: values of many sizes, as volumes, bring more
BATCH = 512  # windows at least whose sums wait in the first-level cache for the last step


def window_sums(source: F64_1D, period: int, out: F64_1D | None = None) -> F64_1D:
    """Return the sum of the last `period` values.

    Shape: source [T] -> [T], which is `out` if given; the first `period - 1` values are NaN.
    """
    sums = np.empty(source.size) if out is None else out
    _slide(source, min(period, source.size), sums)
    sums[: period - 1] = np.nan
    return sums


def first_sums(source: F64_1D) -> F64_1D:
    """Return the sum of the first 1, 2, ... values [T]: of each window at the bar that fills it."""
    sums = np.empty(source.size)
    _fill(source, source.size, sums, np.empty(source.size))
    return sums


def window_variances(source: F64_1D, period: int, divisor: int) -> F64_1D:
    """Return the sum of squared distances from the mean of the last `period` values, divided.

    Shape: source [T] -> [T]; the first `period - 1` values are NaN.
    """
    variances = np.empty(source.size)
    _spread(source, min(period, source.size), divisor, variances)
    variances[: period - 1] = np.nan
    return variances


def window_bands(source: F64_1D, period: int, multiplier: float) -> tuple[F64_1D, F64_1D, F64_1D]:
    """Return the mean of the last `period` values, and `multiplier` deviations above and below.

    Shape: source [T] -> [T] each; the first `period - 1` values are NaN.
    """
    bands = np.empty((3, source.size))
    _band(source, min(period, source.size), multiplier, bands[0], bands[1], bands[2])
    bands[:, : period - 1] = np.nan
    return bands[0], bands[1], bands[2]


@compiled
def _restarts(carry: float, value: float) -> bool:
    # Never with a carry or a value of zero: what is added then comes back whole.
    size = abs(carry)
    return size - ((value + size) - value) > 0.0


@compiled
def _plain_sum(source: F64_1D, first: int, last: int) -> float:
    total = 0.0
    for t in range(last, first - 1, -1):
        total += source[t]
    return total


@compiled
def _guess(
    total: float, carry: float, value: float, leaving: float
) -> tuple[float, float, float, bool]:
    """Return the total and the carry after a bar of a full window, what entered, and a doubt."""
    removed = -leaving - carry
    kept = total + removed
    added = value - ((kept - total) - removed)
    step = (value - leaving) - carry
    guess = total + step
    carry_guess = (guess - total) - step
    differs = (guess != kept + added) | (carry_guess != (guess - kept) - added)
    return guess, carry_guess, added, differs | _restarts(carry, value)


@compiled
def _rule(total: float, carry: float, value: float, leaving: float) -> tuple[float, float, float]:
    """Return the total and the carry after a bar of a full window, and what entered."""
    removed = -leaving - carry
    kept = total + removed
    added = value - ((kept - total) - removed)
    total = kept + added
    return total, (total - kept) - added, added


@compiled
def _fill(source: F64_1D, period: int, sums: F64_1D, entered: F64_1D) -> tuple[float, float]:
    """Sum the bars before the window is full and the one that fills it."""
    total, carry = 0.0, 0.0
    for t in range(period):
        added = source[t] - carry
        kept = total
        total = kept + added
        if _restarts(carry, source[t]):
            total, carry, added = _plain_sum(source, 0, t), 0.0, source[t]
        else:
            carry = (total - kept) - added
        sums[t], entered[t] = total, added
    return total, carry


@compiled
def _slide(source: F64_1D, period: int, sums: F64_1D) -> None:
    entered = np.empty(period)
    total, carry = _fill(source, period, sums, entered)
    first, probe = period, period * (1 + PROBE // period)
    if period <= SHORT and source.size > 2 * LANES * probe:
        state = _go_on(source, first, probe, period, sums, entered, total, carry)
        total, carry, doubts = state
        first = probe
        if doubts * DOUBTED > PROBE:
            state = _slide_in_lanes(source, first, period, sums, entered, total, carry)
            total, carry, first = state
    _go_on(source, first, source.size, period, sums, entered, total, carry)


@compiled
def _go_on(
    source: F64_1D, first: int, last: int, period: int, sums: F64_1D, entered: F64_1D,
    total: float, carry: float,
) -> tuple[float, float, int]:  # fmt: skip # what is summed, then where the sum stands
    """Sum the bars [first, last) of full windows; return where that leaves it, and the doubts.

    What entered at a bar lies in `entered` at its number modulo the period.
    """
    slot, wary, doubts = first % period, 0, 0
    for t in range(first, last):
        value, leaving = source[t], entered[slot]
        doubtful = True
        added = 0.0
        if wary == 0:
            guess, carry_guess, added, doubtful = _guess(total, carry, value, leaving)
        if not doubtful:
            total, carry = guess, carry_guess
        else:
            wary = WARY if wary == 0 else wary - 1
            doubts += 1
            total, carry, added = _exact(source, t, period, total, carry, leaving)
        sums[t], entered[slot] = total, added
        slot += 1
        if slot == period:
            slot = 0
    return total, carry, doubts


@compiled
def _exact(
    source: F64_1D, t: int, period: int, total: float, carry: float, leaving: float
) -> tuple[float, float, float]:
    """Return the total and the carry after bar `t` by the rule, and what entered."""
    if _restarts(carry, source[t]):
        return _plain_sum(source, t - period + 1, t), 0.0, source[t]
    return _rule(total, carry, source[t], leaving)


@compiled
def _slide_in_lanes(
    source: F64_1D, first: int, period: int, sums: F64_1D, entered: F64_1D, total: float,
    carry: float,
) -> tuple[float, float, int]:  # fmt: skip # what is summed, then where the sum stands
    """Sum the bars from `first` on that fill the lanes; return where that leaves it, and the bar.

    `first` is a multiple of the period, as are stretches, so that all lanes use one slot.
    """
    bars = (source.size - first) // (LANES * period) * period
    rings, totals, carries = np.empty((period, LANES)), np.empty(LANES), np.zeros(LANES)
    for lane in range(LANES):
        start = first + lane * bars
        totals[lane] = _plain_sum(source, start - period, start - 1)
        rings[:, lane] = source[start - period : start]
    totals[0], carries[0], rings[:, 0] = total, carry, entered
    outputs = sums[first : first + LANES * bars].reshape(LANES, bars)
    _slide_abreast(source, first, period, rings, totals, carries, outputs)
    total, carry = totals[0], carries[0]
    entered[:] = rings[:, 0]
    for lane in range(1, LANES):
        start, ends = first + lane * bars, (totals[lane], carries[lane])
        total, carry = _join(
            source, start, start + bars, period, sums, entered, total, carry, ends, rings[:, lane]
        )
    return total, carry, first + LANES * bars


@compiled
def _slide_abreast(
    source: F64_1D, first: int, period: int, rings: F64_2D, totals: F64_1D, carries: F64_1D,
    outputs: F64_2D,
) -> None:  # fmt: skip # what is summed, where sums stand, where they go
    """Sum a stretch a lane by the rule, whose choices are between values, so that vectors do it."""
    bars, slot, plain = outputs.shape[1], 0, np.empty(LANES)
    for i in range(bars):
        for lane in range(LANES):
            plain[lane] = 0.0 + source[first + lane * bars + i]
        for back in range(1, period):
            for lane in range(LANES):
                plain[lane] += source[first + lane * bars + i - back]
        for lane in range(LANES):
            value, carry = source[first + lane * bars + i], carries[lane]
            total, rest, added = _rule(totals[lane], carry, value, rings[slot, lane])
            restarts = _restarts(carry, value)
            totals[lane] = plain[lane] if restarts else total
            carries[lane] = 0.0 if restarts else rest
            rings[slot, lane] = value if restarts else added
            outputs[lane, i] = totals[lane]
        slot = slot + 1 if slot + 1 < period else 0


@compiled
def _join(
    source: F64_1D, first: int, last: int, period: int, sums: F64_1D, entered: F64_1D,
    total: float, carry: float, ends: tuple[float, float], ring: F64_1D,
) -> tuple[float, float]:  # fmt: skip # what is summed, where the sum stands, where the lane ended
    """Sum a stretch from its true start until it meets the wrong one; return its true end.

    They have met once a whole window has entered both alike.
    """
    wrong = np.empty(period)
    for t in range(first - period, first):
        wrong[t % period] = source[t]
    wrong_total, wrong_carry = _plain_sum(source, first - period, first - 1), 0.0
    alike = 0
    for t in range(first, last):
        slot = t % period
        total, carry, added = _exact(source, t, period, total, carry, entered[slot])
        wrong_total, wrong_carry, wrong_added = _exact(
            source, t, period, wrong_total, wrong_carry, wrong[slot]
        )
        sums[t], entered[slot], wrong[slot] = total, added, wrong_added
        is_alike = _are_same(total, wrong_total) and _are_same(carry, wrong_carry)
        alike = alike + 1 if is_alike and _are_same(added, wrong_added) else 0
        if alike == period:
            entered[:] = ring
            return ends
    return total, carry


@compiled
def _are_same(value: float, other: float) -> bool:
    return value == other and np.copysign(1.0, value) == np.copysign(1.0, other)


@compiled
def _sum_back(
    source: F64_1D, edge: int, period: int, totals: F64_1D, squares: F64_1D, row: int
) -> None:
    """Sum what each window over the edge has before it, the longest end last, from `row` on."""
    total, square = 0.0, 0.0
    totals[row + period - 1], squares[row + period - 1] = 0.0, 0.0
    for i in range(period - 2, -1, -1):
        distance = source[edge - period + 1 + i] - source[edge]
        total += distance
        square += distance * distance
        totals[row + i], squares[row + i] = total, square


@compiled
def _variance(total: float, square: float, period: int, divisor: int) -> float:
    return max(0.0, square - total * total / period) / divisor


@compiled
def _spread(source: F64_1D, period: int, divisor: int, variances: F64_1D) -> None:
    batch = period * max(1, BATCH // max(1, period))
    totals, squares = np.zeros(batch), np.zeros(batch)
    for first in range(0, source.size, max(1, batch)):
        last = min(first + batch, source.size)
        for start in range(first, last, period):
            row = start - first
            if start > 0:
                _sum_back(source, start, period, totals, squares, row)
            total, square = 0.0, 0.0
            for i in range(min(period, last - start)):
                distance = source[start + i] - source[start]
                total += distance
                square += distance * distance
                totals[row + i] += total
                squares[row + i] += square
        outputs = variances[first:last]
        for i in range(outputs.size):
            outputs[i] = _variance(totals[i], squares[i], period, divisor)


@compiled
def _band(
    source: F64_1D,
    period: int,
    multiplier: float,
    middle: F64_1D,
    upper: F64_1D,
    lower: F64_1D,
) -> None:
    entered = np.empty(period)
    sum_, carry = _fill(source, period, middle, entered)
    batch = period * max(1, BATCH // max(1, period))
    totals, squares = np.zeros(batch), np.zeros(batch)
    for first in range(0, source.size, max(1, batch)):
        last = min(first + batch, source.size)
        for start in range(first, last, period):
            row = start - first
            if start > 0:
                _sum_back(source, start, period, totals, squares, row)
            total, square = 0.0, 0.0
            for i in range(min(period, last - start)):
                value = source[start + i]
                distance = value - source[start]
                total += distance
                square += distance * distance
                totals[row + i] += total
                squares[row + i] += square
                if start > 0:
                    leaving = entered[i]
                    guess, carry_guess, added, doubtful = _guess(sum_, carry, value, leaving)
                    if doubtful:
                        if _restarts(carry, value):
                            t = start + i
                            sum_, carry, added = _plain_sum(source, t - period + 1, t), 0.0, value
                        else:
                            sum_, carry, added = _rule(sum_, carry, value, leaving)
                    else:
                        sum_, carry = guess, carry_guess
                    middle[start + i], entered[i] = sum_, added
        bands = middle[first:last], upper[first:last], lower[first:last]
        _finish_bands(totals, squares, period, multiplier, bands)


@compiled
def _finish_bands(
    totals: F64_1D,
    squares: F64_1D,
    period: int,
    multiplier: float,
    bands: tuple[F64_1D, F64_1D, F64_1D],
) -> None:
    middle, upper, lower = bands
    for i in range(middle.size):
        mean = middle[i] / period
        reach = np.sqrt(_variance(totals[i], squares[i], period, period)) * multiplier
        middle[i], upper[i], lower[i] = mean, mean + reach, mean - reach
