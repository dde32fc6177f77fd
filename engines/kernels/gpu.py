"""The kernel on a GPU: many sets of one market, one thread each.

Theory. Bars and charges are copied to the device once, wants and terms once a call; the sets follow
in chunks, so the device holds CHUNK rows of results however many sets there are. The arithmetic is
the CPU's, operation by operation (`_cuda`), so the numbers are the CPU's doubles. Trades are not
kept: those of a chosen set come from `cpu.run_one`.

numba-cuda is optional. `why_not` says what is missing, and nothing here is imported before a run is
asked for.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np

from engines.kernels.columns import F64_2D, I64_2D, Bars, Charges, Tables, Wants
from engines.types import I64_1D

CHUNK = 1 << 17  # sets; several times what the largest GPU runs at once
BLOCK = 64  # threads: two warps, so that a slow set holds up few others
EVENTS = ("flat", "long", "short")
COLUMNS = Wants._fields[4:]

Columns = TypeVar("Columns", bound=NamedTuple)


def why_not() -> str | None:
    """Return why sets cannot be run on a GPU here, None if they can."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    from numba import cuda  # here, since it is optional

    if not cuda.is_available():
        return "no CUDA driver, toolkit or device answers"
    return None


def packed(wants: Sequence[Wants]) -> Tables:
    """Return wants one below the other; those that lack a column another has are given NaN."""
    bars = len(wants[0].wishes)
    starts = np.zeros((len(wants) + 1, len(EVENTS)), dtype=np.int64)
    starts[1:] = [[len(getattr(want, name)) for name in EVENTS] for want in wants]
    columns = []
    for name in COLUMNS:
        rows = [getattr(want, name) for want in wants]
        width = max(map(len, rows))
        assert width in (0, bars), "a column is as long as the bars"
        rows = [row if len(row) == width else np.full(width, np.nan) for row in rows]
        columns.append(np.stack(rows))
    flat, long, short = (np.concatenate([getattr(want, name) for want in wants]) for name in EVENTS)
    wishes = np.stack([want.wishes for want in wants])
    return Tables(wishes, flat, long, short, starts.cumsum(axis=0), *columns)


class GpuRuns:
    """Sets of one market on the GPU."""

    def __init__(self, bars: Bars, charges: Charges) -> None:
        self._bars, self._charges = bars, charges
        self._on_device = _copied(bars), _copied(charges)

    def run(self, wants: Sequence[Wants], terms: F64_2D, sets: I64_2D, kept: I64_1D) -> F64_2D:
        """Run sets [N, 2] and return what each holds in the end at the places `kept` [N, K].

        A set is a place among `wants` and one among `terms` [P, TERMS]. Sets that lie side by side
        should share their wants, since they then go the same way together.
        """
        from numba import cuda  # here, since it is optional

        tables = packed(wants)
        kernel = kernel_for(self._bars, tables, self._charges)
        bars, charges = self._on_device
        columns = bars, _copied(tables), charges, cuda.to_device(np.ascontiguousarray(terms))
        places, found = cuda.to_device(kept), np.empty((len(sets), len(kept)))
        for start in range(0, len(sets), CHUNK):
            chunk = np.ascontiguousarray(sets[start : start + CHUNK])
            answer = cuda.device_array((len(kept), len(chunk)))
            blocks = -(-len(chunk) // BLOCK)
            kernel[blocks, BLOCK](*columns, cuda.to_device(chunk), places, answer)
            found[start : start + CHUNK] = answer.copy_to_host().T
        return found


def kernel_for(bars: Bars, tables: Tables, charges: Charges) -> Any:
    """Return the compiled kernel for columns of these types (Any: numba-cuda has no types)."""
    from engines.kernels import _cuda  # here, since numba-cuda is optional

    return _compiled(_cuda.types_of(bars, tables, charges))


@cache
def _compiled(signature: tuple[Any, ...]) -> Any:
    from engines.kernels import _cuda  # here, since numba-cuda is optional

    return _cuda.compiled(signature)


def _copied(columns: Columns) -> Columns:
    """Return a tuple of columns on the device; what is a plain number stays one."""
    from numba import cuda  # here, since it is optional

    return type(columns)(
        *(cuda.to_device(item) if isinstance(item, np.ndarray) else item for item in columns)
    )
