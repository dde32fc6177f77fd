"""The kernel as CUDA code: the rules of `runs` in one thread for each set.

Only `gpu` imports this module, and only when it is asked to run something, because numba-cuda need
not be installed.

Theory. A thread finds its set by its place, takes what the set wants out of the packed tables as
slices, and calls the pass that the CPU's drivers call. Its row lies in local memory, which the
hardware interleaves over the threads of a warp. Sets that lie side by side should share their
wishes: their threads then go the same way.

Equality with the CPU needs every product and sum rounded on its own. NVVM fuses a product into the
sum after it unless told not to, and numba-cuda has no option for that, so the one is passed here
while the kernel is compiled, link-time optimisation stays off (the assembly that is looked at is
the assembly that runs), and assembly that fuses all the same is refused.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import cuda, float64, int64, types
from numba.core import config
from numba.cuda.cudadrv import nvvm
from numba.np.numpy_support import from_dtype

from engines.errors import KernelFault
from engines.kernels import runs
from engines.kernels._compiled import rule
from engines.kernels.columns import F64_2D, I64_2D, Bars, Charges, Tables, Wants
from engines.kernels.slots import RUN
from engines.types import I64_1D

FUSED = re.compile(r"\b(?:(?:fma|mad)\.\S*f64|(?:mul|add|sub)\.f64)\b")
"""A product fused into a sum, and operations that the assembler may still fuse."""


def many(
    bars: Bars, tables: Tables, charges: Charges, terms: F64_2D, sets: I64_2D, kept: I64_1D,
    found: F64_2D,
) -> None:  # fmt: skip # one list
    """Run the sets [N, 2], each a place among the wants and one among the terms.

    What a run holds in the end at the places `kept` [K] goes into `found` [K, N].
    """
    place = cuda.grid(1)
    if place < len(sets):
        run = cuda.local.array(RUN, float64)
        runs.play(run, bars, wants_at(tables, sets[place, 0]), charges, terms[sets[place, 1]])
        for row in range(len(kept)):
            found[row, place] = run[kept[row]]


@rule
def wants_at(tables: Tables, want: int) -> Wants:
    """Return what is wished at a place of the tables, as parts of them."""
    starts = tables.starts
    return Wants(
        tables.wishes[want],
        tables.flat[starts[want, 0] : starts[want + 1, 0]],
        tables.long[starts[want, 1] : starts[want + 1, 1]],
        tables.short[starts[want, 2] : starts[want + 1, 2]],
        tables.stop_price[want],
        tables.target_price[want],
        tables.size[want],
        tables.equity_ratio[want],
        tables.atr[want],
        tables.atr_ratio[want],
    )


def types_of(bars: Bars, tables: Tables, charges: Charges) -> tuple[Any, ...]:
    """Return the Numba types of the arguments of `many`, given the first three (Any: as Numba)."""
    f64_2d, i64 = float64[:, ::1], int64[::1]
    return *map(_type_of, (bars, tables, charges)), f64_2d, int64[:, ::1], i64, f64_2d


def _type_of(columns: tuple[Any, ...]) -> Any:
    """Return the type of a named tuple of columns and whole numbers once it is on the device."""
    items = [
        types.Array(from_dtype(item.dtype), item.ndim, "C")
        if isinstance(item, np.ndarray)
        else int64
        for item in columns
    ]
    named: Any = types.NamedTuple
    uniform: Any = types.NamedUniTuple
    if len(set(items)) == 1:
        return uniform(items[0], len(items), type(columns))
    return named(items, type(columns))


@contextmanager
def unfused() -> Iterator[None]:
    """Let NVVM keep products and sums apart in whatever is compiled meanwhile."""
    plain = nvvm.compile_ir

    def apart(*arguments: Any, **options: Any) -> Any:
        return plain(*arguments, **options | {"fma": False})

    nvvm.compile_ir = apart
    try:
        yield
    finally:
        nvvm.compile_ir = plain


def fused(assembly: str) -> str | None:
    """Return the first operation that is fused or may become so, None if there is none."""
    found = FUSED.search(assembly)
    return None if found is None else found.group()


def compiled(signature: tuple[Any, ...]) -> Any:
    """Return the kernel for the device in use, or the simulator's (Any: numba-cuda has no types).

    Raises: KernelFault if the assembly fuses products and sums.
    """
    if config.ENABLE_CUDASIM:  # type: ignore[attr-defined] # set from the environment
        return cuda.jit(many)
    with unfused():
        kernel = cuda.jit(many, fastmath=False, lto=False)
        assembly = kernel.compile(signature).library.get_asm_str()
    if (found := fused(assembly)) is not None:
        raise KernelFault("GPU kernel", "products and sums that are rounded apart", found)
    return kernel
