"""The compiled pass of the gate path: figures from wishes, where earlier ends decide on later ones.

It runs on one thread and leaves Python's lock alone, as those of chains do.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels import (
    _prefetch,
    book,
    bracket_walk,
    chain_columns,
    chain_drivers,
    chain_exits,
    chain_lanes,
    chain_margin,
    chain_shares,
    chain_walk,
    decisions,
    desk,
    exact,
    exit_walk,
    gate_columns,
    gate_links,
    gate_rules,
    gates,
    legs,
    lots,
    money,
    passage_columns,
    passage_events,
    passage_figures,
    passage_funding,
    passage_lanes,
    rounding,
    rounds,
    rungs,
    search,
    slots,
    summary,
)
from engines.kernels._compiled import driver, rule, shared, stamp_of
from engines.kernels.chain_columns import I32_1D
from engines.kernels.chain_drivers import NO_SET, SET_PLAN, SET_ROW, SET_START, SET_STOP
from engines.kernels.chain_lanes import CHAIN_NUMBERS, weigh
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gate_columns import (
    CURSOR,
    ENTRY,
    NO_ENTRY,
    PLAN,
    ROW,
    STANDS,
    STOP,
    Course,
)
from engines.kernels.gate_links import (
    count_joined,
    read_ends,
    read_nexts,
    result,
    seek_ends,
    seek_nexts,
    take_nexts,
)
from engines.kernels.gate_rules import open_gates
from engines.kernels.passage_columns import U64_1D
from engines.kernels.passage_figures import figures_of
from engines.kernels.passage_funding import pay
from engines.kernels.passage_lanes import (
    LANE_PLACES,
    LANES,
    MONTH,
    NET,
    mark,
    move_on,
    size,
    size_exactly,
    start_lane,
    tally,
    turn,
)
from engines.kernels.summary import SUMS_SIZE
from engines.types import F64_1D, I64_1D

Advance: TypeAlias = Callable[[Course, I32_1D, I64_2D, F64_2D], None]


@rule
def _take(
    course: Course, item: I64_1D, lane: int, stands: I64_1D, lanes: F64_1D, places: U64_1D,
    marks: F64_1D,
) -> None:  # fmt: skip # what a set is, then where it goes
    is_given = len(course.given.stops) > 0
    stands[CURSOR + lane], stands[STOP + lane] = item[SET_START], item[SET_STOP]
    stands[ROW + lane] = 0 if is_given else item[SET_ROW]
    stands[PLAN + lane], stands[ENTRY + lane] = item[SET_PLAN], NO_ENTRY
    open_gates(stands, lane)
    start_lane(lanes, places, lane, course.fixed)
    for month in range(course.fixed.months):
        marks[month * LANES + lane] = math.nan


@rule
def _idle(course: Course, lane: int, stands: I64_1D, lanes: F64_1D, places: U64_1D) -> None:
    """Let a lane that has no set wish for nothing."""
    stands[CURSOR + lane] = stands[STOP + lane] = 0
    stands[ENTRY + lane] = NO_ENTRY
    open_gates(stands, lane)
    start_lane(lanes, places, lane, course.fixed)


@rule
def _step(course: Course, wishes: I32_1D, stands: I64_1D, lanes: F64_1D, places: U64_1D) -> None:
    """Let every lane end its position and begin the one after."""
    opens, fixed, gates, days = course.opens, course.fixed, course.gates, course.days
    seek_ends(stands, wishes, course.decides, course.exits, gates, days, opens.bars)
    read_ends(stands, lanes, places, opens, course.exits)
    if len(course.payments.rates) > 0:
        pay(lanes, course.payments, fixed)
    result(lanes, fixed)
    seek_nexts(stands, lanes, wishes, course.decides, gates, days, opens.bars)
    read_nexts(stands, lanes, course)
    take_nexts(stands, course)
    weigh(lanes, fixed, course.sizes, opens.bars + 1.0)
    if size(lanes, fixed):
        size_exactly(lanes, fixed)
    turn(lanes, fixed)
    count_joined(stands, lanes, gates, days)
    tally(lanes)
    mark(lanes, fixed)
    move_on(lanes)


def _play(
    course: Course, wishes: I32_1D, sets: I64_2D, found: F64_2D, stands: I64_1D, lanes: F64_1D,
    places: U64_1D, owner: I64_1D, marks: F64_1D, sums: F64_1D,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    count, waiting, running = len(found), 0, 0
    for lane in range(LANES):
        owner[lane] = NO_SET
        if waiting < count:
            _take(course, sets[waiting], lane, stands, lanes, places, marks)
            owner[lane] = waiting
            waiting, running = waiting + 1, running + 1
        else:
            _idle(course, lane, stands, lanes, places)
    while running > 0:
        _step(course, wishes, stands, lanes, places)
        for lane in range(LANES):
            marks[places[MONTH + lane] * np.uint64(LANES) + np.uint64(lane)] = lanes[NET + lane]
            if stands[ENTRY + lane] != NO_ENTRY or owner[lane] == NO_SET:
                continue
            figures_of(lanes, lane, marks, course.fixed, sums, found[owner[lane]])
            if waiting < count:
                _take(course, sets[waiting], lane, stands, lanes, places, marks)
                owner[lane], waiting = waiting, waiting + 1
            else:
                owner[lane], running = NO_SET, running - 1
                _idle(course, lane, stands, lanes, places)


play = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets; what it closes over is a part of its cache's key."""

    def advance(course: Course, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
        stands = np.zeros(STANDS * LANES if stamp != 0 else 0, np.int64)
        lanes, places = np.zeros(CHAIN_NUMBERS * LANES), np.zeros(LANE_PLACES * LANES, np.uint64)
        owner, marks = np.empty(LANES, np.int64), np.empty(course.fixed.months * LANES)
        sums = np.empty(SUMS_SIZE)
        play(course, wishes, sets, found, stands, lanes, places, owner, marks, sums)

    return driver(advance)


STAMP = stamp_of(
    _prefetch, book, bracket_walk, chain_columns, chain_drivers, chain_exits, chain_lanes,
    chain_margin, chain_shares, chain_walk, decisions, desk, exact, exit_walk, gate_columns,
    gate_links, gate_rules, gates, legs, lots, money, passage_columns, passage_events,
    passage_figures, passage_funding, passage_lanes, rounding, rounds, rungs, search, slots,
    summary,
)  # fmt: skip # all that a pass calls
advance_gated = _advance(STAMP)
