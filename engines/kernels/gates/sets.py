"""Sets take the lanes of a pass where each chooses its links as it goes, and leave their figures.

A set has come to its end where its lane holds nothing after a step.
"""

import math

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.chains.drivers import NO_SET, SET_PLAN, SET_ROW, SET_START, SET_STOP
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gates.columns import (
    CLOSED,
    CLOSED_PNL,
    CLOSED_SIZE,
    CURSOR,
    ENTRY,
    IS_LEFT,
    NO_ENTRY,
    PLAN,
    ROW,
    STOP,
    TAKEN,
    Kelly,
    Room,
)
from engines.kernels.gates.limits import forget_limits
from engines.kernels.gates.rules import open_gates
from engines.kernels.gates.shares import forget
from engines.kernels.parts.lanes import start_parts
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.figures import figures_of
from engines.kernels.passage.lanes import LANES, MONTH, NET, start_lane
from engines.types import F64_1D, I64_1D


@rule
def vacate(room: Room, owner: I64_1D) -> None:
    """Let no lane have a set."""
    for lane in range(LANES):
        owner[lane], room.stands[ENTRY + lane] = NO_SET, NO_ENTRY


@rule
def hand_over(
    sets: I64_2D, waiting: int, found: F64_2D, fixed: Fixed, kelly: Kelly, is_given: bool,
    room: Room, owner: I64_1D, sums: F64_1D,
) -> int:  # fmt: skip # what waits, what all share, then the lanes
    """Write the figures of sets that have ended, and let others begin in their lanes.

    Returns: the set that waits next, NO_SET when none runs any more.
    """
    running = 0
    for lane in range(LANES):
        if room.stands[ENTRY + lane] != NO_ENTRY:
            running += 1
            continue
        if owner[lane] != NO_SET:
            figures_of(room.lanes, lane, room.marks, fixed, sums, found[owner[lane]])
            owner[lane] = NO_SET
        _clear(fixed, kelly, lane, room)
        if waiting < len(found):
            _begin(sets[waiting], fixed, is_given, lane, room)
            owner[lane], waiting, running = waiting, waiting + 1, running + 1
    return waiting if running > 0 else NO_SET


@rule
def _begin(item: I64_1D, fixed: Fixed, is_given: bool, lane: int, room: Room) -> None:
    """Let a set begin in a lane."""
    stands = room.stands
    stands[CURSOR + lane], stands[STOP + lane] = item[SET_START], item[SET_STOP]
    stands[ROW + lane] = 0 if is_given else item[SET_ROW]
    stands[PLAN + lane] = item[SET_PLAN]
    for month in range(fixed.months):
        room.marks[month * LANES + lane] = math.nan


@rule
def _clear(fixed: Fixed, kelly: Kelly, lane: int, room: Room) -> None:
    """Put a lane where every set begins; it wishes for nothing yet."""
    room.stands[CURSOR + lane] = room.stands[STOP + lane] = 0
    room.stands[TAKEN + lane] = room.stands[IS_LEFT + lane] = 0
    room.stands[ENTRY + lane] = NO_ENTRY
    open_gates(room.stands, lane)
    forget_limits(room.stands, room.lanes, lane, fixed)
    forget(room.stands, room.lanes, room.ratios, lane, kelly)
    for number in (CLOSED, CLOSED_PNL, CLOSED_SIZE):
        room.lanes[number + lane] = 0.0
    start_lane(room.lanes, room.places, lane, fixed)
    start_parts(room.lanes, lane, fixed)


@rule
def note(room: Room) -> None:
    """Note closed profits by the month of each lane."""
    for lane in range(LANES):
        month = room.places[MONTH + lane] * np.uint64(LANES) + np.uint64(lane)
        room.marks[month] = room.lanes[NET + lane]
