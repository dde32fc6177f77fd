"""What a feed has handed out, for whoever asks, from any time on.

Theory. Of each series the newest bars lie in memory; `floor_ms` is the open of the last bar that
does not. Bars up to the floor were stored before they were handed out, so they are read from the
history; longer bars are built from the stored base bars by the code that built them live. A reader
names the last bar it has taken and gets those after it: from the history up to the floor, from
memory beyond. So it may begin anywhere and be as slow as it likes, and the feed keeps nothing for
it: whoever remembers its own place gets each bar exactly once, across restarts of either side.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from cluster.history import History
from engines.klines import Klines
from engines.live.derived import DerivedSeries, bucket_ms
from engines.live.events import Kline, kline_columns, kline_rows
from engines.series import SeriesKey
from engines.types import I64_1D

TAIL_BARS = 128
NEVER_MS = -1


@dataclass(slots=True)
class Shelf:
    """One series: `base` is what it is built from, itself where it is not."""

    key: SeriesKey
    base: SeriesKey
    floor_ms: int = NEVER_MS
    tail: deque[Kline] = field(default_factory=deque)

    @classmethod
    def resumed(cls, key: SeriesKey, base: SeriesKey, last_ms: int | None) -> "Shelf":
        """Return the shelf of a series of which bars are stored up to `last_ms` of the base."""
        if last_ms is None:
            return cls(key, base)
        opens_ms = bucket_ms(last_ms, key.interval_ms)
        is_whole = last_ms + base.interval_ms == opens_ms + key.interval_ms
        return cls(key, base, opens_ms if is_whole else opens_ms - key.interval_ms)

    def put(self, bars: Iterable[Kline]) -> None:
        """Add bars that were handed out."""
        for bar in bars:
            self.tail.append(bar)
            if len(self.tail) > TAIL_BARS:
                self.floor_ms = self.tail.popleft().open_time_ms

    @property
    def last_ms(self) -> int | None:
        """Return when the newest bar opened, of a longer series that was resumed at the latest."""
        if self.tail:
            return self.tail[-1].open_time_ms
        known = self.floor_ms != NEVER_MS
        return bucket_ms(self.floor_ms, self.key.interval_ms) if known else None

    def recent(self, after_ms: int, limit: int) -> Klines | None:
        """Return bars in memory after one that is not older than the floor."""
        assert after_ms >= self.floor_ms, "older bars are in the history"
        after = (bar for bar in self.tail if bar.open_time_ms > after_ms)
        bars = list(islice(after, limit))
        return kline_columns(self.key, bars) if bars else None

    def older(self, history: History, after_ms: int, limit: int) -> Klines | None:
        """Read bars after one and up to the floor; None if there is none. Takes disk time.

        Raises: HistoryFault for what cannot be read.
        """
        if self.key == self.base:
            times = history.times(self.base, after_ms + 1, self.floor_ms + 1)[:limit]
            return _read(history, self.base, times) if len(times) else None
        interval_ms = self.key.interval_ms
        first_ms = bucket_ms(after_ms, interval_ms) + interval_ms if after_ms > NEVER_MS else 0
        # One bucket more for a first one that is cut, one bar more to end a last one with a hole.
        bars = (limit + 1) * (interval_ms // self.base.interval_ms) + 1
        span = history.span(self.base)
        times = history.times(self.base, first_ms, None)[:bars]
        if span is None or not len(times):
            return None
        derived = DerivedSeries(self.base, interval_ms, has_earlier=span[0] < first_ms)
        rows = kline_rows(_read(history, self.base, times))
        made = (longer for row in rows for longer in derived.add(row))
        found = [bar for bar in made if bar.open_time_ms <= self.floor_ms][:limit]
        return kline_columns(self.key, found) if found else None


def _read(history: History, key: SeriesKey, times: I64_1D) -> Klines:
    return history.read(key, int(times[0]), int(times[-1]) + 1)
