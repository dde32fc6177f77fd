"""Other builds of the GPU's kernel, timed beside the one that is used, to justify it.

What is varied: where a run's row lies (local memory, or global memory interleaved over threads),
whether large rules are inlined, how many registers a thread may take, threads a block.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from numba import cuda, float64

from engines.kernels import _cuda, gpu
from engines.kernels.columns import F64_2D, I64_2D, U8_1D, Bars, Charges, Tables
from engines.kernels.machine import runs
from engines.kernels.slots import OVERFLOWS
from engines.kernels.tables import wants_at
from engines.types import F64_1D, I64_1D


def many_interleaved(
    bars: Bars, tables: Tables, charges: Charges, terms: F64_2D, sets: I64_2D, lots: F64_1D,
    kept: I64_1D, found: F64_2D, outcome: U8_1D, rows: F64_2D,
) -> None:  # fmt: skip # one list
    """Do what `many` does, with the rows of all threads in one global array [room, threads]."""
    place = cuda.grid(1)
    if place < len(sets):
        row, run = terms[sets[place, 1]], rows[:, place]
        wants = wants_at(tables, sets[place, 0])
        runs.play_out(run, bars, wants, charges, row, lots[place], len(run))
        outcome[place] = _cuda.RAN if run[OVERFLOWS] == 0 else _cuda.OVERFLOWED
        for column in range(len(kept)):
            found[column, place] = run[kept[column]]


class Interleaved:
    """The kernel above, called like the one that is used."""

    def __init__(self, room: int, signature: tuple[Any, ...]) -> None:
        self._rows: Any = None
        self._room = room
        with _cuda.compiling():
            self._kernel = cuda.jit(many_interleaved, fastmath=False, lto=False)
            self._kernel.compile((*signature, float64[:, ::1]))

    def __getitem__(self, shape: tuple[int, int]) -> Callable[..., None]:
        threads = shape[0] * shape[1]
        if self._rows is None or self._rows.shape[1] != threads:
            self._rows = cuda.device_array((self._room, threads))
        return lambda *arguments: self._kernel[shape](*arguments, self._rows)


def build(
    room: int,
    signature: tuple[Any, ...],
    lines_max: float = _cuda.LINES_MAX,
    registers: int | None = None,
) -> Any:
    """Return the kernel with larger rules outlined and a limit of registers."""
    limits = {} if registers is None else {"max_registers": registers}
    with _cuda.compiling(lines_max):
        kernel = cuda.jit(_cuda.many_of(room), fastmath=False, lto=False, **limits)
        kernel.compile(signature)
    return kernel


VARIANTS: dict[str, Callable[[int, tuple[Any, ...]], Any]] = {
    "as used": gpu.kernel_of,
    "128 registers": partial(build, registers=128),
    "outlined from 600 lines": partial(build, lines_max=600),
    "outlined from 100 lines": partial(build, lines_max=100),
    "interleaved in global memory": Interleaved,
}
