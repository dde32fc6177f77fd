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
from engines.kernels.chains.lanes import start_chain, weigh
from engines.kernels.chains.margin import judge
from engines.kernels.chains.shares import share_out
from engines.kernels.chains.walk import given_with
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gates.columns import (
    CLOSED_PNL,
    CLOSED_SIZE,
    GATE_NUMBERS,
    NEVER,
    STANDS,
    PartCourse,
    Room,
)
from engines.kernels.gates.part_links import part_result
from engines.kernels.gates.part_rounds import end_joined_rounds, end_rounds, keep_rounds
from engines.kernels.gates.rules import has_gates
from engines.kernels.gates.shares import forget, weigh_exactly, weigh_rounds
from engines.kernels.parts.columns import L_NEXT, L_WISH, LINK, NO_WISH, PartExits, PartLinks
from engines.kernels.parts.exits import walk_parts
from engines.kernels.parts.funding import begin_paying, pay_parts, pay_parts_until_closes
from engines.kernels.parts.lanes import (
    AT_ONCE,
    EXPECTED,
    LEGS,
    PART_PLACES,
    find_phases,
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
from engines.kernels.parts.walk import begin_nothing, link_parts, look_back_parts
from engines.kernels.parts.ways import note_ways
from engines.kernels.passage.columns import U64_1D
from engines.kernels.passage.figures import figures_of
from engines.kernels.passage.lanes import (
    AT,
    END,
    IS_UNSURE,
    LANES,
    MONTH,
    NET,
    start_lane,
    tally,
)
from engines.kernels.slots import RUN, TERMS
from engines.kernels.summary import SUMS_SIZE
from engines.types import F64_1D, I64_1D

Find: TypeAlias = Callable[
    [Opens, F64_2D, F64_1D, F64_1D, F64_1D, I64_1D, I32_1D, PartExits, int, F64_1D, bool], None
]
Advance: TypeAlias = Callable[[PartCourse, I32_1D, I64_2D, F64_2D], None]

# Links that are made at once. Behind an entry of other legs than was thought few are, since the
# next one may come soon; then twice as many each time.
LINKS_MAX, LINKS_MIN = 512, 6


def _finder(stamp: int) -> Find:
    """Return the pass that finds how levels close entries in parts under one plan.

    Closes stay as they are, of another stop, while both lie below `least` (`unmet`). Stacks ask for
    the `ways` of closes.
    """

    def find(
        opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, terms: F64_1D,
        entries: I64_1D, until: I32_1D, exits: PartExits, row: int, least: F64_1D, ways: bool,
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
            if ways:
                note_ways(run, opens, prices, exits, at)

    return driver(find)


@inlined
def _begin(course: PartCourse, lane: int, room: Room) -> None:
    """Let a lane stand before the first wish of a set."""
    fixed, lanes, kelly = course.fixed, room.lanes, course.kelly
    if kelly.room > 0:
        forget(room.stands, lanes, room.ratios, lane, kelly)
    start_lane(lanes, room.places, lane, fixed)
    start_parts(lanes, lane, fixed)
    lanes[CLOSED_PNL + lane] = lanes[CLOSED_SIZE + lane] = 0.0
    lanes[AT_ONCE + lane] = LINKS_MAX
    lanes[LEGS + lane] = lanes[EXPECTED + lane] = float(course.portions.targets)
    for month in range(fixed.months):
        room.marks[month * LANES + lane] = math.nan


@inlined
def _link_on(
    course: PartCourse, wishes: I32_1D, item: I64_1D, links: PartLinks, lane: int, room: Room,
    is_begun: bool, most: int,
) -> None:  # fmt: skip # what a set is, then where it goes
    """Write the next links of the set in a lane, from what it has entered on if it `is_begun`."""
    opens, shares, places = course.opens, course.shares, room.places
    first, start, stop = lane * links.room, item[SET_START], item[SET_STOP]
    given, plan = given_with(course.given, start, stop), item[SET_ROW]
    own, legs, begun, held = wishes[start:stop], int(room.lanes[LEGS + lane]), NO_WISH, 0
    if is_begun:
        at = int(places[AT + lane]) * LINK
        begun, held = int(links.links[at + L_WISH]), int(links.links[at + L_NEXT])
    count = link_parts(own, course, given, plan, links, room, lane, begun, legs, most)
    look_back_parts(opens, links, first, count, held)
    if shares.are_own:
        share_out(
            own, opens, given, shares, plan, links.links, LINK, L_NEXT, first, count,
            max(begun, 0), links.shares,
        )  # fmt: skip # one call
    room.lanes[EXPECTED + lane] = legs
    start_chain(places, lane, first, count)
    look_ahead(places, links, course.exits, opens.lines, lane)


@inlined
def _close(course: PartCourse, links: PartLinks, room: Room) -> None:
    """Find what every lane closes, and the share of equity that the next entry may spend."""
    lanes, fixed, payments, kelly = room.lanes, course.fixed, course.payments, course.kelly
    follow_parts(lanes, room.places, links, course.exits, course.opens.lines)
    split(lanes, fixed)
    if len(payments.rates) > 0:
        find_phases(lanes)
        if fixed.settles:
            pay_parts_until_closes(lanes, payments, fixed)
        else:
            pay_parts(lanes, payments, fixed)
        begin_paying(lanes, payments, fixed.settles)
    if kelly.room > 0:
        part_result(lanes, fixed)
        end_rounds(lanes, room.ratios, kelly.room, fixed.point_value)
        weigh_rounds(room.stands, lanes, room.ratios, kelly, room.run)


@inlined
def _step(course: PartCourse, links: PartLinks, room: Room) -> None:
    """Let every lane close the part of its next link, and begin what comes after the last one."""
    lanes, fixed, kelly = room.lanes, course.fixed, course.kelly
    _close(course, links, room)
    weigh(lanes, fixed, course.sizes, course.opens.bars + 1.0)
    if size_parts(lanes, fixed):
        if kelly.room > 0:
            weigh_exactly(room.stands, lanes, room.ratios, kelly, room.run)
        size_parts_exactly(lanes, fixed)
    turn_parts(lanes, fixed)
    if asks_for_results(course.gates):
        check_results(lanes, room.places, links)
    if kelly.room > 0:
        end_joined_rounds(lanes, room.ratios, kelly.room, fixed.point_value)
        keep_rounds(lanes)
    divide(lanes, course.portions, has_gates(course.gates))
    mark_parts(lanes, fixed)
    if fixed.leverage > 1.0:
        judge(lanes, course.tiers, fixed)
    tally(lanes)
    move_parts(lanes)


@rule
def _note(lanes: F64_1D, places: U64_1D, marks: F64_1D) -> int:
    """Note closed profits by the month of each lane; return how many are at the end of links.

    So are those which have entered what others of their targets close.
    """
    ended = 0
    for lane in range(LANES):
        month = places[MONTH + lane] * np.uint64(LANES) + np.uint64(lane)
        marks[month] = lanes[NET + lane]
        ended += 1 if places[AT + lane] == places[END + lane] else 0
        ended += 1 if lanes[LEGS + lane] != lanes[EXPECTED + lane] else 0
    return ended


@inlined
def _is_over(course: PartCourse, links: PartLinks, room: Room, lane: int) -> bool:
    """Return whether a lane has come to the end of its set, or is left to others."""
    at, end = int(room.places[AT + lane]), int(room.places[END + lane])
    is_last = at == end and int(links.links[at * LINK + L_NEXT]) >> 1 > course.opens.bars
    return is_last or bool(room.lanes[IS_UNSURE + lane] != 0)


def _play(
    course: PartCourse, wishes: I32_1D, sets: I64_2D, found: F64_2D, links: PartLinks, room: Room,
    owner: I64_1D, sums: F64_1D, is_whole: bool,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    waiting, running, lanes = 0, 0, room.lanes
    for lane in range(LANES):
        owner[lane] = NO_SET
        _begin(course, lane, room)
        _idle(links, room.places, lane)
    ended = LANES
    while running > 0 or ended > 0:
        for lane in range(LANES if ended > 0 else 0):
            has_legs = lanes[LEGS + lane] == lanes[EXPECTED + lane]
            if has_legs and room.places[AT + lane] != room.places[END + lane]:
                continue
            is_begun = owner[lane] != NO_SET and not _is_over(course, links, room, lane)
            if not is_begun:
                if owner[lane] != NO_SET:
                    figures_of(lanes, lane, room.marks, course.fixed, sums, found[owner[lane]])
                    owner[lane], running = NO_SET, running - 1
                    _idle(links, room.places, lane)
                if waiting == len(found):
                    continue
                _begin(course, lane, room)
                owner[lane], waiting, running = waiting, waiting + 1, running + 1
            most = min(2.0 * lanes[AT_ONCE + lane], LINKS_MAX) if has_legs else LINKS_MIN
            lanes[AT_ONCE + lane] = most
            most = NEVER if is_whole else int(most)
            _link_on(course, wishes, sets[owner[lane]], links, lane, room, is_begun, most)
        if running == 0:
            break
        _step(course, links, room)
        ended = _note(lanes, room.places, room.marks) - LANES + running


play_parts = shared(_play)


@rule
def _idle(links: PartLinks, places: U64_1D, lane: int) -> None:
    """Let a lane that has no set stand at a link that enters nothing, behind all others."""
    places[END + lane] = places[AT + lane] = LANES * links.room


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets which differ in wishes and levels."""

    def advance(course: PartCourse, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
        count, kelly_room = 0 if stamp != 0 else 1, course.kelly.room
        is_whole = has_gates(course.gates)
        for item in range(len(found) if is_whole else 0):
            entries = sets[item, SET_STOP] - sets[item, SET_START] + 1
            count = max(count, entries * (course.exits.parts + 1))
        count = max(count, LINKS_MAX + 2 * (course.exits.parts + 2))
        own = np.empty(LANES * count + 1 if course.shares.are_own else 0)
        links = PartLinks(
            np.zeros((LANES * count + 1) * LINK, np.int32), np.empty(LANES * count + 1), own, count
        )  # fmt: skip # one call
        begin_nothing(links, LANES * count, course.opens)
        room = Room(
            np.zeros(STANDS * LANES, np.int64), np.zeros(GATE_NUMBERS * LANES),
            np.zeros(PART_PLACES * LANES, np.uint64), np.zeros(kelly_room * LANES),
            np.zeros(RUN + kelly_room), np.empty(course.fixed.months * LANES),
        )  # fmt: skip # the order of its fields
        room.run[:TERMS] = course.given.runs[0, :TERMS]
        owner, sums = np.empty(LANES, np.int64), np.empty(SUMS_SIZE)
        play_parts(course, wishes, sets, found, links, room, owner, sums, is_whole)

    return driver(advance)


STAMP = stamp_of(globals())
find_part_exits, advance_parts = _finder(STAMP), _advance(STAMP)
