"""Other builds of the GPU's kernel, timed beside the one that is used, to justify it.

What is varied: where a run's row lies (local memory, or global memory interleaved over threads),
whether large rules are inlined, how many registers a thread may take, threads a block.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from numba import cuda, float64
from numba.cuda.cudadrv import nvvm

from engines.kernels import _cuda, gpu, runs
from engines.kernels.columns import F64_2D, I64_2D, Bars, Charges, Tables
from engines.kernels.slots import RUN
from engines.types import I64_1D


def many_interleaved(
    bars: Bars, tables: Tables, charges: Charges, terms: F64_2D, sets: I64_2D, kept: I64_1D,
    found: F64_2D, rows: F64_2D,
) -> None:  # fmt: skip # one list
    """Do what `many` does, with the rows of all threads in one global array [RUN, threads]."""
    place = cuda.grid(1)
    if place < len(sets):
        run = rows[:, place]
        runs.play(run, bars, _cuda.wants_at(tables, sets[place, 0]), charges, terms[sets[place, 1]])
        for row in range(len(kept)):
            found[row, place] = run[kept[row]]


class Interleaved:
    """The kernel above, called like the one that is used."""

    def __init__(self, signature: tuple[Any, ...]) -> None:
        self._rows: Any = None
        with _cuda.unfused():
            self._kernel = cuda.jit(many_interleaved, fastmath=False, lto=False)
            self._kernel.compile((*signature, float64[:, ::1]))

    def __getitem__(self, shape: tuple[int, int]) -> Callable[..., None]:
        threads = shape[0] * shape[1]
        if self._rows is None or self._rows.shape[1] != threads:
            self._rows = cuda.device_array((RUN, threads))
        return lambda *arguments: self._kernel[shape](*arguments, self._rows)


@contextmanager
def outlined(lines_min: int) -> Iterator[None]:
    """Keep rules of so many lines of LLVM's text, or more, functions of their own."""
    plain = nvvm.compile_ir

    def apart(modules: Any, **options: Any) -> Any:
        return plain([_outlined(str(text), lines_min) for text in modules], **options)

    nvvm.compile_ir = apart
    try:
        yield
    finally:
        nvvm.compile_ir = plain


def _outlined(text: str, lines_min: int) -> str:
    lines = text.split("\n")
    starts = [place for place, line in enumerate(lines) if line.startswith("define ")]
    for start in starts:
        end = lines.index("}", start)
        if end - start < lines_min or re.search(r"4many|8wants_at|4runs\d", lines[start]):
            continue
        brace = next(place for place in range(start, end) if lines[place].rstrip().endswith("{"))
        lines[brace] = lines[brace].rstrip()[:-1] + " noinline {"
    return "\n".join(lines)


def build(
    signature: tuple[Any, ...], lines_min: int | None = None, registers: int | None = None
) -> Any:
    """Return the kernel with large rules outlined and a limit of registers."""
    if lines_min is not None:
        with outlined(lines_min):
            return build(signature, None, registers)
    with _cuda.unfused():
        limits = {} if registers is None else {"max_registers": registers}
        kernel = cuda.jit(_cuda.many, fastmath=False, lto=False, **limits)
        kernel.compile(signature)
    return kernel


VARIANTS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "as used": gpu._compiled,
    "outlined from 1000 lines": partial(build, lines_min=1_000),
    "outlined from 600 lines": partial(build, lines_min=600),
    "outlined from 600 lines, 128 registers": partial(build, lines_min=600, registers=128),
    "interleaved in global memory": Interleaved,
}
