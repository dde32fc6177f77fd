"""What a sync asks a venue for: the bars that are not stored, and a few of those that are.

Theory. Wanted is a range; stored bars, and ranges of which the venue has said that it has no bars,
are taken out of it. The newest `OVERLAP_BARS` stored ones are asked for again: a venue that changes
its mind about the past does so about the recent past. What remains is cut at the ends of months,
for a month is what is written at once, and each part into pages of one request.

Ranges are half open, [since, until), by the open time of bars, ascending and apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from cluster.month_files import month_of, month_range_ms
from engines.funding import INTERVAL_HOURS
from engines.klines import HOUR_MS

Range: TypeAlias = tuple[int, int]
OVERLAP_BARS = 12
FUNDING_STEP_MS_MAX = max(INTERVAL_HOURS) * HOUR_MS


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked for of one month: a page for each request."""

    pages: tuple[Range, ...]

    @property
    def span_ms(self) -> int:
        """Return how much time its pages cover."""
        return sum(until_ms - since_ms for since_ms, until_ms in self.pages)


def plan_parts(
    missing: Sequence[Range],
    absent: Sequence[Range],
    last_ms: int | None,
    interval_ms: int,
    page_bars: int,
) -> list[Part]:
    """Return what to ask for, by month; `last_ms` is the open of the newest stored bar wanted."""
    asked = without(missing, absent)
    if last_ms is not None:
        asked = [*asked, (last_ms - (OVERLAP_BARS - 1) * interval_ms, last_ms + interval_ms)]
    by_month: dict[str, list[Range]] = {}
    for since_ms, until_ms in united(asked):
        for month, piece in _by_month(since_ms, until_ms):
            by_month.setdefault(month, []).extend(_pages(piece, interval_ms * page_bars))
    return [Part(tuple(pages)) for _, pages in sorted(by_month.items())]


def funding_gaps(times_ms: Sequence[int], since_ms: int, until_ms: int) -> list[Range]:
    """Return where settlements are missing for certain: none are more than eight hours apart."""
    if not times_ms:
        return [(since_ms, until_ms)]
    gaps = [
        (before_ms + 1, after_ms)
        for before_ms, after_ms in pairwise(times_ms)
        if after_ms - before_ms > FUNDING_STEP_MS_MAX
    ]
    if times_ms[0] - since_ms >= FUNDING_STEP_MS_MAX:
        gaps.insert(0, (since_ms, times_ms[0]))
    if until_ms - times_ms[-1] > FUNDING_STEP_MS_MAX:
        gaps.append((times_ms[-1] + 1, until_ms))
    return gaps


def without(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """Return what remains of ranges."""
    left = united(ranges)
    for start, stop in taken:
        pieces = (((since, min(until, start)), (max(since, stop), until)) for since, until in left)
        left = [piece for pair in pieces for piece in pair if piece[0] < piece[1]]
    return united(left)


def united(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges ascending, those that overlap or meet as one."""
    found: list[Range] = []
    for since_ms, until_ms in sorted(each for each in ranges if each[0] < each[1]):
        if found and since_ms <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until_ms))
        else:
            found.append((since_ms, until_ms))
    return found


def _by_month(since_ms: int, until_ms: int) -> Iterable[tuple[str, Range]]:
    while since_ms < until_ms:
        month = month_of(since_ms)
        stop_ms = min(until_ms, month_range_ms(month)[1])
        yield month, (since_ms, stop_ms)
        since_ms = stop_ms


def _pages(piece: Range, page_ms: int) -> list[Range]:
    since_ms, until_ms = piece
    starts = range(since_ms, until_ms, page_ms)
    return [(start, min(start + page_ms, until_ms)) for start in starts]
