"""The compiled pass of the gate path: figures from wishes, where earlier ends decide on later ones.

It runs on one thread and leaves Python's lock alone, as those of chains do.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, inlined, rule, shared, stamp_of
from engines.kernels.chains.columns import I32_1D
from engines.kernels.chains.drivers import NO_SET
from engines.kernels.chains.lanes import weigh
from engines.kernels.chains.margin import judge
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gates.columns import GATE_NUMBERS, STANDS, Course, Room
from engines.kernels.gates.limits import conclude, has_limits, heed
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
from engines.kernels.gates.sets import hand_over, note, vacate
from engines.kernels.gates.shares import weigh_exactly, weigh_rounds
from engines.kernels.passage.columns import Fixed, Payments
from engines.kernels.passage.funding import pay, pay_until_closes
from engines.kernels.passage.lanes import (
    LANE_PLACES,
    LANES,
    mark,
    move_on,
    size,
    size_exactly,
    tally,
    turn,
)
from engines.kernels.slots import RUN, TERMS
from engines.kernels.summary import SUMS_SIZE
from engines.types import F64_1D, I64_1D

Advance: TypeAlias = Callable[[Course, I32_1D, I64_2D, F64_2D], None]


@rule
def settle(lanes: F64_1D, payments: Payments, fixed: Fixed) -> None:
    """Find what the position of each lane pays for funding until its end."""
    if len(payments.rates) > 0:
        if fixed.settles:
            pay_until_closes(lanes, payments, fixed)
        else:
            pay(lanes, payments, fixed)


@inlined
def _step(course: Course, wishes: I32_1D, room: Room) -> None:
    """Let every lane end its position and begin the one after."""
    stands, lanes, ratios, run = room.stands, room.lanes, room.ratios, room.run
    opens, given, exits, payments = course.opens, course.given, course.exits, course.payments
    decides, fixed, gates, kelly = course.decides, course.fixed, course.gates, course.kelly
    sizes = course.sizes
    closes, opened, unit = course.days.closes, course.days.opens, fixed.point_value
    seek_ends(
        stands, lanes, wishes, decides, gates, closes, exits.ends, opens, payments, sizes,
        fixed,
    )  # fmt: skip # one call
    read_ends(stands, lanes, room.places, opens, exits)
    settle(lanes, payments, fixed)
    if has_limits(gates) and heed(
        stands, lanes, room.places, gates, course.watch, opens, given, exits,
        course.shares.atr, payments, fixed,
    ):  # fmt: skip # one call
        settle(lanes, payments, fixed)
    result(lanes, fixed)
    if has_limits(gates):
        conclude(stands, lanes, gates, fixed)
    count_alone(stands, lanes, ratios, gates, opened, opens.lag, kelly, unit)
    if kelly.room > 0:
        weigh_rounds(stands, lanes, ratios, kelly, run)
    seek_nexts(stands, lanes, wishes, decides, gates, closes, opens, sizes, fixed)
    read_nexts(stands, lanes, opens, given, course.shares)
    take_nexts(stands, opens, given, exits)
    weigh(lanes, fixed, sizes, opens.bars + 1.0)
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
    fixed, kelly, is_given, waiting = course.fixed, course.kelly, len(course.given.stops) > 0, 0
    vacate(room, owner)
    while True:
        waiting = hand_over(sets, waiting, found, fixed, kelly, is_given, room, owner, sums)
        if waiting == NO_SET:
            break
        _step(course, wishes, room)
        note(room)


play = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets; what it closes over is a part of its cache's key."""

    def advance(course: Course, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
        kelly_room = course.kelly.room if stamp != 0 else 0
        room = Room(
            np.zeros(STANDS * LANES, np.int64), np.zeros(GATE_NUMBERS * LANES),
            np.zeros(LANE_PLACES * LANES, np.uint64), np.zeros(kelly_room * LANES),
            np.zeros(RUN + kelly_room), np.empty(course.fixed.months * LANES),
        )  # fmt: skip # the order of its fields
        room.run[:TERMS] = course.given.runs[0, :TERMS]
        play(course, wishes, sets, found, room, np.empty(LANES, np.int64), np.empty(SUMS_SIZE))

    return driver(advance)


STAMP = stamp_of(globals())
advance_gated = _advance(STAMP)
