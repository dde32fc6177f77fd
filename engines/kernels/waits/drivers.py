"""The compiled passes of entries that wait: where orders are met, and figures from wishes.

They run on one thread and leave Python's lock alone, as those of chains do.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, rule, shared, stamp_of
from engines.kernels.chains.columns import I32_1D
from engines.kernels.chains.drivers import NO_SET, SET_PLAN, SET_ROW, SET_START, SET_STOP
from engines.kernels.chains.margin import judge as cover
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.parts.lanes import (
    mark_parts,
    move_parts,
    size_parts,
    size_parts_exactly,
    start_parts,
    turn_parts,
)
from engines.kernels.parts.portions import divide, split
from engines.kernels.passage.columns import U64_1D
from engines.kernels.passage.figures import figures_of
from engines.kernels.passage.lanes import (
    AT,
    END,
    IS_UNSURE,
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
from engines.kernels.waits.columns import (
    PART_LINK,
    R_WHERE,
    ROW,
    WHERE_BITS,
    Levels,
    Orders,
    PartTurns,
    Turns,
    Way,
)
from engines.kernels.waits.gates import IS_DOUBTED, STANDING
from engines.kernels.waits.lanes import (
    WAIT_NUMBERS,
    enter,
    follow,
    idle,
    judge,
    pay_wait,
    skip_empty,
    start_wait,
    weigh,
)
from engines.kernels.waits.orders import find_fill
from engines.kernels.waits.part_lanes import begin_paying_late, follow_parts, pay_wait_parts
from engines.kernels.waits.part_links import part_links
from engines.kernels.waits.walk import link, look_back, share_out
from engines.types import F64_1D, I64_1D

Find: TypeAlias = Callable[[F64_2D, F64_2D, F64_1D, F64_1D, Orders], None]
Advance: TypeAlias = Callable[[Way, Levels, I32_1D, I64_2D, F64_2D], None]


def _finder(stamp: int) -> Find:
    """Return the pass that finds where orders are met; `stamp` is a part of its cache's key."""

    def find(
        prices: F64_2D, reach: F64_2D, slip_ratio: F64_1D, terms: F64_1D, orders: Orders
    ) -> None:  # fmt: skip # what it reads, then what it finds
        run = np.zeros(RUN if stamp != 0 else 0)
        run[:TERMS] = terms[:TERMS]
        count = len(orders.entries)
        for place in range(count):
            entry = orders.entries[place]
            row = orders.rows[place * ROW : (place + 1) * ROW]
            orders.codes[entry] = np.int32(find_fill(run, prices, reach, slip_ratio, entry, row))
            orders.places[entry] = np.int32(place)
        row = orders.rows[count * ROW : (count + 1) * ROW]
        row[:] = 1.0  # which only has to be harmless
        row[R_WHERE] = (len(prices) + 1) << WHERE_BITS

    return driver(find)


def _take(
    way: Way, levels: Levels, wishes: I32_1D, item: I64_1D, turns: Turns, links: PartTurns,
    lane: int, lanes: F64_1D, places: U64_1D, marks: F64_1D, now: I64_1D,
) -> None:  # fmt: skip # what a set is, then where it goes
    first, own = lane * turns.room, wishes[item[SET_START] : item[SET_STOP]]
    count = link(own, way, levels, item[SET_ROW], turns, first, now)
    if way.shares.are_own:
        share_out(way, levels, item[SET_PLAN], turns, first, count)
    if links.room > 0:
        start = lane * links.room
        count = part_links(way, levels, item[SET_ROW], turns, first, count, links, start)
        first = start
        start_parts(lanes, lane, way.fixed)
    else:
        look_back(way, turns, first, count)
    start_lane(lanes, places, lane, way.fixed)
    start_wait(lanes, places, lane, first, count)
    lanes[IS_UNSURE + lane] = float(now[IS_DOUBTED])
    for month in range(way.fixed.months):
        marks[month * LANES + lane] = math.nan


take = shared(_take)


@rule
def _step(way: Way, turns: Turns, lanes: F64_1D, places: U64_1D) -> None:
    """Let every lane end the position of its next link and begin the one after."""
    fixed, sizes = way.fixed, way.sizes
    follow(lanes, places, turns, way.orders.rows, way.opens.lines)
    weigh(lanes, fixed, sizes, float(way.opens.bars))
    if len(way.payments.rates) > 0:
        pay_wait(lanes, way.payments, fixed)
    if size(lanes, fixed):
        size_exactly(lanes, fixed)
    judge(lanes, fixed, sizes)
    turn(lanes, fixed)
    enter(lanes, fixed)
    tally(lanes)
    skip_empty(lanes)
    mark(lanes, fixed)
    if fixed.leverage > 1.0:
        cover(lanes, way.tiers, fixed)
    move_on(lanes)


@rule
def _step_parts(way: Way, links: PartTurns, levels: Levels, lanes: F64_1D, places: U64_1D) -> None:
    """Let every lane close the part of its next link, and begin what comes after the last one."""
    fixed, sizes, payments = way.fixed, way.sizes, way.payments
    follow_parts(lanes, places, links, way.orders.rows)
    weigh(lanes, fixed, sizes, float(way.opens.bars))
    split(lanes, fixed)
    if len(payments.rates) > 0:
        pay_wait_parts(lanes, payments, fixed)
        begin_paying_late(lanes, payments)
    if size_parts(lanes, fixed, True):
        size_parts_exactly(lanes, fixed)
    judge(lanes, fixed, sizes)
    turn_parts(lanes, fixed)
    enter(lanes, fixed)
    divide(lanes, levels.portions, True)
    mark_parts(lanes, fixed)
    if fixed.leverage > 1.0:
        cover(lanes, way.tiers, fixed)
    tally(lanes)
    skip_empty(lanes)
    move_parts(lanes)


def _play(
    way: Way, levels: Levels, wishes: I32_1D, sets: I64_2D, found: F64_2D, turns: Turns,
    links: PartTurns, lanes: F64_1D, places: U64_1D, owner: I64_1D, marks: F64_1D, sums: F64_1D,
    now: I64_1D,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    count, waiting, running = len(found), 0, 0
    for lane in range(LANES):
        owner[lane] = NO_SET
        if waiting < count:
            item = sets[waiting]
            take(way, levels, wishes, item, turns, links, lane, lanes, places, marks, now)
            owner[lane] = waiting
            waiting, running = waiting + 1, running + 1
        else:
            start_lane(lanes, places, lane, way.fixed)
            start_parts(lanes, lane, way.fixed)
            idle(places, lane)
    while running > 0:
        if links.room > 0:
            _step_parts(way, links, levels, lanes, places)
        else:
            _step(way, turns, lanes, places)
        for lane in range(LANES):
            marks[places[MONTH + lane] * np.uint64(LANES) + np.uint64(lane)] = lanes[NET + lane]
            if places[AT + lane] != places[END + lane] or owner[lane] == NO_SET:
                continue
            figures_of(lanes, lane, marks, way.fixed, sums, found[owner[lane]])
            if waiting < count:
                item = sets[waiting]
                take(way, levels, wishes, item, turns, links, lane, lanes, places, marks, now)
                owner[lane], waiting = waiting, waiting + 1
            else:
                owner[lane], running = NO_SET, running - 1


play = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets which differ in wishes and levels; `stamp` as before."""

    def advance(way: Way, levels: Levels, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
        room = 0 if stamp != 0 else 1
        for item in range(len(found)):
            # Each wish may be met once, whether it opens a position or only closes one.
            room = max(room, sets[item, SET_STOP] - sets[item, SET_START] + 1)
        turns = Turns(
            np.empty(LANES * room, np.int32), np.empty(LANES * room, np.int32),
            np.empty(LANES * room, np.int32), np.empty(LANES * room), np.empty(LANES * room),
            np.empty(LANES * room if way.shares.are_own else 0), room,
        )  # fmt: skip # the order of its fields
        # A position closes no more often than it has targets.
        part_room = room * levels.portions.targets
        links = PartTurns(
            np.empty(LANES * part_room * PART_LINK, np.int32),
            np.empty(LANES * part_room * PART_LINK), part_room,
        )  # fmt: skip # the order of its fields
        lanes, places = np.zeros(WAIT_NUMBERS * LANES), np.zeros(LANE_PLACES * LANES, np.uint64)
        owner, marks = np.empty(LANES, np.int64), np.empty(way.fixed.months * LANES)
        sums, now = np.empty(SUMS_SIZE), np.zeros(STANDING, np.int64)
        play(
            way, levels, wishes, sets, found, turns, links, lanes, places, owner, marks, sums, now
        )  # fmt: skip # one call

    return driver(advance)


STAMP = stamp_of(globals())
find_fills, advance_waits = _finder(STAMP), _advance(STAMP)
