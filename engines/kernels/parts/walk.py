"""Wishes become positions that close in parts: the chain of one set, a link for each part.

Theory. Which positions there are follows as in `chains.walk`: the entry's levels close it with the
last of its parts. When it is known how a position ends, its links are written: one for each close
that its levels meet until then, and one for the rest if a wish, its age or the end closes that. All
but the last are followed by the line that enters nothing.

Where rules count entries or ends, all links of a set are made at once. Else they are made some at a
time, as if each entry had as many legs as the last one that the lane has sized: after one of others
what follows is made anew.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    LINE,
    MODE_BITS,
    MODE_MASK,
    SIDE_MASK,
    WISH_BITS,
    WISH_MASK,
    Given,
    Opens,
)
from engines.kernels.chains.walk import NO_ENTRY, lowest
from engines.kernels.gates.columns import NEVER, Days, PartCourse, Room
from engines.kernels.gates.rules import count_end, count_entry, has_gates, open_gates, refuses
from engines.kernels.parts.columns import (
    CODE_BITS,
    L_CODE,
    L_FOUND,
    L_NEXT,
    L_RESULT,
    L_WISH,
    LINK,
    LINK_BITS,
    LOST,
    NO_WISH,
    PART_MASK,
    REST,
    UNTOLD,
    PartExits,
    PartLinks,
)
from engines.kernels.parts.exits import walk_parts
from engines.kernels.parts.results import add_up_closes, asks_for_results, foretell
from engines.kernels.passage.columns import ALONE, OPEN_AT_END, RELIEVED, REVERSED
from engines.kernels.passage.lanes import IS_UNSURE
from engines.kernels.slots import (
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.types import F64_1D, I64_1D

AHEAD = 6  # wishes that are looked at ahead


@inlined
def link_parts(
    wishes: I32_1D, course: PartCourse, given: Given, plan: int, links: PartLinks, room: Room,
    lane: int, begun: int, legs: int, most: int,
) -> int:  # fmt: skip # what it reads, then where it writes
    """Write the links of the set in a lane, from the wish `begun` on; return how many.

    That is one that has entered already, NO_WISH if the set is before its first one. Of entries
    `legs` targets take anything. Links end with that of a position if there are `most` or more.
    `plan` is the row of its plan among the exits.
    """
    opens, exits, decides, stands = course.opens, course.exits, course.decides, room.stands
    free, first, at = lane * exits.entries, lane * links.room, 0
    entry, closes, leaves, level, count = NO_ENTRY, 0, 0, opens.bars, first
    if begun == NO_WISH:
        _begin_with_nothing(links, count, stands, lane)
    for place in range(max(begun, 0), len(wishes)):
        bar, wish = int(wishes[place]) >> WISH_BITS, int(wishes[place]) & WISH_MASK
        if bar >= opens.bars - 1:
            break
        _look_ahead(wishes, opens, exits, place, plan, asks_for_results(course.gates), course.days)
        enters, timed, is_ahead = wish & decides.enters, entry + decides.held_max, False
        if entry != NO_ENTRY:
            is_held = min(level, timed) > bar
            if is_held and not _closes(course, wish, closes, leaves, stands, lane, bar):
                continue
            is_ahead = min(level - 1, timed) >= bar  # An entry here comes before the end counts.
            if is_ahead and _refuses(course, stands, lane, bar):
                enters = 0
            mode, last = _mode(timed, bar, enters, wish & leaves), min(timed, bar)
            at_first, count = count, _close(exits, at, last, level, legs, mode, opens, links, count)
            _count_end(course, entry, closes, at, last, links, at_first, count, stands, lane)
        entry = NO_ENTRY
        if not _may_enter(course, enters, place == begun or is_ahead, stands, lane, bar):
            continue
        entry, leaves, closes = bar, *_closing(enters)
        follower = ((bar + 1) << 1) | (0 if enters & ENTERS_LONG != 0 else 1)
        if place != begun:
            _enter(course, links, count, follower, place, most, stands, lane, bar)
            count += 1
            if count - first >= most:
                return count - first
        at = _place_of(course, given, plan, follower, place, free)
        free, level = free + len(given.stops[:1]), _level_of(exits, at, legs, opens)
        _doubt(exits, at, legs, opens, room.lanes, lane)
    timed = entry + decides.held_max
    return _hold_on(exits, at, entry, timed, level, legs, opens, links, count) - first


@inlined
def _begin_with_nothing(links: PartLinks, count: int, stands: I64_1D, lane: int) -> None:
    """Write the link of the empty position that every set begins with."""
    open_gates(stands, lane)
    _end(links, count, 0, OPEN_AT_END)


@inlined
def _may_enter(
    course: PartCourse, enters: int, is_judged: bool, stands: I64_1D, lane: int, bar: int
) -> bool:
    """Return whether a lane enters at the close of `bar`, which gates may have let pass already."""
    if enters == 0 or bar < course.decides.start:
        return False
    return is_judged or not _refuses(course, stands, lane, bar)


@inlined
def _enter(
    course: PartCourse, links: PartLinks, count: int, follower: int, place: int, most: int,
    stands: I64_1D, lane: int, bar: int,
) -> None:  # fmt: skip # where it is written, then what
    """Let a link be followed by the entry of the wish at a place, decided at the close of `bar`."""
    count_entry(stands, lane, course.days.closes, bar)
    links.links[count * LINK + L_NEXT] = np.int32(follower)
    if most < NEVER:
        links.links[count * LINK + L_WISH] = np.int32(place)


@rule
def _level_of(exits: PartExits, at: int, legs: int, opens: Opens) -> int:
    """Return the bar in which levels have closed the legs of an entry that take anything."""
    if legs == exits.parts:
        return int(exits.levels[at])
    left, first = legs, at * exits.parts
    for part in range(exits.parts):
        code = int(exits.codes[first + part])
        left -= 1 if _is_taken(code, legs) else 0
        if left == 0 or (code >> MODE_BITS) & PART_MASK == REST:
            return min(opens.bars, (code >> CODE_BITS) - opens.lag)
    return opens.bars


@rule
def _doubt(exits: PartExits, at: int, legs: int, opens: Opens, lanes: F64_1D, lane: int) -> None:
    """Mark a set whose entry has a close that takes nothing in a bar before that of another.

    Quiet bars before a close end at the one before: of one that takes nothing they would not.
    """
    skipped, first = opens.bars + opens.lag, at * exits.parts
    for part in range(exits.parts if legs < exits.parts else 0):
        code = int(exits.codes[first + part])
        if _is_taken(code, legs) and skipped < code >> CODE_BITS < opens.bars + opens.lag:
            lanes[IS_UNSURE + lane] = 1.0
        if not _is_taken(code, legs):
            skipped = min(skipped, code >> CODE_BITS)


@inlined
def _is_taken(code: int, legs: int) -> bool:
    """Return whether a close takes anything."""
    leg = (code >> MODE_BITS) & PART_MASK
    return leg < legs or leg == REST


@inlined
def _closes(
    course: PartCourse, wish: int, closes: int, leaves: int, stands: I64_1D, lane: int, bar: int
) -> bool:
    """Return whether a wish closes what is held; gates may refuse one that only reverses it."""
    if wish & closes == 0:
        return False
    return wish & leaves != 0 or not _refuses(course, stands, lane, bar)


@inlined
def _refuses(course: PartCourse, stands: I64_1D, lane: int, bar: int) -> bool:
    """Return whether gates, if the plan has any, let a lane not enter at the close of `bar`."""
    return has_gates(course.gates) and refuses(stands, lane, course.gates, course.days.closes, bar)


@inlined
def _closing(enters: int) -> tuple[int, int]:
    """Return which wishes leave the position of an entry, and which close it."""
    is_long = enters & ENTERS_LONG != 0
    leaves = (LEAVES_LONG if is_long else LEAVES_SHORT) | ENDS
    return leaves, leaves | (ENTERS_SHORT if is_long else ENTERS_LONG)


@rule
def _hold_on(
    exits: PartExits, at: int, entry: int, timed: int, level: int, legs: int, opens: Opens,
    links: PartLinks, count: int,
) -> int:  # fmt: skip # the entry, then where it writes
    """Write links of the closes of an entry, if there is one, that no wish closes.

    Returns: the place behind the last link, which nothing follows.
    """
    if entry != NO_ENTRY:
        last = min(timed, opens.bars - 1)
        mode = ALONE if last < opens.bars - 1 else OPEN_AT_END
        count = _close(exits, at, last, level, legs, mode, opens, links, count)
        links.links[count * LINK + L_RESULT] = UNTOLD
    links.links[count * LINK + L_NEXT] = np.int32((opens.bars + 1) << 1)
    return count + 1


@rule
def _place_of(
    course: PartCourse, given: Given, plan: int, follower: int, wish: int, free: int
) -> int:
    """Return the place of an entry among the exits.

    Levels that the set gives itself close it as found here, in the next place of the lane's own.
    """
    if len(given.stops) == 0:
        return int(plan * course.exits.entries + course.exits.places[follower])
    walk_parts(
        given.runs[plan], course.opens, given.prices, given.slip_ratio, follower,
        course.opens.bars - 1, given.stops[wish], given.targets[wish], math.nan, course.exits, free,
    )  # fmt: skip # one call
    add_up_closes(course.opens, course.exits, follower, free)
    return free


@rule
def _count_end(
    course: PartCourse, entry: int, closes: int, at: int, last: int, links: PartLinks, begun: int,
    count: int, stands: I64_1D, lane: int,
) -> None:  # fmt: skip # what has ended and its links, then where it counts
    """Let gates count the position of an entry that no level has closed later than bar `last`."""
    opens, exits, result = course.opens, course.exits, UNTOLD
    if not has_gates(course.gates):
        return
    is_at_level = exits.levels[at] <= last
    end = int(exits.levels[at]) if is_at_level else last
    if asks_for_results(course.gates):
        follower = ((entry + 1) << 1) | (0 if closes & ENTERS_SHORT != 0 else 1)
        taken = count - begun + (1 if is_at_level else 0)
        result = foretell(opens, exits, follower, at, taken, end + 1)
    links.links[count * LINK + L_RESULT] = result
    bar, pnl = end if is_at_level else end + 1 - opens.lag, -1.0 if result == LOST else 1.0
    count_end(stands, lane, course.gates, course.days.opens, bar, pnl)


@rule
def _look_ahead(
    wishes: I32_1D, opens: Opens, exits: PartExits, place: int, plan: int, tells: bool, days: Days
) -> None:
    """Ask for where the exits of wishes ahead are kept, if they are, and for nearer ones.

    What tells of results is asked for if links do.
    """
    if len(exits.places) == 0 or place + 2 * AHEAD >= len(wishes):
        return
    far, near = int(wishes[place + 2 * AHEAD]), int(wishes[place + AHEAD])
    prefetch(exits.places, ((far >> WISH_BITS) + 1) << 1)
    side = 0 if near & ENTERS_LONG else 1
    # Of a wish that enters nothing this is the place of nothing, for which nothing is asked.
    at = plan * exits.entries + exits.places[(((near >> WISH_BITS) + 1) << 1) | side]
    prefetch(exits.levels, at)
    prefetch(exits.codes, at * exits.parts)
    if tells:
        prefetch(exits.foretold.evens, at * (exits.parts + 1))
        prefetch(opens.lines, ((near >> WISH_BITS) + 1) * LINE)
        prefetch(days.opens, near >> WISH_BITS)
        prefetch(days.closes, near >> WISH_BITS)


@rule
def _mode(timed: float, bar: int, enters: int, leaves: int) -> int:
    """Return how a position that the wishes of a bar find open ends."""
    if timed < bar or enters == 0:
        return ALONE
    return RELIEVED if timed == bar or leaves != 0 else REVERSED


@inlined
def _close(
    exits: PartExits, at: int, until: int, level: int, legs: int, mode: int, opens: Opens,
    links: PartLinks, count: int,
) -> int:  # fmt: skip # the entry, then where it writes
    """Write links of the closes of an entry in bars up to `until`, of the rest too if it is left.

    Returns: the place of the last link.
    """
    if legs == exits.parts:
        count = _write_closes(exits, at, until + opens.lag, opens, links, count)
    else:
        count = _write_some(exits, at, until + opens.lag, legs, opens, links, count)
    _end(links, count, until + 1, mode)
    return count - (1 if level <= until else 0)


@rule
def _write_closes(
    exits: PartExits, at: int, last: int, opens: Opens, links: PartLinks, count: int
) -> int:
    """Write links of the closes of an entry at lines up to `last`; return the place behind them.

    How many that are is a coin's toss to a processor, so all are written and some written over.
    """
    taken, first, nothing = 0, at * exits.parts, np.int32((opens.bars + 1) << 1)
    for part in range(exits.parts):
        code, link = exits.codes[first + part], (count + part) * LINK
        links.links[link + L_CODE], links.links[link + L_NEXT] = code, nothing
        links.links[link + L_FOUND] = np.int32(first + part)
        taken += 1 if int(code) >> CODE_BITS <= last else 0
    return count + taken


@rule
def _write_some(
    exits: PartExits, at: int, last: int, legs: int, opens: Opens, links: PartLinks, count: int
) -> int:
    """Write links of those closes of an entry that take anything; return as `_write_closes`."""
    first, nothing = at * exits.parts, np.int32((opens.bars + 1) << 1)
    for part in range(exits.parts):
        code, link = exits.codes[first + part], count * LINK
        links.links[link + L_CODE], links.links[link + L_NEXT] = code, nothing
        links.links[link + L_FOUND] = np.int32(first + part)
        is_written = (int(code) >> CODE_BITS <= last) & _is_taken(int(code), legs)
        count += 1 if is_written else 0
    return count


@rule
def _end(links: PartLinks, count: int, line: int, mode: int) -> None:
    """Let the rest of a position end at a line."""
    link = count * LINK
    links.links[link + L_CODE] = np.int32((line << CODE_BITS) | (REST << MODE_BITS) | mode)
    links.links[link + L_FOUND], links.worst[count] = np.int32(0), 0.0
    links.links[link + L_RESULT] = np.int32(UNTOLD)


@rule
def begin_nothing(links: PartLinks, place: int, opens: Opens) -> None:
    """Write a link that closes nothing and enters nothing."""
    _end(links, place, 0, OPEN_AT_END)
    links.links[place * LINK + L_NEXT] = np.int32((opens.bars + 1) << 1)


@rule
def look_back_parts(opens: Opens, links: PartLinks, first: int, count: int, begun: int) -> None:
    """Write how far prices went against each rest that no level has closed.

    `begun` is what is held before the first link, by its line and side, 0 if that is nothing.
    """
    held, one, nothing = np.uint64(begun), np.uint64(1), np.uint64((opens.bars + 1) << 1)
    if begun == 0:
        held, first = np.uint64(links.links[first * LINK + L_NEXT]), first + 1
    for place in range(np.uint64(first), np.uint64(first + count)):
        link = place << np.uint64(LINK_BITS)
        code = np.uint64(links.links[link])
        follower = np.uint64(links.links[link + np.uint64(L_NEXT)])
        if code & np.uint64(MODE_MASK) < np.uint64(AT_LEVEL):
            line, side = code >> np.uint64(CODE_BITS), held & np.uint64(SIDE_MASK)
            links.worst[place] = lowest(opens, held >> one, line, side)
        held = held if follower == nothing else follower
