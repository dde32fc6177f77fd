"""Longer bars built from shorter ones as these come, equal to `resample.aggregate` of them all.

A bucket ends when its last base bar has come, or when a base bar of a later bucket shows that the
last one never will. It becomes a bar under aggregate's rule: the very first bucket only if a base
bar opens with it, any other with whatever fell into it. So what is remembered is one bucket's base
bars, and whether there was a base bar before them.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from engines.errors import KlineFault
from engines.klines import interval_text
from engines.live.events import Kline
from engines.resample import bucket_offset_ms
from engines.series import SeriesKey


def bucket_ms(open_time_ms: int, interval_ms: int) -> int:
    """Return when the bar of `interval_ms` opens in which this time lies."""
    return open_time_ms - (open_time_ms - bucket_offset_ms(interval_ms)) % interval_ms


class DerivedSeries:
    """The bucket of a longer interval that is being filled."""

    def __init__(self, base: SeriesKey, interval_ms: int, has_earlier: bool) -> None:
        if interval_ms % base.interval_ms or interval_ms <= base.interval_ms:
            raise KlineFault(
                f"interval to build from {base}",
                f"a multiple of {interval_text(base.interval_ms)}",
                interval_text(interval_ms),
            )
        self.key = replace(base, interval_ms=interval_ms)
        self._base_ms = base.interval_ms
        self._has_earlier = has_earlier
        self._bucket_ms = 0
        self._bars: list[Kline] = []

    def add(self, bar: Kline) -> Iterator[Kline]:
        """Take the next base bar and yield the bars that end with it or ended before it."""
        opens_ms = bucket_ms(bar.open_time_ms, self.key.interval_ms)
        if self._bars and opens_ms != self._bucket_ms:
            yield from self._ended()
        self._bucket_ms = opens_ms
        self._bars.append(bar)
        if bar.open_time_ms + self._base_ms == opens_ms + self.key.interval_ms:
            yield from self._ended()

    def _ended(self) -> Iterator[Kline]:
        bars, self._bars = self._bars, []
        if self._has_earlier or bars[0].open_time_ms == self._bucket_ms:
            yield _one(self._bucket_ms, bars)
        self._has_earlier = True


def _one(open_time_ms: int, bars: list[Kline]) -> Kline:
    turnover = [bar.turnover for bar in bars if bar.turnover is not None]
    return Kline(
        open_time_ms,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        _sum([bar.volume for bar in bars]),
        _sum(turnover) if len(turnover) == len(bars) else None,
    )


def _sum(values: list[float]) -> float:
    """Add as `aggregate` does, to the last bit: each way of adding has its own order."""
    return float(np.add.reduceat(np.array(values), [0])[0])
