"""The compiled passes of the first-passage path: tables from bars, figures from tables."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import prange

from engines.kernels._compiled import driver, shared, stamp_of
from engines.kernels.columns import F64_2D
from engines.kernels.passage.columns import U64_1D, Fixed, Ground, Passages, Payments
from engines.kernels.passage.events import put_events
from engines.kernels.passage.figures import end_months, put_figures
from engines.kernels.passage.funding import pay
from engines.kernels.passage.lanes import (
    AT,
    END,
    LANE_NUMBERS,
    LANE_PLACES,
    LANES,
    MONTH,
    NET,
    STOP_ROW,
    TARGET_ROW,
    fetch,
    fetch_units,
    mark,
    move_on,
    size,
    size_exactly,
    start_lane,
    tally,
    turn,
)
from engines.kernels.passage.tiles import K_AT, keep, resume, resume_months
from engines.kernels.passage.walk import STOPS, TARGETS, put_after, put_bounds, walk
from engines.kernels.slots import RUN, TERMS
from engines.kernels.summary import SUMS_SIZE, begin_sums
from engines.types import F64_1D, I64_1D

EVENTS_A_BLOCK = 256
SETS_A_BLOCK = 256
NO_SET = -1
# The rows of a set: of its stop and of its target.
SET_STOP, SET_TARGET = range(2)
SET = 2

Survey: TypeAlias = Callable[[Ground, F64_1D, Passages], None]
U64_2D: TypeAlias = npt.NDArray[np.uint64]
Advance: TypeAlias = Callable[[Passages, U64_2D, Payments, Fixed, F64_2D, F64_2D], None]


def _put_market(ground: Ground, terms: F64_1D, out: Passages) -> None:
    # Apart from the pass, where threads would be called together to copy this row.
    run = np.zeros(RUN)
    run[:TERMS] = terms[:TERMS]
    put_events(run, ground, out)
    put_after(ground, out.after)


def _walk_block(
    ground: Ground, run: F64_1D, out: Passages, near: F64_2D, rows: F64_2D, first: int, last: int
) -> None:
    for row in range(rows.shape[1]):
        rows[STOPS, row] = rows[TARGETS, row] = row
    for place in range(first, last):
        walk(run, ground, out, place, near, rows)


def _seat(
    tables: Passages, sets: U64_2D, waiting: int, last: int, fixed: Fixed, kept: F64_2D,
    lanes: F64_1D, places: U64_1D, lane: int, owner: I64_1D, marks: F64_1D,
) -> int:  # fmt: skip # what waits, then where it goes
    """Let a lane take the next set that has to pass this tile, if any; return which is next."""
    end, is_first = tables.first + tables.length, tables.first == 0
    while waiting < last and not is_first and kept[waiting, K_AT] >= end:
        waiting += 1
    item = sets[min(waiting, last - 1)]
    size_of_row, before = np.uint64(tables.length + 2), np.uint64(tables.first)
    places[STOP_ROW + lane] = item[SET_STOP] * size_of_row - before
    places[TARGET_ROW + lane] = item[SET_TARGET] * size_of_row - before
    places[END + lane] = end
    start_lane(lanes, places, lane, fixed)
    owner[lane] = waiting if waiting < last else NO_SET
    if waiting == last:
        places[AT + lane] = end
    elif not is_first:
        resume(lanes, places, lane, marks, kept[waiting])
    return min(waiting + 1, last)


def _leave(
    tables: Passages, fixed: Fixed, lanes: F64_1D, places: U64_1D, lane: int, marks: F64_1D,
    sums: F64_1D, kept: F64_1D, found: F64_1D,
) -> None:  # fmt: skip # whence, then where to
    """Write the figures of a set that has come to its end, or keep it for a later tile."""
    begin_sums(sums, 0, fixed.capital)
    net_before = resume_months(sums, kept) if tables.first > 0 else 0.0
    if places[AT + lane] + np.uint64(2) == np.uint64(len(tables.units)):
        end_months(marks, lane, fixed.months, net_before, sums)
        put_figures(lanes, lane, fixed, sums, found)
        kept[K_AT] = places[AT + lane]
    else:
        month = int(places[MONTH + lane])
        net_before = end_months(marks, lane, month, net_before, sums)
        marks[month * LANES + lane] = math.nan  # which the next set of the lane may pass over
        keep(lanes, places, lane, sums, net_before, kept)


put_market, walk_block = shared(_put_market, makes_arrays=True), shared(_walk_block)
seat, leave = shared(_seat), shared(_leave)


def _play_block(
    tables: Passages, sets: U64_2D, first: int, last: int, payments: Payments, fixed: Fixed,
    kept: F64_2D, found: F64_2D, lanes: F64_1D, places: U64_1D, owner: I64_1D, marks: F64_1D,
    sums: F64_1D,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    waiting, running = first, 0
    for place in range(len(marks)):
        marks[place] = math.nan
    for lane in range(LANES):
        waiting = seat(tables, sets, waiting, last, fixed, kept, lanes, places, lane, owner, marks)
        running += 1 if owner[lane] != NO_SET else 0
    events, times, values, after = tables.events, tables.times, tables.values, tables.after
    while running > 0:
        fetch(lanes, places, events, times, values, after)
        if len(payments.rates) > 0:
            pay(lanes, payments, fixed)
        if size(lanes, fixed):
            fetch_units(lanes, places, tables.units)
            size_exactly(lanes, fixed)
        turn(lanes, fixed)
        tally(lanes)
        mark(lanes, fixed)
        move_on(lanes)
        for lane in range(LANES):
            marks[places[MONTH + lane] * np.uint64(LANES) + np.uint64(lane)] = lanes[NET + lane]
            if places[AT + lane] < places[END + lane]:
                continue
            item = owner[lane]
            if item == NO_SET:
                places[AT + lane] = places[END + lane]
                continue
            leave(tables, fixed, lanes, places, lane, marks, sums, kept[item], found[item])
            waiting = seat(
                tables, sets, waiting, last, fixed, kept, lanes, places, lane, owner, marks
            )
            running -= 1 if owner[lane] == NO_SET else 0


play_block = shared(_play_block)


def _survey(stamp: int) -> Survey:
    """Return the pass that writes the tables of a tile; `stamp` is a part of its cache's key."""

    def survey(ground: Ground, terms: F64_1D, out: Passages) -> None:
        if out.first == 0:
            put_market(ground, terms, out)
        put_bounds(ground, out)
        end = out.first + out.length if stamp != 0 else 0
        for block in prange((end - out.first + EVENTS_A_BLOCK - 1) // EVENTS_A_BLOCK):
            run = np.zeros(RUN)
            run[:TERMS] = terms[:TERMS]
            levels = max(len(ground.stops), len(ground.targets))
            near, rows = np.empty((2, levels)), np.empty((2, levels))
            start = out.first + block * EVENTS_A_BLOCK
            last = min(end, start + EVENTS_A_BLOCK)
            walk_block(ground, run, out, near, rows, start, last)

    return driver(survey, parallel=True)


def _advance(stamp: int) -> Advance:
    """Return the pass that advances sets through the tables; `stamp` as in `_survey`."""

    def advance(
        tables: Passages, sets: U64_2D, payments: Payments, fixed: Fixed, kept: F64_2D,
        found: F64_2D,
    ) -> None:  # fmt: skip # one list
        count = len(sets) if stamp != 0 else 0
        for block in prange((count + SETS_A_BLOCK - 1) // SETS_A_BLOCK):
            lanes, places = np.zeros(LANE_NUMBERS * LANES), np.zeros(LANE_PLACES * LANES, np.uint64)
            owner, marks = np.empty(LANES, np.int64), np.empty(fixed.months * LANES)
            start, sums = block * SETS_A_BLOCK, np.empty(SUMS_SIZE)
            last = min(count, start + SETS_A_BLOCK)
            play_block(
                tables, sets, start, last, payments, fixed, kept, found, lanes, places, owner,
                marks, sums,
            )  # fmt: skip # one call

    return driver(advance, parallel=True)


STAMP = stamp_of(globals())
survey, advance = _survey(STAMP), _advance(STAMP)
