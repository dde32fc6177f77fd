"""The one place where features meet Numba, so that decorated kernels keep their types.

Kernels are compiled lazily and cached beside their source file. Numba keys that cache by the file
of the kernel alone, so a kernel never calls one of another file: an edit there would go unseen.
Fast-math stays off, since reordered sums would break causality bit for bit, and the NumPy error
model is on, since a kernel decides itself what a division by zero means.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """Return the kernel compiled by Numba, typed as before.

    Shape: columns must come from `_columns.column`, so that one specialisation serves all callers.
    """
    return cast(Kernel, njit(cache=True, error_model="numpy", nogil=True)(kernel))


def compiled_for_threads(kernel: Kernel) -> Kernel:
    """Return the kernel compiled like the others, with its `prange` dealt out to threads."""
    return cast(Kernel, njit(cache=True, error_model="numpy", nogil=True, parallel=True)(kernel))
