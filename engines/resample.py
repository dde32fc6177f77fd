"""Bars seen from bars of another interval or symbol, without look-ahead.

Theory. At the close of base bar t exactly those bars of another series are known whose close time
is not later. `last_closed` maps every base bar to the newest of them (-1: none yet), and
`project` reads a column of the other series through that map. `aggregate` builds a longer
interval; a bucket is stamped by its own grid time and holds whatever base bars fell into it.
"""

import numpy as np

from engines.errors import KlineFault
from engines.klines import Klines, interval_text
from engines.types import F64_1D, I64_1D


def aggregate(klines: Klines, interval_ms: int, offset_ms: int = 0) -> Klines:
    """Return bars of `interval_ms`, buckets starting at UTC midnight of the epoch + `offset_ms`.

    The last bucket is kept only when its last base bar is present: an unfinished bar is no bar.
    Raises: KlineFault if the interval is not a multiple of the base interval.
    """
    if interval_ms % klines.interval_ms or interval_ms <= klines.interval_ms:
        raise KlineFault(
            f"interval to aggregate {klines.symbol} to",
            f"a multiple of {interval_text(klines.interval_ms)}",
            interval_text(interval_ms),
        )
    bucket = (klines.open_time_ms - offset_ms) // interval_ms
    start = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]])
    stop = np.r_[start[1:], len(klines)]
    open_time_ms = bucket[start] * interval_ms + offset_ms
    if klines.open_time_ms[-1] + klines.interval_ms < open_time_ms[-1] + interval_ms:
        start, stop, open_time_ms = start[:-1], stop[:-1], open_time_ms[:-1]
    if len(start) == 0:
        raise KlineFault(
            f"klines of {klines.symbol}",
            f"at least one whole bar of {interval_text(interval_ms)}",
            f"{len(klines)} bars of {interval_text(klines.interval_ms)}",
        )
    used = int(stop[-1])
    turnover = klines.turnover
    return Klines(
        symbol=klines.symbol,
        interval_ms=interval_ms,
        open_time_ms=open_time_ms,
        open=klines.open[start],
        high=np.maximum.reduceat(klines.high[:used], start),
        low=np.minimum.reduceat(klines.low[:used], start),
        close=klines.close[stop - 1],
        volume=np.add.reduceat(klines.volume[:used], start),
        turnover=None if turnover is None else np.add.reduceat(turnover[:used], start),
    )


def last_closed(source: Klines, base: Klines) -> I64_1D:
    """Return for each base bar the index of the newest source bar closed by its close [T].

    -1 where no source bar has closed yet.
    """
    known = np.searchsorted(source.close_time_ms, base.close_time_ms, side="right")
    return known.astype(np.int64) - 1


def project(values: F64_1D, index: I64_1D) -> F64_1D:
    """Return source `values` as seen through `index` from `last_closed`, NaN where it is -1 [T]."""
    seen = np.full(len(index), np.nan)
    known = index >= 0
    seen[known] = values[index[known]]
    return seen
