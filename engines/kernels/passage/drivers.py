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
from engines.kernels.passage.events import put_event
from engines.kernels.passage.figures import figures_of
from engines.kernels.passage.funding import pay
from engines.kernels.passage.lanes import (
    AT,
    BARS_ROW,
    END,
    EVENTS,
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
from engines.kernels.passage.walk import STOPS, TARGETS, put_after, put_bounds, walk
from engines.kernels.slots import RUN, TERMS
from engines.kernels.summary import SUMS_SIZE
from engines.types import F64_1D, I64_1D

EVENTS_A_BLOCK = 256
SETS_A_BLOCK = 256
NO_SET = -1
# Where the rows, the events and the bars of a set begin in the tables, and its last event.
SET_STOP, SET_TARGET, SET_EVENTS, SET_BARS, SET_END = range(5)
SET = 5

Survey: TypeAlias = Callable[[Ground, F64_1D, Passages], None]
U64_2D: TypeAlias = npt.NDArray[np.uint64]
Advance: TypeAlias = Callable[[Passages, U64_2D, Payments, Fixed, F64_2D], None]


def _walk_block(
    ground: Ground, run: F64_1D, out: Passages, near: F64_2D, rows: F64_2D, first: int, last: int
) -> None:
    for row in range(rows.shape[1]):
        rows[STOPS, row] = rows[TARGETS, row] = row
    for place in range(first, last):
        put_event(run, ground, out, place)
        walk(run, ground, out, place, near, rows)


def _take(
    lanes: F64_1D, places: U64_1D, lane: int, item: U64_1D, fixed: Fixed, marks: F64_1D
) -> None:
    places[STOP_ROW + lane], places[TARGET_ROW + lane] = item[SET_STOP], item[SET_TARGET]
    places[EVENTS + lane], places[BARS_ROW + lane] = item[SET_EVENTS], item[SET_BARS]
    places[END + lane] = item[SET_END]
    start_lane(lanes, places, lane, fixed)
    for month in range(fixed.months):
        marks[month * LANES + lane] = math.nan


take, walk_block = shared(_take), shared(_walk_block)


def _play_block(
    tables: Passages, sets: U64_2D, first: int, last: int, payments: Payments, fixed: Fixed,
    found: F64_2D, lanes: F64_1D, places: U64_1D, owner: I64_1D, marks: F64_1D, sums: F64_1D,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    waiting, running = first, 0
    for lane in range(LANES):
        owner[lane] = NO_SET
        take(lanes, places, lane, sets[min(first + lane, last - 1)], fixed, marks)
        if waiting < last:
            owner[lane] = waiting
            waiting, running = waiting + 1, running + 1
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
            if places[AT + lane] != places[END + lane] or owner[lane] == NO_SET:
                continue
            figures_of(lanes, lane, marks, fixed, sums, found[owner[lane]])
            if waiting < last:
                take(lanes, places, lane, sets[waiting], fixed, marks)
                owner[lane], waiting = waiting, waiting + 1
            else:
                owner[lane], running = NO_SET, running - 1


play_block = shared(_play_block)


def _survey(stamp: int) -> Survey:
    """Return the pass that writes the tables of a group; `stamp` is a part of its cache's key."""

    def survey(ground: Ground, terms: F64_1D, out: Passages) -> None:
        count = len(ground.entries) if stamp != 0 else 0
        put_bounds(ground, out)
        put_after(ground, out.after)
        for block in prange((count + EVENTS_A_BLOCK - 1) // EVENTS_A_BLOCK):
            run = np.zeros(RUN)
            run[:TERMS] = terms[:TERMS]
            levels = max(len(ground.stops), len(ground.targets))
            near, rows = np.empty((2, levels)), np.empty((2, levels))
            start = block * EVENTS_A_BLOCK
            last = min(count, start + EVENTS_A_BLOCK)
            walk_block(ground, run, out, near, rows, start, last)

    return driver(survey, parallel=True)


def _advance(stamp: int) -> Advance:
    """Return the pass that advances sets through the tables; `stamp` as in `_survey`."""

    def advance(
        tables: Passages, sets: U64_2D, payments: Payments, fixed: Fixed, found: F64_2D
    ) -> None:
        count = len(sets) if stamp != 0 else 0
        for block in prange((count + SETS_A_BLOCK - 1) // SETS_A_BLOCK):
            lanes, places = np.zeros(LANE_NUMBERS * LANES), np.zeros(LANE_PLACES * LANES, np.uint64)
            owner, marks = np.empty(LANES, np.int64), np.empty(fixed.months * LANES)
            start, sums = block * SETS_A_BLOCK, np.empty(SUMS_SIZE)
            last = min(count, start + SETS_A_BLOCK)
            play_block(
                tables, sets, start, last, payments, fixed, found, lanes, places, owner, marks, sums
            )

    return driver(advance, parallel=True)


STAMP = stamp_of(globals())
survey, advance = _survey(STAMP), _advance(STAMP)
