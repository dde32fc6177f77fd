"""The compiled pass of the hedge path: figures from wishes.

It runs on one thread and leaves Python's lock alone, as those of chains do.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, shared, stamp_of
from engines.kernels.chains.columns import I32_1D
from engines.kernels.chains.drivers import SET_ROW, SET_START, SET_STOP
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.hedges.columns import IS_UNSURE, NUMBERS, PLACES, Course, Sides
from engines.kernels.hedges.walk import begin, walk_set
from engines.kernels.summary import FIGURES, SUMS_SIZE, finish

Advance: TypeAlias = Callable[[Course, I32_1D, I64_2D, F64_2D], None]


def _play(course: Course, wishes: I32_1D, sets: I64_2D, sides: Sides, found: F64_2D) -> None:
    for place in range(len(found)):
        own = sets[place]
        begin(sides, course.fixed)
        walk_set(course, wishes[own[SET_START] : own[SET_STOP]], own[SET_ROW], sides)
        finish(sides.sums, 0, course.fixed.days, course.fixed.bars, found[place], 0)
        found[place, FIGURES] = sides.held[IS_UNSURE]


play = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets; what it closes over is a part of its cache's key."""

    def advance(course: Course, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
        numbers = NUMBERS if stamp != 0 else 0
        sides = Sides(np.empty(numbers), np.empty(PLACES, np.int64), np.empty(SUMS_SIZE))
        play(course, wishes, sets, sides, found)

    return driver(advance)


STAMP = stamp_of(globals())
advance_hedges = _advance(STAMP)
