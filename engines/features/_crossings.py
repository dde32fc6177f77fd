"""Where a column crosses another one or lies above it, 64 bars at a time.

Theory. Vectors compare 64 bars at once, and what they find is a word, a bit a bar: above, below.
Where every bar of a word is on one of the two sides, those that have just come above are
`above & (below << 1)`, with the side of the bar before in the lowest place. A word in which sides
are equal or undefined is rare; its bars are looked at one by one, as Pine says it: a NaN bar is
passed over, and one on which both are equal counts as at or below and as at or above.

Columns that are compared with many others are read from the third-level cache, which takes longer
than to compare them. So they may come in float32 too, both rounded alike: rounding keeps the order,
so what is above there is above, and only bars that are equal there have to be read in full.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from numba.core import cgutils, types
from numba.extending import intrinsic

from engines.features._compiled import compiled
from engines.types import BOOL_1D, F64_1D

F32_1D: TypeAlias = npt.NDArray[np.float32]
Near: TypeAlias = F64_1D | F32_1D  # columns in full, or rounded

WORD = 64
AT_OR_BELOW, AT_OR_ABOVE = 1, 2  # the sides of a bar, both where columns are equal, none at NaN

ir: Any = cgutils.ir  # type: ignore[attr-defined] # llvmlite's, which comes with Numba
Codegen: TypeAlias = Callable[[Any, Any, Any, Any], Any]


def _vector_at(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    """Return where a word's elements of an array lie, as one vector."""
    first = context.make_array(kind)(context, builder, array).data
    vector = ir.VectorType(context.get_data_type(kind.dtype), WORD)
    return builder.bitcast(builder.gep(first, [place]), vector.as_pointer())


def _is_above(
    _context: Any, source: Any, at: Any, other: Any, other_at: Any
) -> tuple[Any, Codegen]:
    """Return how to compare a word of two columns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, sides = signature.args, []
        for kind, array, place in ((kinds[0], *arguments[:2]), (kinds[2], *arguments[2:])):
            side = builder.load(_vector_at(context, builder, kind, array, place))
            side.align = kind.dtype.bitwidth // 8
            sides.append(side)
        return builder.bitcast(builder.fcmp_ordered(">", *sides), ir.IntType(WORD))

    return types.uint64(source, at, other, other_at), generate


def _spread(_context: Any, bits: Any, flags: Any, at: Any) -> tuple[Any, Codegen]:
    """Return how to write the bits of a word as flags, a byte each."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, array, place = arguments
        target = _vector_at(context, builder, signature.args[1], array, place)
        each = builder.bitcast(word, ir.VectorType(ir.IntType(1), WORD))
        builder.store(builder.zext(each, target.type.pointee), target).align = 1
        return context.get_dummy_value()

    return types.void(bits, flags, at), generate


is_above = cast(Callable[[Near, np.uint64, Near, np.uint64], np.uint64], intrinsic(_is_above))
spread = cast(Callable[[np.uint64, BOOL_1D, np.uint64], None], intrinsic(_spread))


@compiled
def find_crossings(
    source: F64_1D, other: F64_1D, near_source: Near, near_other: Near, over: BOOL_1D,
    under: BOOL_1D,
) -> None:  # fmt: skip # what is compared, then what is found
    """Find the crossings of two columns, or of a column and a level, one of a single value."""
    one, last, is_level = np.uint64(1), np.uint64(WORD - 1), other.size == 1
    near = np.full(WORD, near_other[0]) if is_level else near_other
    whole, before = source.size - source.size % WORD, np.uint64(0)
    for start in range(0, whole, WORD):
        at = np.uint64(start)
        other_at = np.uint64(0) if is_level else at
        above = is_above(near_source, at, near, other_at)
        below = is_above(near, other_at, near_source, at)
        if above | below == ~np.uint64(0):
            spread(above & (below << one | before & one), over, at)
            spread(below & (above << one | before >> one), under, at)
            before = np.uint64(AT_OR_BELOW) + (above >> last)
        else:
            before = _look(source, other, start, start + WORD, before, over, under)
    _look(source, other, whole, source.size, before, over, under)


@compiled
def find_sides(
    source: F64_1D, other: F64_1D, near_source: Near, near_other: Near, above: BOOL_1D,
    below: BOOL_1D,
) -> None:  # fmt: skip # what is compared, then what is found
    """Find where a column lies above another one and where below; sides as in `find_crossings`."""
    is_level = other.size == 1
    near = np.full(WORD, near_other[0]) if is_level else near_other
    whole = source.size - source.size % WORD
    for start in range(0, source.size, WORD):
        if start < whole:
            at = np.uint64(start)
            other_at = np.uint64(0) if is_level else at
            higher = is_above(near_source, at, near, other_at)
            lower = is_above(near, other_at, near_source, at)
            spread(higher, above, at)
            spread(lower, below, at)
            if higher | lower == ~np.uint64(0):
                continue
        for bar in range(start, min(start + WORD, source.size)):
            level = other[min(bar, other.size - 1)]
            above[bar], below[bar] = source[bar] > level, source[bar] < level


@compiled
def _look(
    source: F64_1D, other: F64_1D, first: int, stop: int, before: np.uint64, over: BOOL_1D,
    under: BOOL_1D,
) -> np.uint64:  # fmt: skip # which bars, then what is found
    """Find the crossings of the bars [first, stop); return the last sides that are defined."""
    for bar in range(first, stop):
        value, level = source[bar], other[min(bar, other.size - 1)]
        sides = np.uint64(value <= level) + np.uint64(value >= level) * np.uint64(AT_OR_ABOVE)
        over[bar] = sides == AT_OR_ABOVE and before & np.uint64(AT_OR_BELOW) != 0
        under[bar] = sides == AT_OR_BELOW and before & np.uint64(AT_OR_ABOVE) != 0
        before = sides if sides != 0 else before
    return before
