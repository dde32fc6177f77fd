"""The kernel on a GPU: many sets of one market, one thread each.

Theory. Bars and charges are copied to the device once, wants and terms once a call; the sets follow
in chunks, so the device holds CHUNK rows of results however many sets there are. The arithmetic is
the CPU's, operation by operation (`_cuda`), so the numbers are the CPU's doubles. What comes back
of a set is the sums of its summary; the CPU makes the figures of them, since a power is another
one in a GPU's last digit. Trades are not kept: those of a chosen set come from `cpu.run_one`.

numba-cuda is optional. `why_not` says what is missing, and nothing here is imported before a run is
asked for.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from engines.kernels._compiled import driver, stamp_of
from engines.kernels.columns import F64_2D, I64_2D, U8_1D, Bars, Charges, Tables, Wants
from engines.kernels.cpu import LOTS_GROWTH
from engines.kernels.slots import LOTS_ROOM, NEEDS_REFERENCE, RUN, START_BAR, SUMS
from engines.kernels.summary import FIGURES, SUMS_SIZE, finish
from engines.kernels.tables import tables_of
from engines.types import BOOL_1D, F64_1D, I64_1D

CHUNK = 1 << 17  # sets; several times what the largest GPU runs at once
# Threads: two warps, so that a slow set holds up few others. On a device blocks of 32 and 128
# registers for 255 change less than a tenth, and blocks of 128 are a quarter slower.
BLOCK = 64
ROOMS = RUN + 384, 8 * RUN, 32 * RUN  # places of a thread's row: one lot, several, very many

# What a summary is made of, then whether only the reference can run the set.
KEPT: I64_1D = np.array([*range(SUMS, SUMS + SUMS_SIZE), NEEDS_REFERENCE])

Columns = TypeVar("Columns", bound=NamedTuple)


def _finisher(stamp: int) -> Callable[[F64_2D, float, F64_1D, F64_2D], None]:
    """Return what makes figures of sums; what it closes over is a part of the key of its cache."""

    def finish_each(sums: F64_2D, days: float, traded: F64_1D, found: F64_2D) -> None:
        for place in range(len(sums) if stamp != 0 else 0):
            finish(sums[place], 0, days, traded[place], found[place], 0)

    return driver(finish_each)


finish_each = _finisher(stamp_of(globals()))


@cache
def why_not() -> str | None:
    """Return why sets cannot be run on a GPU here, None if they can.

    A line of code is compiled for it: a toolkit can be missing or unfit, and numba-cuda may not go
    with the NumPy that is there, which shows only then.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    from numba import cuda  # here, since it is optional

    if not cuda.is_available():
        return "no CUDA driver, toolkit or device answers"
    try:
        cuda.jit("void(float64[::1])")(_something)
    except Exception as error:
        return f"CUDA code cannot be compiled, {type(error).__name__}: {error}"
    return None


def _something(column: F64_1D) -> None:
    column[0] = 1.0


class GpuRuns:
    """Sets of one market on the GPU."""

    def __init__(self, bars: Bars, charges: Charges) -> None:
        self.bars, self.charges = bars, charges
        self.on_device = _copied(bars), _copied(charges)

    def run_sets(self, wants: Sequence[Wants], terms: F64_2D, sets: I64_2D) -> F64_2D:
        """Run sets [N, 2] and return what `cpu.run_sets` returns of them, in every bit.

        A set that does not fit a GPU is left to the reference.
        """
        kept, ran = self.run(wants, terms, sets, KEPT)
        found = np.empty((len(sets), FIGURES + 1))
        traded = np.maximum(1.0, len(self.bars.prices) - terms[sets[:, 1], START_BAR])
        finish_each(kept, self.bars.days, traded, found)
        found[:, FIGURES] = np.where(ran, kept[:, SUMS_SIZE], 1.0)
        return found

    def run(
        self, wants: Sequence[Wants], terms: F64_2D, sets: I64_2D, kept: I64_1D
    ) -> tuple[F64_2D, BOOL_1D]:
        """Run sets [N, 2] and return what each holds in the end at the places `kept` [N, K].

        A set is a place among `wants` and one among `terms` [P, TERMS]. Sets that lie side by side
        should share their wants, since they then go the same way together. The second result [N]
        tells which sets were run; one whose lots outgrow every row was not, and its row is NaN.
        """
        from engines.kernels._cuda import OVERFLOWED, RAN  # here, since numba-cuda is optional

        batch = _Batch(self, tables_of(wants), terms, kept)
        found, ran = np.full((len(sets), len(kept)), np.nan), np.zeros(len(sets), dtype=np.bool_)
        lots, trying = terms[sets[:, 1], LOTS_ROOM], np.arange(len(sets))
        for room in ROOMS:
            while len(trying):
                outcome, values = batch.run(room, sets[trying], lots[trying])
                done = outcome == RAN
                found[trying[done]], ran[trying[done]] = values[done], True
                trying = trying[outcome == OVERFLOWED]
                lots[trying] *= LOTS_GROWTH
            trying = np.flatnonzero(~ran)
        return found, ran


class _Batch:
    """Wants and terms on the device, and the sets among them that are run."""

    def __init__(self, runs: GpuRuns, tables: Tables, terms: F64_2D, kept: I64_1D) -> None:
        from engines.kernels._cuda import types_of  # here, since numba-cuda is optional

        self._signature = types_of(runs.bars, tables, runs.charges)
        bars, charges = runs.on_device
        self._columns = bars, _copied(tables), charges, *copied_each(terms)
        self._kept = kept

    def run(self, room: int, sets: I64_2D, lots: F64_1D) -> tuple[U8_1D, F64_2D]:
        """Run sets chunk by chunk; return what came of each, and the values [N, K]."""
        outcome = np.empty(len(sets), dtype=np.uint8)
        values = np.empty((len(sets), len(self._kept)))
        for start in range(0, len(sets), CHUNK):
            chunk = slice(start, start + CHUNK)
            outcome[chunk], values[chunk] = self._run_chunk(room, sets[chunk], lots[chunk])
        return outcome, values

    def _run_chunk(self, room: int, sets: I64_2D, lots: F64_1D) -> tuple[U8_1D, F64_2D]:
        from numba import cuda  # here, since it is optional

        answer = cuda.device_array((len(self._kept), len(sets)))
        outcome = cuda.device_array(len(sets), dtype=np.uint8)
        kernel = kernel_of(room, self._signature)
        kernel[-(-len(sets) // BLOCK), BLOCK](
            *self._columns, *copied_each(sets, lots, self._kept), answer, outcome
        )
        return outcome.copy_to_host(), answer.copy_to_host().T


@cache
def kernel_of(room: int, signature: tuple[Any, ...]) -> Any:
    """Return the kernel for rows of `room` places, compiled (Any: numba-cuda has no types)."""
    from engines.kernels import _cuda  # here, since numba-cuda is optional

    return _cuda.compiled(room, signature)


def _copied(columns: Columns) -> Columns:
    """Return a tuple of columns on the device; what is a plain number stays one."""
    return type(columns)(
        *(next(copied_each(item)) if isinstance(item, np.ndarray) else item for item in columns)
    )


def copied_each(*arrays: npt.NDArray[Any]) -> Iterator[Any]:
    """Return arrays on the device (Any: numba-cuda has no types).

    A new array has the steps of its shape; a view of one row may have others, and a type of its own
    on a GPU, though NumPy calls both contiguous.
    """
    from numba import cuda  # here, since it is optional

    return (cuda.to_device(np.array(array, order="C")) for array in arrays)
