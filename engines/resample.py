"""Bars seen from bars of another interval or symbol, without look-ahead.

Theory. At the close of base bar t exactly those bars of another series are known whose close time
is not later. `last_closed` maps every base bar to the newest of them (-1: none yet), and
`project` reads a column of the other series through that map. As TradingView's request.security
does, a bar is seen until a newer one closes, however long that takes; `age_max_ms` ends that for a
source that may stop or have outages. `aggregate` builds a longer interval; a bucket is stamped by
its own grid time and holds whatever base bars fell into it, but the first and the last only count
when they are whole at the outer end.
"""

import numpy as np

from engines.errors import KlineFault, ParameterFault
from engines.klines import DAY_MS, WEEK_MS, Klines, interval_text
from engines.types import F64_1D, I64_1D

# The epoch was a Thursday; weeks begin on the Monday after, as TradingView's, Bybit's, Binance's.
MONDAY_MS = 4 * DAY_MS


def bucket_offset_ms(interval_ms: int) -> int:
    """Return where bars of an interval begin: whole weeks on Monday, all else at the epoch."""
    return 0 if interval_ms % WEEK_MS else MONDAY_MS


def aggregate(klines: Klines, interval_ms: int, offset_ms: int | None = None) -> Klines:
    """Return bars of `interval_ms`, buckets starting at UTC midnight of the epoch + `offset_ms`.

    Without an offset whole weeks begin on Monday and everything else at the epoch.
    The first bucket is kept only when a base bar opens with it and the last only when its last base
    bar is present: part of a bar is no bar. `others` stay as they are.
    Raises: KlineFault if the interval is not a multiple of the base interval.
    """
    if interval_ms % klines.interval_ms or interval_ms <= klines.interval_ms:
        raise KlineFault(
            f"interval to aggregate {klines.symbol} to",
            f"a multiple of {interval_text(klines.interval_ms)}",
            interval_text(interval_ms),
        )
    if offset_ms is None:
        offset_ms = bucket_offset_ms(interval_ms)
    bucket = (klines.open_time_ms - offset_ms) // interval_ms
    start = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]])
    stop = np.r_[start[1:], len(klines)]
    open_time_ms = bucket[start] * interval_ms + offset_ms
    first = int(klines.open_time_ms[0] != open_time_ms[0])
    is_unfinished = klines.open_time_ms[-1] + klines.interval_ms < open_time_ms[-1] + interval_ms
    whole = slice(first, len(start) - int(is_unfinished))
    start, stop, open_time_ms = start[whole], stop[whole], open_time_ms[whole]
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
        others=klines.others,
    )


def last_closed(source: Klines, base: Klines, age_max_ms: int | None = None) -> I64_1D:
    """Return for each base bar the index of the newest source bar closed by its close [T].

    -1 where no source bar has closed yet, or where the newest one closed more than `age_max_ms`
    ago; None: it is seen for ever. The source's interval is the least that makes sense: until then
    the next bar is not due. Only time in which the base has bars counts, so that a weekend through
    which both sleep does not age Friday's last bar.
    Raises: ParameterFault if the age is below zero.
    """
    known = np.searchsorted(source.close_time_ms, base.close_time_ms, side="right")
    index = known.astype(np.int64) - 1
    if age_max_ms is None:
        return index
    if age_max_ms < 0:
        raise ParameterFault("age_max_ms", "zero or more", str(age_max_ms))
    return np.where(_age_ms(source, base, index) <= age_max_ms, index, -1)


def _age_ms(source: Klines, base: Klines, index: I64_1D) -> I64_1D:
    """Return how long ago source bar `index` closed, in time in which the base has bars [T]."""
    closed_ms = source.close_time_ms[np.maximum(index, 0)]
    bars_before = np.searchsorted(base.close_time_ms, closed_ms, side="right")
    traded_ms = (np.arange(1, len(base) + 1) - bars_before) * base.interval_ms
    # A source bar that closed inside a base bar is younger than that whole bar.
    age_ms: I64_1D = np.minimum(traded_ms, base.close_time_ms - closed_ms)
    return age_ms


def project(values: F64_1D, index: I64_1D) -> F64_1D:
    """Return source `values` as seen through `index` from `last_closed`, NaN where it is -1 [T]."""
    seen = np.full(len(index), np.nan)
    known = index >= 0
    seen[known] = values[index[known]]
    return seen
