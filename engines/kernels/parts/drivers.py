"""The compiled passes of positions that close in parts: their exits, and figures from wishes.

They run as those of `chains.drivers` do, on one thread and beside Python.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, inlined, rule, shared, stamp_of
from engines.kernels.chains.columns import I32_1D, Opens
from engines.kernels.chains.drivers import NO_SET, SET_ROW, SET_START, SET_STOP
from engines.kernels.chains.lanes import idle, start_chain, weigh
from engines.kernels.chains.margin import judge
from engines.kernels.chains.shares import share_out
from engines.kernels.chains.walk import given_with
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gates.columns import CLOSED_PNL, CLOSED_SIZE, GATE_NUMBERS, STANDS, PartCourse
from engines.kernels.parts.columns import L_NEXT, LINK, PartExits, PartLinks
from engines.kernels.parts.exits import walk_parts
from engines.kernels.parts.funding import begin_paying, pay_parts, pay_parts_until_closes
from engines.kernels.parts.lanes import (
    PART_PLACES,
    follow_parts,
    look_ahead,
    mark_parts,
    move_parts,
    size_parts,
    size_parts_exactly,
    start_parts,
    turn_parts,
)
from engines.kernels.parts.levels import PART_WALK
from engines.kernels.parts.portions import divide, split
from engines.kernels.parts.results import (
    add_up_closes,
    asks_for_results,
    check_results,
)
from engines.kernels.parts.unmet import is_unmet, least_price
from engines.kernels.parts.walk import link_parts, look_back_parts
from engines.kernels.passage.columns import U64_1D
from engines.kernels.passage.figures import figures_of
from engines.kernels.passage.lanes import (
    AT,
    END,
    LANES,
    MONTH,
    NET,
    start_lane,
    tally,
)
from engines.kernels.slots import TERMS
from engines.kernels.summary import SUMS_SIZE
from engines.types import F64_1D, I64_1D

Find: TypeAlias = Callable[
    [Opens, F64_2D, F64_1D, F64_1D, F64_1D, I64_1D, I32_1D, PartExits, int, F64_1D], None
]
Advance: TypeAlias = Callable[[PartCourse, I32_1D, I64_2D, F64_2D], None]


def _finder(stamp: int) -> Find:
    """Return the pass that finds how levels close entries in parts under one plan.

    Closes stay as they are, of another stop, while both lie below `least` (`unmet`).
    """

    def find(
        opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, terms: F64_1D,
        entries: I64_1D, until: I32_1D, exits: PartExits, row: int, least: F64_1D,
    ) -> None:  # fmt: skip # what it reads, then what it finds
        run = np.zeros(PART_WALK if stamp != 0 else 0)
        run[:TERMS] = terms[:TERMS]
        for place in range(len(entries)):
            entry, last = entries[place], int(until[place])
            at = row * exits.entries + exits.places[entry]
            known = atr[(entry >> 1) - 1] if len(atr) > 0 else math.nan
            if is_unmet(run, opens, entry, known, least[at]):
                continue
            walk_parts(
                run, opens, prices, slip_ratio, entry, last, math.nan, math.nan, known, exits, at
            )  # fmt: skip # one call
            add_up_closes(opens, exits, entry, at)
            least[at] = least_price(run, opens, entry, last, exits, at)

    return driver(find)


def _take(
    course: PartCourse, wishes: I32_1D, item: I64_1D, links: PartLinks, stands: I64_1D, lane: int,
    lanes: F64_1D, places: U64_1D, marks: F64_1D,
) -> None:  # fmt: skip # what a set is, then where it goes
    opens, shares, fixed = course.opens, course.shares, course.fixed
    first, start, stop = lane * links.room, item[SET_START], item[SET_STOP]
    given, plan = given_with(course.given, start, stop), item[SET_ROW]
    own = wishes[start:stop]
    count = link_parts(own, course, given, plan, links, stands, lane)
    look_back_parts(opens, links, first, count)
    if shares.are_own:
        share_out(
            own, opens, given, shares, plan, links.links, LINK, L_NEXT, first, count, links.shares
        )  # fmt: skip # one call
    start_lane(lanes, places, lane, fixed)
    start_parts(lanes, lane, fixed)
    lanes[CLOSED_PNL + lane] = lanes[CLOSED_SIZE + lane] = 0.0
    start_chain(places, lane, first, count)
    look_ahead(places, links, course.exits, opens.lines, lane)
    for month in range(fixed.months):
        marks[month * LANES + lane] = math.nan


take_parts = shared(_take)


@inlined
def _step(course: PartCourse, links: PartLinks, lanes: F64_1D, places: U64_1D) -> None:
    """Let every lane close the part of its next link, and begin what comes after the last one."""
    opens, fixed, payments = course.opens, course.fixed, course.payments
    follow_parts(lanes, places, links, course.exits, opens.lines)
    weigh(lanes, fixed, course.sizes, opens.bars + 1.0)
    split(lanes, fixed)
    if len(payments.rates) > 0:
        if fixed.settles:
            pay_parts_until_closes(lanes, payments, fixed)
        else:
            pay_parts(lanes, payments, fixed)
        begin_paying(lanes, payments, fixed.settles)
    if size_parts(lanes, fixed):
        size_parts_exactly(lanes, fixed)
    turn_parts(lanes, fixed)
    if asks_for_results(course.gates):
        check_results(lanes, places, links)
    divide(lanes, course.portions, True)
    mark_parts(lanes, fixed)
    if fixed.leverage > 1.0:
        judge(lanes, course.tiers, fixed)
    tally(lanes)
    move_parts(lanes)


@rule
def _note(lanes: F64_1D, places: U64_1D, marks: F64_1D) -> int:
    """Note closed profits by the month of each lane; return how many lanes are at their end."""
    ended = 0
    for lane in range(LANES):
        month = places[MONTH + lane] * np.uint64(LANES) + np.uint64(lane)
        marks[month] = lanes[NET + lane]
        ended += 1 if places[AT + lane] == places[END + lane] else 0
    return ended


def _play(
    course: PartCourse, wishes: I32_1D, sets: I64_2D, found: F64_2D, links: PartLinks,
    stands: I64_1D, lanes: F64_1D, places: U64_1D, owner: I64_1D, marks: F64_1D, sums: F64_1D,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    count, waiting, running, fixed = len(found), 0, 0, course.fixed
    for lane in range(LANES):
        owner[lane] = NO_SET
        if waiting < count:
            item = sets[waiting]
            take_parts(course, wishes, item, links, stands, lane, lanes, places, marks)
            owner[lane] = waiting
            waiting, running = waiting + 1, running + 1
        else:
            start_lane(lanes, places, lane, fixed)
            start_parts(lanes, lane, fixed)
            idle(places, lane)
            look_ahead(places, links, course.exits, course.opens.lines, lane)
    while running > 0:
        _step(course, links, lanes, places)
        if _note(lanes, places, marks) == LANES - running:
            continue
        for lane in range(LANES):
            if places[AT + lane] != places[END + lane] or owner[lane] == NO_SET:
                continue
            figures_of(lanes, lane, marks, fixed, sums, found[owner[lane]])
            if waiting < count:
                item = sets[waiting]
                take_parts(course, wishes, item, links, stands, lane, lanes, places, marks)
                owner[lane], waiting = waiting, waiting + 1
            else:
                owner[lane], running = NO_SET, running - 1


play_parts = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets which differ in wishes and levels."""

    def advance(course: PartCourse, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
        room, months = 0 if stamp != 0 else 1, course.fixed.months
        for item in range(len(found)):
            entries = sets[item, SET_STOP] - sets[item, SET_START] + 1
            room = max(room, entries * (course.exits.parts + 1))
        own = np.empty(LANES * room if course.shares.are_own else 0)
        links = PartLinks(
            np.empty(LANES * room * LINK, np.int32), np.empty(LANES * room), own, room
        )  # fmt: skip # one call
        lanes, places = np.zeros(GATE_NUMBERS * LANES), np.zeros(PART_PLACES * LANES, np.uint64)
        owner, marks = np.empty(LANES, np.int64), np.empty(months * LANES)
        stands, sums = np.zeros(STANDS * LANES, np.int64), np.empty(SUMS_SIZE)
        play_parts(
            course, wishes, sets, found, links, stands, lanes, places, owner, marks, sums
        )  # fmt: skip # one call

    return driver(advance)


STAMP = stamp_of(globals())
find_part_exits, advance_parts = _finder(STAMP), _advance(STAMP)
