"""Eight numbers as one value of compiled code: the lanes of a vector register.

Theory. Written as a loop over lanes a recursion stays scalar: LLVM would have to prove that the
columns it writes are not those it reads, and asking at run time does not pay for eight lanes. Then
one division after the other takes longer than all the rest. So vectors are a type here: `Lanes` is
to compiled code what a float is, + - * / and abs work on both, and a rule written for numbers runs
on eight of them, on each by the same operations in the same order. Nothing is contracted, so each
lane holds to the last bit what the plain rule gives. Where registers are narrower LLVM takes two or
four of them.

A column's bars are neighbours in memory, but a register holds one bar of each lane. So SIDE bars
of SIDE rows are turned at a time into a tile, whose rows are bars, and back.

Numba's cache does not look here: whoever changes this file deletes __pycache__.
"""

import operator
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, cast

from numba import extending
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing import templates

from engines.types import F64_1D, F64_2D

SIDE = 8
TILE = SIDE * SIDE  # values, one bar's lanes after the other's

extend: Any = extending  # these carry no types
typed: Any = templates
build: Any = cgutils
ir: Any = build.ir  # llvmlite's, which comes with Numba
Codegen: TypeAlias = Callable[[Any, Any, Any, Any], Any]
VECTOR = ir.VectorType(ir.DoubleType(), SIDE)
BITS = ir.VectorType(ir.IntType(64), SIDE)
I32 = ir.IntType(32)
NOT_SIGN = (1 << 63) - 1
ALIGNED = 8  # bytes: that of a column's values, whatever their place
OPERATIONS: dict[Callable[..., Any], str] = {
    operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv",
}  # fmt: skip # a line reads as a line


class Lanes(Protocol):
    """What may be done with eight numbers, lane by lane; compiled code alone has some."""

    def __add__(self, other: "Lanes | float") -> "Lanes": ...
    def __radd__(self, other: "Lanes | float") -> "Lanes": ...
    def __sub__(self, other: "Lanes | float") -> "Lanes": ...
    def __rsub__(self, other: "Lanes | float") -> "Lanes": ...
    def __mul__(self, other: "Lanes | float") -> "Lanes": ...
    def __rmul__(self, other: "Lanes | float") -> "Lanes": ...
    def __truediv__(self, other: "Lanes | float") -> "Lanes": ...
    def __rtruediv__(self, other: "Lanes | float") -> "Lanes": ...
    def __abs__(self) -> "Lanes": ...


Number = TypeVar("Number", float, Lanes)


class _LanesType(types.Type):
    """What Numba knows of them."""


LANES: Any = _LanesType("Lanes")
NUMBER: Any = types.float64


class _LanesModel(PrimitiveModel):
    """To LLVM they are a vector."""

    def __init__(self, *known: Any) -> None:
        construct: Any = super().__init__
        construct(*known, VECTOR)


extend.register_model(_LanesType)(_LanesModel)


def _vector(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return Lanes as they are, a number in every lane."""
    if kind == LANES:
        return value
    number = context.cast(builder, value, kind, NUMBER)
    first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), number, I32(0))
    return _shuffled(builder, first, first, [0] * SIDE)


def _shuffled(builder: Any, one: Any, other: Any, places: list[int]) -> Any:
    """Return a vector of elements of two, by place: those of the second come after SIDE."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(I32, SIDE), places))


def _vectors(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    given = zip(signature.args, arguments, strict=True)
    return [_vector(context, builder, kind, value) for kind, value in given]


def _define(symbol: Callable[..., Any], generate: Codegen, *results: Any) -> None:
    """Let compiled code call `symbol`: with what each signature takes, for what it gives."""

    class Typed(templates.ConcreteTemplate):
        key = symbol
        cases: ClassVar[Any] = list(results)

    typed.infer_global(symbol)(Typed)
    for result in results:
        extend.lower_builtin(symbol, *result.args)(generate)


def _define_operator(symbol: Callable[..., Any], name: str) -> None:
    """Let an operator take Lanes with Lanes and with numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, name)(*_vectors(context, builder, signature, arguments))

    pairs = (LANES, LANES), (LANES, NUMBER), (NUMBER, LANES)
    _define(symbol, generate, *(LANES(*pair) for pair in pairs))


def _absolute(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    bits = builder.and_(builder.bitcast(arguments[0], BITS), ir.Constant(BITS, [NOT_SIGN] * SIDE))
    return builder.bitcast(bits, VECTOR)


def at_most(value: Number, bound: Number | float, yes: Number | float, no: Number) -> Number:
    """Return `yes` where a value is at most the bound; `no` where it is not, or either is NaN.

    Both are there before one is chosen: no branch that a machine would guess wrong.
    """
    first: Any = value  # Lanes are compared in compiled code alone (`_choose`)
    chosen: Any = yes if first <= bound else no
    picked: Number = chosen
    return picked


def _choose(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    if signature.return_type == LANES:
        arguments = _vectors(context, builder, signature, arguments)
    value, bound, yes, no = arguments
    return builder.select(builder.fcmp_ordered("<=", value, bound), yes, no)


for symbol, name in OPERATIONS.items():
    _define_operator(symbol, name)
_define(abs, _absolute, LANES(LANES))
_define(
    at_most,
    _choose,
    NUMBER(NUMBER, NUMBER, NUMBER, NUMBER),
    LANES(LANES, LANES, LANES, LANES),
    LANES(LANES, NUMBER, NUMBER, LANES),
)


def _same(_context: Any, value: Any) -> tuple[Any, Codegen]:
    """Return how to put a number into every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _vector(context, builder, signature.args[0], arguments[0])

    return LANES(value), generate


def _place(context: Any, builder: Any, kind: Any, array: Any, *at: Any) -> Any:
    """Return where a vector lies in an array."""
    made = context.make_array(kind)(context, builder, array)
    first = build.get_item_pointer(context, builder, kind, made, at)
    return builder.bitcast(first, VECTOR.as_pointer())


def _load(_context: Any, column: Any, at: Any) -> tuple[Any, Codegen]:
    """Return how to take SIDE neighbours of a column."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(_place(context, builder, signature.args[0], *arguments))
        loaded.align = ALIGNED
        return loaded

    return LANES(column, at), generate


def _store(_context: Any, lanes: Any, column: Any, at: Any) -> tuple[Any, Codegen]:
    """Return how to write SIDE neighbours of a column."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[1], *arguments[1:])
        builder.store(arguments[0], place).align = ALIGNED
        return context.get_dummy_value()

    return types.void(lanes, column, at), generate


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Return SIDE vectors turned: blocks of one, two and four trade their places."""
    for width in [1 << power for power in range(SIDE.bit_length() - 1)]:
        kept = [at if not at & width else at + SIDE - width for at in range(SIDE)]
        moved = [at + width if not at & width else at + SIDE for at in range(SIDE)]
        pairs = [(at, at | width) for at in range(SIDE) if not at & width]
        found = dict[int, Any]()
        for one, other in pairs:
            found[one] = _shuffled(builder, rows[one], rows[other], kept)
            found[other] = _shuffled(builder, rows[one], rows[other], moved)
        rows = [found[at] for at in range(SIDE)]
    return rows


def _turn(builder: Any, read: list[Any], write: list[Any]) -> None:
    loaded = [builder.load(place) for place in read]
    for one in loaded:
        one.align = ALIGNED
    for one, place in zip(_turned(builder, loaded), write, strict=True):
        builder.store(one, place).align = ALIGNED


def _places(context: Any, builder: Any, kinds: Any, tile: Any, rows: Any, at: Any) -> Any:
    """Return where the vectors of a tile lie, and those of rows from a bar on."""
    number = ir.IntType(64)
    of_tile = [_place(context, builder, kinds[0], tile, number(SIDE * row)) for row in range(SIDE)]
    of_rows = [_place(context, builder, kinds[1], rows, number(row), at) for row in range(SIDE)]
    return of_tile, of_rows


def _turn_in(_context: Any, rows: Any, at: Any, tile: Any) -> tuple[Any, Codegen]:
    """Return how to fill a tile with SIDE bars of SIDE rows."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, at, tile = arguments
        kinds = signature.args[2], signature.args[0]
        of_tile, of_rows = _places(context, builder, kinds, tile, rows, at)
        _turn(builder, of_rows, of_tile)
        return context.get_dummy_value()

    return types.void(rows, at, tile), generate


def _turn_out(_context: Any, tile: Any, rows: Any, at: Any) -> tuple[Any, Codegen]:
    """Return how to give SIDE rows the SIDE bars of a tile."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile, rows, at = arguments
        of_tile, of_rows = _places(context, builder, signature.args[:2], tile, rows, at)
        _turn(builder, of_tile, of_rows)
        return context.get_dummy_value()

    return types.void(tile, rows, at), generate


same = cast(Callable[[float], Lanes], extend.intrinsic(_same))
load = cast(Callable[[F64_1D, int], Lanes], extend.intrinsic(_load))
store = cast(Callable[[Lanes, F64_1D, int], None], extend.intrinsic(_store))
turn_in = cast(Callable[[F64_2D, int, F64_1D], None], extend.intrinsic(_turn_in))
turn_out = cast(Callable[[F64_1D, F64_2D, int], None], extend.intrinsic(_turn_out))
