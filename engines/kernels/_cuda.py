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
the assembly that runs), and assembly that fuses all the same is refused. Nothing is compiled later,
out of sight, for arguments of other types: a call with such fails. (A view of one row has another
type on a device, and what numba-cuda compiled for it unasked did fuse; see `gpu.copied_each`.)

NVVM inlines every rule wherever it is called, which makes a megabyte of code that takes a minute to
compile and does not fit an instruction cache; so large rules are marked as functions to stay.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import cuda, float64, int64, types, uint8
from numba.core import config
from numba.cuda.cudadrv import nvvm
from numba.np.numpy_support import from_dtype

from engines.errors import KernelFault
from engines.kernels.columns import F64_2D, I64_2D, U8_1D, Bars, Charges, Tables
from engines.kernels.machine import beginning, runs
from engines.kernels.slots import OVERFLOWS
from engines.kernels.tables import wants_at
from engines.types import F64_1D, I64_1D

# What came of a set: its row would not fit, it was run, or more lots were open than had room.
TOO_LARGE, RAN, OVERFLOWED = range(3)
NUMBERS = {int: int64, float: float64}
LINES_MAX = 250  # of LLVM's text; larger rules stay functions; with 600 a device was half as fast
CALLED_ONCE = re.compile(r"many|8wants_at|4runs8play_out|4runs5trade")
FUSED = re.compile(r"\b(?:(?:fma|mad)\.\S*f64|(?:mul|add|sub)\.f64)\b")
"""A product fused into a sum, and operations that the assembler may still fuse."""


def many_of(room: int) -> Callable[..., None]:
    """Return the kernel whose threads have rows of `room` places, a constant to the compiler."""

    def many(
        bars: Bars, tables: Tables, charges: Charges, terms: F64_2D, sets: I64_2D, lots: F64_1D,
        kept: I64_1D, found: F64_2D, outcome: U8_1D,
    ) -> None:  # fmt: skip # one list
        """Run the sets [N, 2], each a place among the wants and one among the terms.

        What a run with room for so many `lots` [N] holds in the end at the places `kept` [K] goes
        into `found` [K, N], and TOO_LARGE, RAN or OVERFLOWED into `outcome` [N].
        """
        place = cuda.grid(1)
        if place < len(sets):
            row = terms[sets[place, 1]]
            outcome[place] = TOO_LARGE
            if beginning.size_of(row, lots[place]) <= room:
                run = cuda.local.array(room, float64)
                wants = wants_at(tables, sets[place, 0])
                runs.play_out(run, bars, wants, charges, row, lots[place], room)
                outcome[place] = RAN if run[OVERFLOWS] == 0 else OVERFLOWED
                for column in range(len(kept)):
                    found[column, place] = run[kept[column]]

    return many


def types_of(bars: Bars, tables: Tables, charges: Charges) -> tuple[Any, ...]:
    """Return the Numba types of the arguments of `many`, given the first three (Any: as Numba)."""
    first = map(_type_of, (bars, tables, charges))
    f64_2d = float64[:, ::1]
    return *first, f64_2d, int64[:, ::1], float64[::1], int64[::1], f64_2d, uint8[::1]


def _type_of(columns: tuple[Any, ...]) -> Any:
    """Return the type of a named tuple of columns and whole numbers once it is on the device."""
    items = [
        types.Array(from_dtype(item.dtype), item.ndim, "C")
        if isinstance(item, np.ndarray)
        else NUMBERS[type(item)]
        for item in columns
    ]
    named: Any = types.NamedTuple
    uniform: Any = types.NamedUniTuple
    if len(set(items)) == 1:
        return uniform(items[0], len(items), type(columns))
    return named(items, type(columns))


@contextmanager
def compiling(lines_max: float = LINES_MAX) -> Iterator[None]:
    """Keep products and sums apart, and rules of more lines than that, in what is compiled."""
    plain = nvvm.compile_ir

    def apart(modules: Sequence[str], **options: Any) -> Any:
        texts = [outlined(str(text), lines_max) for text in modules]
        return plain(texts, **options | {"fma": False})

    nvvm.compile_ir = apart
    try:
        yield
    finally:
        nvvm.compile_ir = plain


def outlined(text: str, lines_max: float) -> str:
    """Return LLVM's text with the functions of more lines than that kept from being inlined.

    What is inlined for the CPU whatever its size (`_compiled.inlined`) is a function like others.
    """
    lines = text.replace(" alwaysinline", "").split("\n")
    starts = [place for place, line in enumerate(lines) if line.startswith("define ")]
    for start in starts:
        if lines.index("}", start) - start > lines_max and not CALLED_ONCE.search(lines[start]):
            brace = next(place for place in range(start, len(lines)) if lines[place][-1:] == "{")
            lines[brace] = lines[brace][:-1] + " noinline {"
    return "\n".join(lines)


def fused(assembly: str) -> str | None:
    """Return the first operation that is fused or may become so, None if there is none."""
    found = FUSED.search(assembly)
    return None if found is None else found.group()


def compiled(room: int, signature: tuple[Any, ...]) -> Any:
    """Return the kernel for the device in use, or the simulator's (Any: numba-cuda has no types).

    Raises: KernelFault if the assembly fuses products and sums.
    """
    many = many_of(room)
    if config.ENABLE_CUDASIM:  # type: ignore[attr-defined] # set from the environment
        return cuda.jit(many)
    with compiling():
        kernel = cuda.jit(many, fastmath=False, lto=False)
        assembly = kernel.compile(signature).library.get_asm_str()
    if (found := fused(assembly)) is not None:
        raise KernelFault("GPU kernel", "products and sums that are rounded apart", found)
    kernel.disable_compile()
    return kernel
