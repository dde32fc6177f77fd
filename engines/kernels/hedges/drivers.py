"""The compiled pass of the hedge path: figures from wishes.

It runs on one thread and leaves Python's lock alone, as those of chains do.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, rule, shared, stamp_of
from engines.kernels.chains.columns import I32_1D
from engines.kernels.chains.drivers import SET_PLAN, SET_ROW, SET_START, SET_STOP
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.hedges.columns import IS_UNSURE, NUMBERS, PLACES, Course, Sets, Sides
from engines.kernels.hedges.walk import begin, walk_set
from engines.kernels.slots import KELLY_ROOM, NEEDS_REFERENCE, RUN
from engines.kernels.stacks.drivers import SETS
from engines.kernels.stacks.rounds import KELLY_SUMS
from engines.kernels.summary import FIGURES, SUMS_SIZE, finish

Advance: TypeAlias = Callable[[Course, F64_2D, I32_1D, I64_2D, int, F64_2D], None]


@rule
def _nth(sides: Sets, place: int) -> Sides:
    """Return the set at a place of those that go side by side."""
    return Sides(sides.held[place], sides.now[place], sides.sums[place], sides.runs[place])


def _play(
    course: Course, terms: F64_2D, wishes: I32_1D, sets: I64_2D, span: int, sides: Sets,
    found: F64_2D,
) -> None:  # fmt: skip # what it reads, then what it finds
    fixed = course.fixed
    for place in range(len(found)):
        begin(_nth(sides, place), fixed, terms[sets[place, SET_PLAN]])
    for until in range(span, course.opens.bars + span, span):
        for place in range(len(found)):
            start, stop = sets[place, SET_START], sets[place, SET_STOP]
            row = sets[place, SET_ROW]
            walk_set(course, wishes[start:stop], row, _nth(sides, place), until)
    for place in range(len(found)):
        own = _nth(sides, place)
        finish(own.sums, 0, fixed.days, fixed.bars, found[place], 0)
        is_left = own.runs[0, NEEDS_REFERENCE] + own.runs[1, NEEDS_REFERENCE]
        found[place, FIGURES] = own.held[IS_UNSURE] + is_left


play = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets; what it closes over is a part of its cache's key."""

    def advance(
        course: Course, terms: F64_2D, wishes: I32_1D, sets: I64_2D, span: int, found: F64_2D
    ) -> None:
        room, count = min(SETS, len(found)), len(found) if stamp != 0 else 0
        run = RUN + int(terms[0, KELLY_ROOM]) + KELLY_SUMS
        sides = Sets(
            np.empty((room, NUMBERS)), np.empty((room, PLACES), np.int64),
            np.empty((room, SUMS_SIZE)), np.empty((room, 2, run)),
        )  # fmt: skip # the order of its fields
        for first in range(0, count, SETS):
            last = min(count, first + SETS)
            play(course, terms, wishes, sets[first:last], span, sides, found[first:last])

    return driver(advance)


STAMP = stamp_of(globals())
advance_hedges = _advance(STAMP)
