"""One walk from every possible entry: the first passage of all its stops and all its targets.

Theory. Prices are multiplied by the position's sign: then a stop lies below and a target above, the
price goes *against* the position downwards and *along* with it upwards, for both sides alike. The
levels of an entry are sorted by distance; the price passes them in that order, so one walk with a
place among the stops and one among the targets finds the bar of each, and only the next two levels
are looked at. Blocks of bars that reach neither are stepped over by their extremes (`search`).

Within a bar the order is the broker's: what the open has passed fills there, then the way goes to
the extreme nearer to the open and to the other one. A limit fills at its own price or at a better
open; a stop fills at its level or at a worse open, and slips. A market order at the same open goes
first, so levels count up to the close that closes the position. If all stops have been passed, no
target behind them can matter to any set, and the walk is over; likewise the other way round.

How far the price went against a position counts the bars before its last, and of that one the way
to the exit; the open of the entry's own bar does not count (`results.excursions`).
"""

import math
from typing import NamedTuple

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price, slipped_price
from engines.kernels.passage.columns import (
    AT_MARKET_OPEN,
    E_MODE,
    E_PRICE,
    E_SIDE,
    EVENT,
    L_ATR,
    L_COLUMN,
    L_RATIO,
    MONTH_SHIFT,
    NEVER,
    ON_FIRST_LEG,
    ON_SECOND_LEG,
    OPEN_AT_END,
    PASSED_AT_OPEN,
    PHASE_BITS,
    U32_1D,
    V_LOSS,
    V_PRICE,
    VALUE,
    Ground,
    Passages,
)
from engines.kernels.passage.events import slip_at, stop_of, target_of
from engines.kernels.search import LARGE, LARGE_BITS, LARGE_MASK, SMALL, SMALL_BITS, SMALL_MASK
from engines.kernels.slots import CLOSE, HIGH, LOW, OPEN
from engines.types import F64_1D

STOPS, TARGETS = 0, 1


class Trip(NamedTuple):
    """What one entry says: its place, bar, price and sign, and what its levels are made of.

    `spot` is its place in the rows of records.
    """

    place: int
    spot: int
    bar: int
    base: float
    sign: float
    close: float
    atr: float
    stop_given: float
    target_given: float
    is_sorted: bool


@rule
def walk(run: Run, ground: Ground, out: Passages, place: int, near: F64_2D, rows: F64_2D) -> None:
    """Write all records of one event; `near` and `rows` [2, N] are room for its levels."""
    trip, prices, reach = _trip(ground, out, place), ground.prices, ground.reach
    stops, targets, size = len(ground.stops), len(ground.targets), out.length + 2
    if not ground.is_sorted:
        _sort_levels(run, ground, trip, near, rows)
    set_stop(run, ground.stops, trip, near, 0)
    set_target(run, ground.targets, trip, near, 0)
    bar, last, worst = trip.bar, min(ground.horizon[place], len(prices) - 1), math.inf
    stop = target = 0
    while bar <= last and stop < stops and target < targets:
        row, count = _stride(
            reach, len(prices), bar, last, near[STOPS, stop], near[TARGETS, target], trip.sign
        )
        if count > 0:
            worst = min(worst, reach[row, 1] if trip.sign > 0 else -reach[row, 0])
            bar += count
            continue
        slip_at(run, ground.slip_ratio, max(0, bar - 1))
        stop = _pass_stops(run, prices, ground.stops, out, trip, bar, stop, worst, near, rows, size)
        target = _pass_targets(
            run, prices, ground.targets, stops, out, trip, bar, target, worst, near, rows, size
        )
        worst = min(worst, reach[bar, 1] if trip.sign > 0 else -reach[bar, 0])
        bar += 1
    time, price, loss = NEVER, 0.0, 0.0
    if stop < stops and target < targets:
        time, price, loss = _at_horizon(
            run, ground, trip, worst, out.events[place * EVENT + E_MODE]
        )
    for item in range(stop, stops):
        _put(out.times, out.values, int(rows[STOPS, item]) * size + trip.spot, time, price, loss)
    for item in range(target, targets):
        record = (stops + int(rows[TARGETS, item])) * size + trip.spot
        _put(out.times, out.values, record, time, price, loss)


@rule
def _trip(ground: Ground, out: Passages, place: int) -> Trip:
    """Return what an entry says; all sets of sorted levels take the same columns."""
    bar, stop, target = ground.entries[place], math.nan, math.nan
    if ground.stops[0, L_COLUMN] >= 0:
        stop = ground.columns[int(ground.stops[0, L_COLUMN]), place]
    if ground.targets[0, L_COLUMN] >= 0:
        target = ground.columns[int(ground.targets[0, L_COLUMN]), place]
    return Trip(
        place, place - out.first, bar + 1, out.events[place * EVENT + E_PRICE],
        out.events[place * EVENT + E_SIDE],
        ground.prices[bar, CLOSE], ground.atr[place] if len(ground.atr) > 0 else math.nan, stop,
        target, ground.is_sorted,
    )  # fmt: skip # the order of its fields


@rule
def set_stop(run: Run, stops: F64_2D, trip: Trip, near: F64_2D, item: int) -> None:
    """Set the next of sorted stops; levels that a walk does not come to are never computed."""
    if trip.is_sorted and item < len(stops):
        near[STOPS, item] = stop_of(
            run, trip.stop_given, stops[item, L_RATIO], stops[item, L_ATR], trip.atr, trip.close,
            trip.base, trip.sign,
        )  # fmt: skip # one call


@rule
def set_target(run: Run, targets: F64_2D, trip: Trip, near: F64_2D, item: int) -> None:
    """Set the next of sorted targets, as in `set_stop`."""
    if trip.is_sorted and item < len(targets):
        near[TARGETS, item] = target_of(
            run, trip.target_given, targets[item, L_RATIO], targets[item, L_ATR], trip.atr,
            trip.base, trip.sign,
        )  # fmt: skip # one call


@rule
def _sort_levels(run: Run, ground: Ground, trip: Trip, near: F64_2D, rows: F64_2D) -> None:
    """Set the levels of an event and sort them; the order of the event before is nearly right."""
    for kind in range(2):
        levels = ground.stops if kind == STOPS else ground.targets
        for item in range(len(levels)):
            row = rows[kind, item]
            column, given = int(levels[int(row), L_COLUMN]), math.nan
            ratio, multiple = levels[int(row), L_RATIO], levels[int(row), L_ATR]
            if column >= 0:
                given = ground.columns[column, trip.place]
            if kind == STOPS:
                level = -stop_of(
                    run, given, ratio, multiple, trip.atr, trip.close, trip.base, trip.sign
                )
            else:
                level = target_of(run, given, ratio, multiple, trip.atr, trip.base, trip.sign)
            spot = item
            while spot > 0 and near[kind, spot - 1] > level:
                near[kind, spot], rows[kind, spot] = near[kind, spot - 1], rows[kind, spot - 1]
                spot -= 1
            near[kind, spot], rows[kind, spot] = level, row
    for item in range(len(ground.stops)):
        near[STOPS, item] = -near[STOPS, item]


@rule
def _is_apart(reach: F64_2D, row: int, stop: float, target: float, sign: float) -> bool:
    """Return whether the bars of a row of extremes meet neither level."""
    high, low = reach[row, 0], reach[row, 1]
    if sign > 0:
        return bool(low > stop and high < target)
    return bool(-high > stop and -low < target)


@rule
def _stride(
    reach: F64_2D, bars: int, bar: int, last: int, stop: float, target: float, sign: float
) -> tuple[int, int]:
    """Return a row of extremes that starts at `bar` and meets neither level, and its bars, or 0."""
    if bar & SMALL_MASK == 0 and bar + SMALL <= last + 1:
        if bar & LARGE_MASK == 0 and bar + LARGE <= last + 1:
            row = bars + ((bars + SMALL_MASK) >> SMALL_BITS) + (bar >> LARGE_BITS)
            if _is_apart(reach, row, stop, target, sign):
                return row, LARGE
        row = bars + (bar >> SMALL_BITS)
        if _is_apart(reach, row, stop, target, sign):
            return row, SMALL
    if _is_apart(reach, bar, stop, target, sign):
        return bar, 1
    return bar, 0


@rule
def way(prices: F64_2D, bar: int, sign: float) -> tuple[float, float, float, bool]:
    """Return the open of a bar, how far it goes against and along, and which of both is first."""
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_high_first = high - opened < opened - low
    if sign > 0:
        return opened, low, high, not is_high_first
    return -opened, -high, -low, is_high_first


@rule
def _pass_stops(
    run: Run, prices: F64_2D, stops: F64_2D, out: Passages, trip: Trip, bar: int, stop: int,
    worst: float, near: F64_2D, rows: F64_2D, size: int,
) -> int:  # fmt: skip # one list
    """Write the records of the stops that a bar meets; return the next stop."""
    opened, against, _, is_first = way(prices, bar, trip.sign)
    before = worst if bar == trip.bar else min(worst, opened)
    while stop < len(stops) and near[STOPS, stop] >= against:
        level = near[STOPS, stop]
        phase, deep = ON_FIRST_LEG if is_first else ON_SECOND_LEG, min(before, level)
        if level >= opened:
            phase, level, deep = PASSED_AT_OPEN, opened, before
        price = slipped_price(run, due_price(run, trip.sign * level), -trip.sign, 0.0)
        time = (bar << PHASE_BITS) + phase
        record = int(rows[STOPS, stop]) * size + trip.spot
        _put(out.times, out.values, record, time, price, _loss(trip, price, deep))
        stop += 1
        set_stop(run, stops, trip, near, stop)
    return stop


@rule
def _pass_targets(
    run: Run, prices: F64_2D, targets: F64_2D, stops: int, out: Passages, trip: Trip, bar: int,
    target: int, worst: float, near: F64_2D, rows: F64_2D, size: int,
) -> int:  # fmt: skip # one list
    """Write the records of the targets that a bar meets; return the next target."""
    opened, against, along, is_last = way(prices, bar, trip.sign)
    before = worst if bar == trip.bar else min(worst, opened)
    while target < len(targets) and near[TARGETS, target] <= along:
        level = near[TARGETS, target]
        phase, deep = ON_FIRST_LEG, before
        if level <= opened:
            phase, level = PASSED_AT_OPEN, opened
        elif is_last:
            phase, deep = ON_SECOND_LEG, min(before, against)
        price = due_price(run, trip.sign * level)
        time = (bar << PHASE_BITS) + phase
        record = (stops + int(rows[TARGETS, target])) * size + trip.spot
        _put(out.times, out.values, record, time, price, _loss(trip, price, deep))
        target += 1
        set_target(run, targets, trip, near, target)
    return target


@rule
def _at_horizon(
    run: Run, ground: Ground, trip: Trip, worst: float, mode: float
) -> tuple[int, float, float]:
    """Return the time, the price and the loss of a position that meets no level."""
    bar = len(ground.prices)
    if mode == OPEN_AT_END:
        price = ground.prices[bar - 1, CLOSE]
    else:
        bar = ground.horizon[trip.place] + 1
        opened = ground.prices[bar, OPEN]
        slip_at(run, ground.slip_ratio, bar - 1)
        price = slipped_price(run, due_price(run, opened), -trip.sign, 0.0)
        worst = min(worst, trip.sign * opened)
    return (bar << PHASE_BITS) + AT_MARKET_OPEN, price, _loss(trip, price, worst)


@rule
def _loss(trip: Trip, price: float, worst: float) -> float:
    """Return how far the price went against a position that ended at `price`."""
    return max(0.0, trip.sign * trip.base - worst, -trip.sign * (price - trip.base))


@rule
def _put(times: U32_1D, values: F64_1D, record: int, time: int, price: float, loss: float) -> None:
    """Write one record."""
    times[record] = np.uint32(time)
    values[record * VALUE + V_PRICE], values[record * VALUE + V_LOSS] = price, loss


@rule
def put_bounds(ground: Ground, out: Passages) -> None:
    """Write the records behind those of events: where lanes stay, and where sets begin."""
    size, end = out.length + 2, len(ground.prices) << PHASE_BITS
    for row in range(len(ground.stops) + len(ground.targets)):
        _put(out.times, out.values, row * size + size - 2, end, 1.0, 0.0)
        _put(out.times, out.values, row * size + size - 1, 0, 1.0, 0.0)


@rule
def put_after(ground: Ground, after: U32_1D) -> None:
    """Write of every bar its month and the first event at or after the bar before."""
    event = month = 0
    for bar in range(len(after)):
        while event < len(ground.entries) and ground.entries[event] < bar - 1:
            event += 1
        while month < len(ground.months) and ground.months[month] <= bar:
            month += 1
        after[bar] = np.uint32((month << MONTH_SHIFT) | event)
