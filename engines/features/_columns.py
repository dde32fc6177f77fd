"""Checks and conversions that every feature applies to its arguments, and the rule for NaN.

Pine's machines differ in what they do with na. The rule here is one: an infinite value counts as
NaN, a NaN bar gives NaN, and a rolling feature works on the last `period` finite values, skipping
NaN bars (`over_finite`). That is Pine's own rule for sums, averages and everything built on them,
and lets indicators chain: an EMA of MACD is seeded by its first finite values. A feature that
follows another Pine rule says so in its docstring.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from engines.types import BOOL_1D, F64_1D

# Pine compares floats with this absolute tolerance ("the internal precision of floats in Pine
# Script is 1e-10", Pine Script user manual, type system). Compiled kernels freeze it, and their
# cache does not look here: whoever changes it deletes __pycache__.
PINE_TOLERANCE = 1e-10
WARM_UP_MAX = 1024  # bars, within which most sources of features begin


def column(name: str, values: F64_1D) -> F64_1D:
    """Return the values as a read-only, contiguous float64 column.

    Shape: [T] -> [T]. Read-only keeps Numba at one specialisation a kernel.
    Raises: ValueError if the values are not one-dimensional.
    """
    if is_column(values):
        return values
    converted = np.ascontiguousarray(values, dtype=np.float64).view()
    if np.ndim(values) != 1:
        raise ValueError(f"{name} must be one-dimensional, found {np.ndim(values)} dimensions")
    converted.flags.writeable = False
    return converted


def is_column(values: F64_1D) -> bool:
    """Return whether values need no conversion, as those of features that are shared do not."""
    if not isinstance(values, np.ndarray):
        return False
    flags = values.flags
    is_fixed = not flags.writeable and flags.c_contiguous
    return is_fixed and values.ndim == 1 and values.dtype == np.float64


def aligned(**named: F64_1D) -> list[F64_1D]:
    """Return the named values as columns of one length, in the order given.

    Raises: ValueError if their lengths differ.
    """
    converted = [column(name, values) for name, values in named.items()]
    lengths = {name: values.size for name, values in zip(named, converted, strict=True)}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"columns must have one length, found {found}")
    return converted


def aligned_mask(name: str, values: BOOL_1D, length: int) -> BOOL_1D:
    """Return the values as a read-only bool column of the given length.

    Raises: ValueError if they are not bool or their shape is not [length].
    """
    mask = np.ascontiguousarray(values).view()
    if mask.dtype != np.bool_:
        raise ValueError(f"{name} must be a bool column, found {mask.dtype}")
    if np.shape(values) != (length,):
        raise ValueError(f"{name} must have shape ({length},), found {np.shape(values)}")
    mask.flags.writeable = False
    return mask


def require_period(name: str, value: int, minimum: int = 1) -> None:
    """Check that a bar count is an integer of at least the minimum.

    Raises: ValueError if it is not.
    """
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_integer or value < minimum:
        raise ValueError(f"{name} must be an integer >= {minimum}, found {value!r}")


def require_positive(name: str, value: float) -> None:
    """Check that a factor is finite and above zero.

    Raises: ValueError if it is not.
    """
    if not (np.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} must be above zero, found {value!r}")


class Remembers(Protocol):
    """A kernel no later value of which is finite once one of its source is not."""

    def __call__(self, source: F64_1D, /, *, out: F64_1D) -> F64_1D:
        """Return the values of a column, written to `out`."""
        ...


def over_finite(kernel: Callable[[F64_1D], F64_1D], source: F64_1D) -> F64_1D:
    """Return the kernel's values over the finite values of the source, NaN elsewhere."""
    finite = np.isfinite(source)
    if finite.all():
        return kernel(source)
    values = np.full(source.size, np.nan)
    first = int(finite.argmax())
    if finite[first:].all():  # what warms up, as features of features do, is not picked bar by bar
        values[first:] = kernel(source[first:])
    else:
        values[finite] = kernel(column("source", source[finite]))
    return values


def over_finite_remembered(kernel: Remembers, source: F64_1D) -> F64_1D:
    """Return what `over_finite` does where a finite last value shows that nothing was skipped.

    So the source is not searched, but for where it begins.
    """
    begun = np.isfinite(source[:WARM_UP_MAX])
    if begun.any():
        first = int(begun.argmax())
        values = np.empty(source.size)
        values[:first] = np.nan
        kernel(source[first:], out=values[first:])
        if np.isfinite(values[-1]):
            return values
    return over_finite(lambda finite: kernel(finite, out=np.empty(finite.size)), source)


def ratio(numerator: F64_1D, denominator: F64_1D) -> F64_1D:
    """Return numerator / denominator, NaN where the denominator is zero."""
    with np.errstate(all="ignore"):
        quotient = numerator / denominator
    return np.where(denominator == 0.0, np.nan, quotient)


def lagged(source: F64_1D, bars: int) -> F64_1D:
    """Return the source of so many bars ago, NaN where there is none."""
    values = np.full(source.size, np.nan)
    if bars < source.size:
        values[bars:] = source[: source.size - bars]
    return values


def mirrored(source: F64_1D) -> F64_1D:
    """Return the negated column, by which the lowest is the highest of the mirror image.

    Subtracting leaves a NaN as it is. Negating would flip its sign bit, and which of two NaNs a
    later sum returns then depends on the length of the column: no longer causal bit for bit.
    """
    return 0.0 - source
