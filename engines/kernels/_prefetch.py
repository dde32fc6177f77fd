"""Ask the processor for what will be read soon, without waiting for it.

Theory. A step that looks something up in a table larger than the cache waits for it, and a load
made ahead waits as well once the processor's window is full. A prefetch does not: it has no result.
It changes nothing but time, and a place beyond the array asks for nothing.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from numba.core import cgutils, types
from numba.extending import intrinsic

ir: Any = cgutils.ir  # type: ignore[attr-defined] # llvmlite's, which comes with Numba
Codegen: TypeAlias = Callable[[Any, Any, Any, Any], Any]
READ, KEEP, OF_DATA = 0, 3, 1  # what LLVM is told: to read, to keep in all caches, no code


def _prefetch(_context: Any, array: Any, place: Any) -> tuple[Any, Codegen]:  # Any: Numba's own
    """Return how to ask for a place of an array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, (column, at) = signature.args[0], arguments
        first = context.make_array(kind)(context, builder, column).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        asked = builder.bitcast(builder.gep(first, [at]), byte)
        called = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], called)
        builder.call(ask, [asked, number(READ), number(KEEP), number(OF_DATA)])
        return context.get_dummy_value()

    return types.void(array, place), generate


prefetch = cast(Callable[[object, object], None], intrinsic(_prefetch))
