"""The array types that cross module boundaries, named by element and axes.

Axes: T bars, K trades, P parameter sets, S symbols, N paths (see the glossary). A column is always
one-dimensional, C-contiguous and aligned with the klines it was computed from.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

F64_1D: TypeAlias = npt.NDArray[np.float64]
F64_2D: TypeAlias = npt.NDArray[np.float64]
I64_1D: TypeAlias = npt.NDArray[np.int64]
BOOL_1D: TypeAlias = npt.NDArray[np.bool_]
U8_1D: TypeAlias = npt.NDArray[np.uint8]
