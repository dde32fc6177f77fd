"""How much of each stretch of time is stored: the numbers behind a picture of gaps."""

import numpy as np

from engines.types import F64_1D, I64_1D


def coverage(open_time_ms: I64_1D, interval_ms: int, edges_ms: I64_1D) -> F64_1D:
    """Return which part of the time between neighbouring edges stored bars cover.

    Shape: times [N], ascending; edges [C + 1], ascending -> [C], each from 0 to 1.
    """
    starts = open_time_ms.astype(np.float64)
    # The time that is covered before any instant grows by one bar's length from each open on.
    corners = np.column_stack([starts, starts + interval_ms]).ravel()
    covered = np.column_stack([np.arange(len(starts)), np.arange(1, len(starts) + 1)]).ravel()
    at_edges = np.interp(edges_ms.astype(np.float64), corners, covered * float(interval_ms))
    part: F64_1D = np.diff(at_edges) / np.diff(edges_ms)
    return part
