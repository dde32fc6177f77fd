"""The compiled pass of gates for positions that close in parts; it runs as that of `gates.drivers`.

Besides rules that look back it follows what else a lane finds as it goes: the share of equity of
each entry's own.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, inlined, shared, stamp_of
from engines.kernels.chains.columns import I32_1D
from engines.kernels.chains.drivers import NO_SET
from engines.kernels.chains.lanes import weigh
from engines.kernels.chains.margin import judge
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gates.columns import GATE_NUMBERS, STANDS, PartCourse, Room
from engines.kernels.gates.limits import has_limits
from engines.kernels.gates.links import read_nexts, seek_nexts
from engines.kernels.gates.part_limits import count_closes, count_entries
from engines.kernels.gates.part_links import (
    count_parts_alone,
    count_parts_joined,
    keep_closed,
    part_result,
    read_part_ends,
    seek_part_ends,
    take_part_nexts,
)
from engines.kernels.gates.part_rounds import end_joined_rounds, end_rounds, keep_rounds
from engines.kernels.gates.sets import hand_over, note, vacate
from engines.kernels.gates.shares import weigh_exactly, weigh_rounds
from engines.kernels.parts.funding import begin_paying, pay_parts, pay_parts_until_closes
from engines.kernels.parts.lanes import (
    mark_parts,
    move_parts,
    size_parts,
    size_parts_exactly,
    turn_parts,
)
from engines.kernels.parts.portions import divide, split
from engines.kernels.passage.lanes import LANE_PLACES, LANES, tally
from engines.kernels.slots import RUN, TERMS
from engines.kernels.summary import SUMS_SIZE
from engines.types import F64_1D, I64_1D

Advance: TypeAlias = Callable[[PartCourse, I32_1D, I64_2D, F64_2D], None]


@inlined
def _end_parts(course: PartCourse, wishes: I32_1D, room: Room) -> None:
    """Find what every lane closes, what that brings, and what it enters next."""
    stands, lanes, opens, exits = room.stands, room.lanes, course.opens, course.exits
    decides, fixed, gates, kelly = course.decides, course.fixed, course.gates, course.kelly
    payments, closes, opened = course.payments, course.days.closes, course.days.opens
    sizes = course.sizes
    seek_part_ends(
        stands, lanes, wishes, decides, gates, closes, exits, opens, payments, sizes,
        fixed,
    )  # fmt: skip # one call
    read_part_ends(stands, lanes, room.places, opens, exits)
    split(lanes, fixed)
    if len(payments.rates) > 0:
        if fixed.settles:
            pay_parts_until_closes(lanes, payments, fixed)
        else:
            pay_parts(lanes, payments, fixed)
    part_result(lanes, fixed)
    if has_limits(gates):
        count_closes(stands, lanes, gates, course.watch, opens.lag)
    count_parts_alone(room, gates, opened, opens.lag)
    if kelly.room > 0:
        end_rounds(lanes, room.ratios, kelly.room, fixed.point_value)
        weigh_rounds(stands, lanes, room.ratios, kelly, room.run)
    seek_nexts(stands, lanes, wishes, decides, gates, closes, opens, sizes, fixed)
    read_nexts(stands, lanes, opens, course.given, course.shares)
    if len(payments.rates) > 0:
        begin_paying(lanes, payments, fixed.settles)


@inlined
def _step(course: PartCourse, wishes: I32_1D, room: Room) -> None:
    """Let every lane close a part or all that is left, and begin what comes after."""
    stands, lanes, fixed, kelly = room.stands, room.lanes, course.fixed, course.kelly
    opens = course.opens
    _end_parts(course, wishes, room)
    take_part_nexts(stands, opens, course.given, course.exits)
    if has_limits(course.gates):
        count_entries(stands, lanes, course.gates, course.watch, opens.lag)
    weigh(lanes, fixed, course.sizes, opens.bars + 1.0)
    if size_parts(lanes, fixed):
        if kelly.room > 0:
            weigh_exactly(stands, lanes, room.ratios, kelly, room.run)
        size_parts_exactly(lanes, fixed)
    turn_parts(lanes, fixed)
    count_parts_joined(room, course.gates, course.days.opens, opens.lag)
    if kelly.room > 0:
        end_joined_rounds(lanes, room.ratios, kelly.room, fixed.point_value)
        keep_rounds(lanes)
    if kelly.room > 0 and kelly.low <= 0:  # Without a share nothing may be reversed.
        weigh_rounds(stands, lanes, room.ratios, kelly, room.run)
    keep_closed(stands, lanes)
    divide(lanes, course.portions, False)
    mark_parts(lanes, fixed)
    if fixed.leverage > 1.0:
        judge(lanes, course.tiers, fixed)
    tally(lanes)
    move_parts(lanes)


def _play(
    course: PartCourse, wishes: I32_1D, sets: I64_2D, found: F64_2D, room: Room, owner: I64_1D,
    sums: F64_1D,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    fixed, kelly, is_given, waiting = course.fixed, course.kelly, len(course.given.stops) > 0, 0
    vacate(room, owner)
    while True:
        waiting = hand_over(sets, waiting, found, fixed, kelly, is_given, room, owner, sums)
        if waiting == NO_SET:
            break
        _step(course, wishes, room)
        note(room)


play_gated_parts = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets; what it closes over is a part of its cache's key."""

    def advance(course: PartCourse, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
        kelly_room = course.kelly.room if stamp != 0 else 0
        room = Room(
            np.zeros(STANDS * LANES, np.int64), np.zeros(GATE_NUMBERS * LANES),
            np.zeros(LANE_PLACES * LANES, np.uint64), np.zeros(kelly_room * LANES),
            np.zeros(RUN + kelly_room), np.empty(course.fixed.months * LANES),
        )  # fmt: skip # the order of its fields
        room.run[:TERMS] = course.given.runs[0, :TERMS]
        owner, sums = np.empty(LANES, np.int64), np.empty(SUMS_SIZE)
        play_gated_parts(course, wishes, sets, found, room, owner, sums)

    return driver(advance)


STAMP = stamp_of(globals())
advance_gated_parts = _advance(STAMP)
