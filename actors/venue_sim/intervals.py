"""The venue's thirteen kline intervals, and where their bars begin.

Minutes, hours and days lie on the epoch's grid, weeks begin on Monday, months on their first day
and have no fixed length: so a bar's end is the next bar's beginning and never a sum.
Source: Bybit v5, "Get Kline", interval.
"""

import numpy as np

from engines.klines import DAY_MS, MINUTE_MS, WEEK_MS
from engines.resample import MONDAY_MS
from engines.types import I64_1D

MONTH = "M"
INTERVAL_MS = {
    **{str(minutes): minutes * MINUTE_MS for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": DAY_MS,
    "W": WEEK_MS,
}
INTERVALS = (*INTERVAL_MS, MONTH)


def bucket_starts(times_ms: I64_1D, interval: str) -> I64_1D:
    """Return when the bar that holds each time begins [N]."""
    if interval == MONTH:
        months = times_ms.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    interval_ms = INTERVAL_MS[interval]
    offset_ms = MONDAY_MS if interval == "W" else 0
    starts: I64_1D = (times_ms - offset_ms) // interval_ms * interval_ms + offset_ms
    return starts


def bucket_ends(starts_ms: I64_1D, interval: str) -> I64_1D:
    """Return when the bars that begin at these times end [N]."""
    if interval == MONTH:
        months = starts_ms.astype("datetime64[ms]").astype("datetime64[M]") + np.timedelta64(1, "M")
        return months.astype("datetime64[ms]").astype(np.int64)
    return starts_ms + INTERVAL_MS[interval]


def bucket_start(time_ms: int, interval: str) -> int:
    """Return when the bar that holds a time begins."""
    return int(bucket_starts(np.array([time_ms], dtype=np.int64), interval)[0])
