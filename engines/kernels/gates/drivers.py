"""The compiled pass of the gate path: figures from wishes, where earlier ends decide on later ones.

It runs on one thread and leaves Python's lock alone, as those of chains do.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, inlined, rule, shared, stamp_of
from engines.kernels.chains.columns import I32_1D
from engines.kernels.chains.drivers import NO_SET, SET_PLAN, SET_ROW, SET_START, SET_STOP
from engines.kernels.chains.lanes import weigh
from engines.kernels.chains.margin import judge
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gates.columns import (
    CURSOR,
    ENTRY,
    GATE_NUMBERS,
    NO_ENTRY,
    PLAN,
    ROW,
    STANDS,
    STOP,
    Course,
    Room,
)
from engines.kernels.gates.links import (
    count_alone,
    count_joined,
    read_ends,
    read_nexts,
    result,
    seek_ends,
    seek_nexts,
    take_nexts,
)
from engines.kernels.gates.rules import open_gates
from engines.kernels.gates.shares import forget, weigh_exactly, weigh_rounds
from engines.kernels.passage.figures import figures_of
from engines.kernels.passage.funding import pay, pay_until_closes
from engines.kernels.passage.lanes import (
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
from engines.kernels.slots import RUN, TERMS
from engines.kernels.summary import SUMS_SIZE
from engines.types import F64_1D, I64_1D

Advance: TypeAlias = Callable[[Course, I32_1D, I64_2D, F64_2D], None]


@rule
def _begin(course: Course, item: I64_1D, lane: int, room: Room) -> None:
    """Let a set begin in a lane."""
    stands = room.stands
    stands[CURSOR + lane], stands[STOP + lane] = item[SET_START], item[SET_STOP]
    stands[ROW + lane] = 0 if len(course.given.stops) > 0 else item[SET_ROW]
    stands[PLAN + lane] = item[SET_PLAN]
    for month in range(course.fixed.months):
        room.marks[month * LANES + lane] = math.nan


@rule
def _clear(course: Course, lane: int, room: Room) -> None:
    """Put a lane where every set begins; it wishes for nothing yet."""
    room.stands[CURSOR + lane] = room.stands[STOP + lane] = 0
    room.stands[ENTRY + lane] = NO_ENTRY
    open_gates(room.stands, lane)
    forget(room.stands, room.lanes, room.ratios, lane, course.kelly)
    start_lane(room.lanes, room.places, lane, course.fixed)


@inlined
def _step(course: Course, wishes: I32_1D, room: Room) -> None:
    """Let every lane end its position and begin the one after."""
    stands, lanes, ratios, run = room.stands, room.lanes, room.ratios, room.run
    opens, given, exits, payments = course.opens, course.given, course.exits, course.payments
    decides, fixed, gates, kelly = course.decides, course.fixed, course.gates, course.kelly
    closes, opened, unit = course.days.closes, course.days.opens, fixed.point_value
    seek_ends(
        stands, lanes, wishes, decides, gates, closes, exits.ends, opens, payments, fixed
    )  # fmt: skip # one call
    read_ends(stands, lanes, room.places, opens, exits)
    if len(payments.rates) > 0:
        if fixed.settles:
            pay_until_closes(lanes, payments, fixed)
        else:
            pay(lanes, payments, fixed)
    result(lanes, fixed)
    count_alone(stands, lanes, ratios, gates, opened, opens.lag, kelly, unit)
    if kelly.room > 0:
        weigh_rounds(stands, lanes, ratios, kelly, run)
    seek_nexts(stands, wishes, decides, gates, closes, opens.bars)
    read_nexts(stands, lanes, opens, given, course.shares)
    take_nexts(stands, opens, given, exits)
    weigh(lanes, fixed, course.sizes, opens.bars + 1.0)
    if size(lanes, fixed):
        if kelly.room > 0:
            weigh_exactly(stands, lanes, ratios, kelly, run)
        size_exactly(lanes, fixed)
    turn(lanes, fixed)
    count_joined(stands, lanes, ratios, gates, opened, opens.lag, kelly, unit)
    if kelly.room > 0 and kelly.low <= 0:  # Without a share nothing may be reversed.
        weigh_rounds(stands, lanes, ratios, kelly, run)
    tally(lanes)
    mark(lanes, fixed)
    if fixed.leverage > 1.0:
        judge(lanes, course.tiers, fixed)
    move_on(lanes)


def _play(
    course: Course, wishes: I32_1D, sets: I64_2D, found: F64_2D, room: Room, owner: I64_1D,
    sums: F64_1D,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    waiting, running = 0, 0
    stands, lanes, places, marks = room.stands, room.lanes, room.places, room.marks
    for lane in range(LANES):
        owner[lane], stands[ENTRY + lane] = NO_SET, NO_ENTRY
    while True:
        for lane in range(LANES):
            if stands[ENTRY + lane] != NO_ENTRY:
                continue
            if owner[lane] != NO_SET:
                figures_of(lanes, lane, marks, course.fixed, sums, found[owner[lane]])
                owner[lane], running = NO_SET, running - 1
            _clear(course, lane, room)
            if waiting < len(found):
                _begin(course, sets[waiting], lane, room)
                owner[lane], waiting, running = waiting, waiting + 1, running + 1
        if running == 0:
            break
        _step(course, wishes, room)
        for lane in range(LANES):
            marks[places[MONTH + lane] * np.uint64(LANES) + np.uint64(lane)] = lanes[NET + lane]


play = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets; what it closes over is a part of its cache's key."""

    def advance(course: Course, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
        kelly_room = course.kelly.room if stamp != 0 else 0
        run = np.zeros(RUN + kelly_room)
        run[:TERMS] = course.given.runs[0, :TERMS]
        room = Room(
            np.zeros(STANDS * LANES, np.int64), np.zeros(GATE_NUMBERS * LANES),
            np.zeros(LANE_PLACES * LANES, np.uint64), np.zeros(kelly_room * LANES), run,
            np.empty(course.fixed.months * LANES),
        )  # fmt: skip # the order of its fields
        owner, sums = np.empty(LANES, np.int64), np.empty(SUMS_SIZE)
        play(course, wishes, sets, found, room, owner, sums)

    return driver(advance)


STAMP = stamp_of(globals())
advance_gated = _advance(STAMP)
