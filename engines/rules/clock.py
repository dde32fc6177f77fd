"""Local time of many instants at once.

Theory. The offset of a zone from UTC is a step function of time with a few steps a year. It is
asked for once a day over the span, and where two days differ the step between them is found by
halving the interval; every instant then takes the offset of its step. A zone that moves its clocks
twice within a day would be missed; since 1970 the tz database has no such pair that cancels out.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from engines.klines import DAY_MS
from engines.types import I64_1D

SECOND_MS = 1000


def local_times_ms(time_ms: I64_1D, time_zone: str) -> I64_1D:
    """Return what the clocks of a zone show, as milliseconds of their own day count [T].

    Shape: time_ms [T], UTC, ascending, at least one -> [T].
    """
    zone = ZoneInfo(time_zone)
    first, last = int(time_ms[0]), int(time_ms[-1])
    since = [first]
    offsets = [_offset_ms(first, zone)]
    day_start = first
    while day_start < last:
        day_end = min(day_start + DAY_MS, last)
        offset = _offset_ms(day_end, zone)
        if offset != offsets[-1]:
            since.append(_step_ms(day_start, day_end, zone))
            offsets.append(offset)
        day_start = day_end
    steps = np.searchsorted(np.array(since), time_ms, side="right") - 1
    return time_ms + np.array(offsets, dtype=np.int64)[steps]


def _offset_ms(time_ms: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(time_ms // SECOND_MS, UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds() * SECOND_MS)


def _step_ms(before_ms: int, after_ms: int, zone: ZoneInfo) -> int:
    """Return the first millisecond of the offset at `after_ms`, which differs from before's."""
    new = _offset_ms(after_ms, zone)
    while after_ms - before_ms > 1:
        middle = (before_ms + after_ms) // 2
        if _offset_ms(middle, zone) == new:
            after_ms = middle
        else:
            before_ms = middle
    return after_ms
