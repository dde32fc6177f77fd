"""The compiled passes of stacks: how entries end, and figures from wishes.

They run on one thread and leave Python's lock alone, as those of chains do.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, inlined, rule, shared, stamp_of
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    I32_1D,
    LINE,
    LONG,
    MODE_BITS,
    SHORT,
    SPANS,
    Given,
    Opens,
)
from engines.kernels.chains.drivers import SET_PLAN, SET_ROW, SET_START, SET_STOP
from engines.kernels.chains.walk import given_with
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.exit_walk import WALK
from engines.kernels.passage.lanes import LANES, SUMS
from engines.kernels.slots import KELLY_ROOM, RUN, TERMS
from engines.kernels.stacks.columns import (
    COUNTS,
    DOUBTS,
    END,
    ENTRY,
    PART_BLOCK,
    ROWS_MAX,
    STATE,
    Course,
    Ends,
    Stack,
    Stacking,
    Stacks,
)
from engines.kernels.stacks.exits import walk
from engines.kernels.stacks.legs import legs_size
from engines.kernels.stacks.limits import begin_limits
from engines.kernels.stacks.order_ends import find_order_end
from engines.kernels.stacks.rounds import KELLY_SUMS
from engines.kernels.stacks.tally import begin_stack, write_figures
from engines.kernels.stacks.walk import walk_set
from engines.kernels.summary import SUMS_SIZE
from engines.kernels.waits.columns import EXIT, Orders
from engines.types import F64_1D, I64_1D

# Sets that come to the end of a span of bars before any goes on, so that the columns of the span
# stay in a core's cache.
SETS = 64
SOON = 8  # entries ahead of the one whose end is found, what is read first is asked for

Find: TypeAlias = Callable[[Opens, F64_2D, F64_1D, F64_1D, F64_1D, I64_1D, I32_1D, Ends, int], None]
Walk: TypeAlias = Callable[[Stacks, Course, Given, I32_1D, I64_2D, int], None]
FindOrders: TypeAlias = Callable[[Opens, F64_2D, F64_1D, F64_1D, F64_1D, Orders, Ends, int], None]
Advance: TypeAlias = Callable[[Course, Given, I32_1D, I64_2D, int, F64_2D], None]


def _finder(stamp: int) -> Find:
    """Return the pass that finds the ends of entries under one plan, found from a digest."""

    def find(
        opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, terms: F64_1D,
        entries: I64_1D, until: I32_1D, ends: Ends, row: int,
    ) -> None:  # fmt: skip # what it reads, then what it finds
        run, values = np.zeros(WALK if stamp != 0 else 0), ends.values[row]
        run[:TERMS] = terms[:TERMS]
        for place in range(len(entries)):
            entry = int(entries[place])
            soon = np.uint64(entries[min(place + SOON, len(entries) - 1)]) >> np.uint64(1)
            prefetch(opens.lines, soon * np.uint64(LINE))
            for side in (LONG, SHORT):
                longest = np.uint64((2 * (SPANS - 1) + side) * opens.bars)
                prefetch(opens.lowest, longest + soon)
            known = atr[(entry >> 1) - 1] if len(atr) > 0 else math.nan
            walk(
                run, opens, prices, slip_ratio, entry, int(until[place]), math.nan, math.nan,
                known, values, int(ends.places[entry]) * END,
            )  # fmt: skip # one call

    return driver(find)


def _order_finder(stamp: int) -> FindOrders:
    """Return the pass that finds the ends of orders under one plan; `stamp` as before."""

    def find(
        opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, terms: F64_1D,
        orders: Orders, ends: Ends, row: int,
    ) -> None:  # fmt: skip # what it reads, then what it finds
        run, exit = np.zeros(WALK if stamp != 0 else 0), np.zeros(EXIT)
        run[:TERMS] = terms[:TERMS]
        for place in range(len(orders.entries)):
            if orders.codes[orders.entries[place]] >> MODE_BITS < opens.bars:
                find_order_end(
                    run, opens, prices, slip_ratio, atr, orders, place, exit, ends.values[row],
                    place * END,
                )  # fmt: skip # one call

    return driver(find)


@rule
def _nth(stacks: Stacks, place: int) -> Stack:
    """Return the set at a place of those that go side by side."""
    return Stack(
        stacks.state[place], stacks.counts[place], stacks.rows[place], stacks.entries[place],
        stacks.marks[place], stacks.runs[place],
    )  # fmt: skip # the order of its fields


@inlined
def _walk_span(
    stacks: Stacks, course: Course, given: Given, wishes: I32_1D, sets: I64_2D, until: int
) -> None:  # fmt: skip # what the sets are, then how far they go
    for place in range(len(sets)):
        start, stop = sets[place, SET_START], sets[place, SET_STOP]
        walk_set(
            _nth(stacks, place), course, given_with(given, start, stop), wishes[start:stop],
            sets[place, SET_ROW], until,
        )  # fmt: skip # one call


@inlined
def _with(course: Course, waits: bool, is_based: bool) -> Course:
    """Return a course of which the compiler knows whether entries wait and share a base."""
    own = course.stacking
    stacking = Stacking(
        own.room, own.order, own.closes_all, own.is_exact, own.is_called, own.is_gated,
        own.counts_rounds, own.only_in_profit, waits, own.are_limits, own.moves, own.is_limited,
        own.counts_money, is_based,
    )  # fmt: skip # the order of its fields
    return Course(
        course.opens, course.decides, course.ends, stacking, course.parts, course.portions,
        course.shares, course.sizes, course.payments, course.fixed, course.days, course.tiers,
        course.orders, course.gates, course.watch,
    )  # fmt: skip # the order of its fields


def _walk_at_market(
    stacks: Stacks, course: Course, given: Given, wishes: I32_1D, sets: I64_2D, until: int
) -> None:  # fmt: skip # as above
    _walk_span(stacks, _with(course, False, False), given, wishes, sets, until)


def _walk_waiting(
    stacks: Stacks, course: Course, given: Given, wishes: I32_1D, sets: I64_2D, until: int
) -> None:  # fmt: skip # as above
    _walk_span(stacks, _with(course, True, False), given, wishes, sets, until)


def _walk_based(
    stacks: Stacks, course: Course, given: Given, wishes: I32_1D, sets: I64_2D, until: int
) -> None:  # fmt: skip # as above
    _walk_span(stacks, _with(course, course.stacking.waits, True), given, wishes, sets, until)


walk_at_market, walk_waiting = shared(_walk_at_market), shared(_walk_waiting)
walk_based = shared(_walk_based)


def _advance(stamp: int, walk_span: Walk) -> Advance:
    """Return the pass that runs sets which differ in wishes and levels; `stamp` as before."""

    def advance(
        course: Course, given: Given, wishes: I32_1D, sets: I64_2D, span: int, found: F64_2D
    ) -> None:
        lanes, sums = np.zeros(SUMS * LANES if stamp != 0 else 0), np.empty(SUMS_SIZE)
        count, fixed = len(found), course.fixed
        room, rounds = min(count, SETS), int(given.runs[0, KELLY_ROOM])
        entries = course.stacking.room * ENTRY
        if course.portions.targets > 0:
            entries += course.stacking.room * PART_BLOCK
        if course.stacking.is_based:
            entries += legs_size(course.stacking.room)
        stacks = Stacks(
            np.empty((room, STATE)), np.empty((room, COUNTS), np.int64),
            np.empty((room, DOUBTS + ROWS_MAX)),
            np.empty((room, entries)),
            np.empty((room, fixed.months * LANES)), np.zeros((room, RUN + rounds + KELLY_SUMS)),
        )  # fmt: skip # the order of its fields
        for first in range(0, count, SETS):
            own = min(SETS, count - first)
            for place in range(own):
                terms = given.runs[sets[first + place, SET_PLAN]]
                begin_stack(_nth(stacks, place), fixed, terms)
                begin_limits(_nth(stacks, place), course)
            for until in range(span, course.opens.bars + span, span):
                walk_span(stacks, course, given, wishes, sets[first : first + own], until)
            for place in range(own):
                write_figures(_nth(stacks, place), lanes, fixed, sums, found[first + place])

    return driver(advance)


STAMP = stamp_of(globals())
find_ends, find_order_ends = _finder(STAMP), _order_finder(STAMP)
advance_stacks = _advance(STAMP, walk_at_market)
advance_awaited = _advance(STAMP, walk_waiting)
advance_based = _advance(STAMP, walk_based)
