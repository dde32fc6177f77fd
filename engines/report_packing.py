"""Columns as short texts that a browser unpacks in milliseconds.

Theory. Neighbouring values of a price or an equity differ by little. A column becomes whole steps
(ticks, cents), the steps their differences, a difference an unsigned number (zigzag: 0, -1, 1, -2
become 0, 1, 2, 3), the number bytes of seven bits each, the lowest first, the eighth saying that
more follow; the bytes become base64. A bar of five columns takes 6 to 8 bytes instead of 40. What
is no multiple of a step (averages, undefined values) stays float64 as it is, in base64 too.
`serve/web/report/packed.js` reads both.
"""

import base64

import numpy as np
import numpy.typing as npt

from engines.types import F64_1D, I64_1D

GROUP_BITS = 7
STEPS_MAX = 2**53  # beyond, a browser's numbers are no longer whole


def packed(values: F64_1D | I64_1D, step: float) -> dict[str, object]:
    """Return a column [T] rounded to whole steps, packed: {"step", "count", "bytes"}.

    Columns that a step cannot hold (not finite, too large) are packed by `floats`.
    """
    steps = np.rint(np.asarray(values, dtype=np.float64) / step)
    if not (np.isfinite(steps).all() and (np.abs(steps) < STEPS_MAX).all()):
        return floats(np.asarray(values, dtype=np.float64))
    whole = steps.astype(np.int64)
    groups = _groups(_zigzag(np.diff(whole, prepend=np.int64(0))))
    return {"step": step, "count": len(whole), "bytes": _text(groups)}


def packed_exactly(values: F64_1D, step: float) -> dict[str, object]:
    """Return a column [T] packed in steps if all its values are multiples, else by `floats`."""
    steps = np.rint(values / step)
    near = np.isclose(steps * step, values, rtol=1e-12, atol=0.0)
    return packed(values, step) if near.all() else floats(values)


def floats(values: F64_1D) -> dict[str, object]:
    """Return a column [T] as it is: {"float64"}, little-endian."""
    return {"float64": _text(np.ascontiguousarray(values, dtype="<f8"))}


def floats32(values: F64_1D) -> dict[str, object]:
    """Return a column [T] with seven digits: {"float32"}, little-endian."""
    return {"float32": _text(np.ascontiguousarray(values, dtype="<f4"))}


def _zigzag(whole: I64_1D) -> npt.NDArray[np.uint64]:
    return ((whole << 1) ^ (whole >> 63)).astype(np.uint64)


def _groups(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Return the values' groups of seven bits one after the other."""
    lengths = np.ones(len(values), dtype=np.int64)
    longest = int(values.max()).bit_length() if len(values) else 0
    for bits in range(GROUP_BITS, longest, GROUP_BITS):
        lengths += values >= np.uint64(1 << bits)
    starts = np.cumsum(lengths) - lengths
    out = np.zeros(int(lengths.sum()), dtype=np.uint8)
    for group in range(int(lengths.max(initial=0))):
        has = lengths > group
        low = (values[has] >> np.uint64(group * GROUP_BITS)) & np.uint64(0x7F)
        more = (lengths[has] > group + 1).astype(np.uint8) << 7
        out[starts[has] + group] = low.astype(np.uint8) | more
    return out


def _text(array: npt.NDArray[np.generic]) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")
