"""The quality of bars: which rows cannot be taken for bars, and how sound a stored series is.

Theory. Two judgements. Rows that arrive (a file to import, a page of a venue) are each fit to be
stored or not: `judge` names the rule that a bad one breaks, the first in the table's order, and the
good ones can be built into `Klines`. A series that is stored is measured by `assess`: gaps, spikes,
jumps, bars without volume, how late it is, how much of it is there.

A spike is a bar that runs away and comes back: its high lies more than `spike_ratio` above both the
close before and the open after, or its low as far below both. A market that goes to a new level and
stays there is no spike but a jump, which is counted and believed. So the bars beside are needed: a
last bar is judged when the next one is there. Where rows are bad, the nearest good ones stand in.

The first and last of the intervals that lie in the range count as expected, so completeness is the
part of them that is stored. A series is stale when more than `stale_bars` intervals have passed
since its last close.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engines.klines import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    PRICE_COLUMNS,
    Gap,
    Klines,
    gaps_of,
    time_text,
)
from engines.types import BOOL_1D, F64_1D, I64_1D

SPIKE = "spike"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still taken for a market: see the module's theory."""

    spike_ratio: float = 0.20
    completeness_ratio_min: float = 0.95
    stale_bars: float = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class RawBars:
    """Aligned columns [N] as somebody gave them, ascending in time, nothing else checked."""

    interval_ms: int
    open_time_ms: I64_1D
    open: F64_1D
    high: F64_1D
    low: F64_1D
    close: F64_1D
    volume: F64_1D

    def __len__(self) -> int:
        return len(self.open_time_ms)

    def take(self, mask: BOOL_1D) -> "RawBars":
        """Return the rows that a mask [N] names."""
        names = ("open_time_ms", *PRICE_COLUMNS, "volume")
        return RawBars(self.interval_ms, *(getattr(self, name)[mask] for name in names))


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule that each row must keep: how people call its breach, and which rows [N] break it."""

    name: str
    meaning: str
    broken_by: Callable[[RawBars, int, Limits], BOOL_1D]


def _not_numbers(bars: RawBars, now_ms: int, limits: Limits) -> BOOL_1D:
    columns = [getattr(bars, name) for name in (*PRICE_COLUMNS, "volume")]
    wrong: BOOL_1D = ~np.isfinite(np.array(columns)).all(axis=0)
    return wrong


def _not_positive(bars: RawBars, now_ms: int, limits: Limits) -> BOOL_1D:
    prices = np.array([getattr(bars, name) for name in PRICE_COLUMNS])
    wrong: BOOL_1D = (prices <= 0).any(axis=0) | (bars.volume < 0)
    return wrong


def _inconsistent(bars: RawBars, now_ms: int, limits: Limits) -> BOOL_1D:
    body_high = np.maximum(bars.open, bars.close)
    body_low = np.minimum(bars.open, bars.close)
    wrong: BOOL_1D = (bars.high < body_high) | (bars.low > body_low)
    return wrong


def _duplicate(bars: RawBars, now_ms: int, limits: Limits) -> BOOL_1D:
    again: BOOL_1D = np.diff(bars.open_time_ms, prepend=bars.open_time_ms[:1] - 1) == 0
    return again


def _off_grid(bars: RawBars, now_ms: int, limits: Limits) -> BOOL_1D:
    """Days and weeks of an exchange with summer time keep no grid."""
    if bars.interval_ms >= DAY_MS:
        return np.zeros(len(bars), dtype=bool)
    phase = bars.open_time_ms % bars.interval_ms
    values, counts = np.unique(phase, return_counts=True)
    off: BOOL_1D = phase != values[np.argmax(counts)]
    return off


def _unclosed(bars: RawBars, now_ms: int, limits: Limits) -> BOOL_1D:
    late: BOOL_1D = bars.open_time_ms + bars.interval_ms > now_ms
    return late


def spikes_of(bars: RawBars, now_ms: int, limits: Limits) -> BOOL_1D:
    """Return which bars run away and come back [N]."""
    found = np.zeros(len(bars), dtype=bool)
    if len(bars) < 3:
        return found
    before, after = bars.close[:-2], bars.open[2:]
    up, down = 1 + limits.spike_ratio, 1 - limits.spike_ratio
    is_high = bars.high[1:-1] > up * np.maximum(before, after)
    found[1:-1] = is_high | (bars.low[1:-1] < down * np.minimum(before, after))
    return found


# In this order: each rule sees only the rows that keep the ones before it.
ROW_RULES: tuple[RowRule, ...] = (
    RowRule("not a number", "every price and the volume is a finite number", _not_numbers),
    RowRule("not positive", "prices are above zero, the volume zero or more", _not_positive),
    RowRule("inconsistent", "low <= open and close <= high", _inconsistent),
    RowRule("not closed", "the bar has closed by now", _unclosed),
    RowRule("off the grid", "opens lie whole intervals apart", _off_grid),
    RowRule("duplicate", "one row a time; the first one counts", _duplicate),
    RowRule(SPIKE, "no run of more than the limit away from both neighbours", spikes_of),
)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Which rows are good [N], and the indices of those that break each rule."""

    is_good: BOOL_1D
    rejected: Mapping[str, I64_1D]

    @property
    def count(self) -> int:
        """Return how many rows are bad."""
        return sum(map(len, self.rejected.values()))


def judge(bars: RawBars, now_ms: int, limits: Limits | None = None) -> Judged:
    """Return which rows may be stored, and why the others may not."""
    limits = limits or Limits()
    is_good = np.ones(len(bars), dtype=bool)
    rejected: dict[str, I64_1D] = {}
    for rule in ROW_RULES:
        rows = np.flatnonzero(is_good)
        if not len(rows):
            break
        bad = rows[rule.broken_by(bars.take(is_good), now_ms, limits)]
        if len(bad):
            rejected[rule.name] = bad
            is_good[bad] = False
    return Judged(is_good, rejected)


@dataclass(frozen=True, slots=True)
class Quality:
    """A stored series in figures; `bad` counts the rows that break a rule of rows but spikes."""

    interval_ms: int
    bars: int
    first_ms: int
    last_ms: int
    bars_expected: int
    absent: int
    completeness_ratio: float
    gaps: tuple[Gap, ...]
    bad: Mapping[str, int]
    spikes_ms: tuple[int, ...]
    jumps_ms: tuple[int, ...]
    zero_volume: int
    stale_ms: int


def assess(
    bars: RawBars,
    since_ms: int | None,
    until_ms: int | None,
    now_ms: int,
    limits: Limits,
    absent: int = 0,
) -> Quality:
    """Measure stored bars, at least one: over a range, else their own; how late they are by now.

    `absent` bars of the range are known not to exist, so nobody expects them.
    """
    judged = judge(bars, now_ms, limits)
    step_ms = bars.interval_ms
    first_ms, ends_ms = int(bars.open_time_ms[0]), int(bars.open_time_ms[-1]) + step_ms
    asked_from = first_ms if since_ms is None else since_ms
    asked_to = ends_ms if until_ms is None else min(until_ms, now_ms)
    lead = max(0, first_ms - asked_from) // step_ms
    tail = max(0, asked_to - ends_ms) // step_ms
    expected = lead + tail + round((ends_ms - first_ms) / step_ms) - absent
    spikes = judged.rejected.get(SPIKE, np.empty(0, dtype=np.int64))
    return Quality(
        interval_ms=step_ms,
        bars=len(bars),
        first_ms=first_ms,
        last_ms=ends_ms - step_ms,
        bars_expected=expected,
        absent=absent,
        completeness_ratio=len(bars) / expected,
        gaps=tuple(gaps_of(bars.open_time_ms, step_ms)),
        bad={name: len(rows) for name, rows in judged.rejected.items() if name != SPIKE},
        spikes_ms=tuple(bars.open_time_ms[spikes].tolist()),
        jumps_ms=_jumps_ms(bars.take(judged.is_good), limits),
        zero_volume=int((bars.volume == 0).sum()),
        stale_ms=max(0, (now_ms if until_ms is None else asked_to) - ends_ms),
    )


def _jumps_ms(bars: RawBars, limits: Limits) -> tuple[int, ...]:
    """Return when bars open or close far from the close of the bar right before."""
    before = bars.close[:-1]
    moves = np.maximum(np.abs(bars.open[1:] / before - 1), np.abs(bars.close[1:] / before - 1))
    is_jump = (np.diff(bars.open_time_ms) == bars.interval_ms) & (moves > limits.spike_ratio)
    return tuple(bars.open_time_ms[1:][is_jump].tolist())


def raw_of(*parts: Klines) -> RawBars:
    """Return bars of one interval as rows that can be judged; of one time the first part's."""
    names = ("open_time_ms", *PRICE_COLUMNS, "volume")
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    order = np.unique(columns[0], return_index=True)[1]
    return RawBars(parts[0].interval_ms, *(column[order] for column in columns))


@dataclass(frozen=True, slots=True)
class SeriesRule:
    """What a stored series is asked: what was found in words, and when that is a finding."""

    name: str
    meaning: str
    found: Callable[[Quality], str]
    is_broken: Callable[[Quality, Limits], bool]


def _completeness_found(quality: Quality) -> str:
    aside = f", {quality.absent:,} that the venue lacks aside" if quality.absent else ""
    return f"{quality.completeness_ratio:.2%} of {quality.bars_expected:,}{aside}"


def _gaps_found(quality: Quality) -> str:
    if not quality.gaps:
        return "none"
    longest = max(quality.gaps, key=lambda gap: gap.bars_missing)
    missing = sum(gap.bars_missing for gap in quality.gaps)
    where = f"longest {longest.bars_missing:,} after {time_text(longest.after_ms)}"
    return f"{len(quality.gaps):,}, {missing:,} bar{'s' * (missing > 1)} missing, {where}"


def _duration(duration_ms: int) -> str:
    for unit, size in (("days", DAY_MS), ("hours", HOUR_MS)):
        if duration_ms >= 2 * size:
            return f"{duration_ms / size:,.0f} {unit}"
    return f"{duration_ms / MINUTE_MS:,.0f} minutes"


def _count(count: int) -> str:
    return f"{count:,}" if count else "none"


SERIES_RULES: tuple[SeriesRule, ...] = (
    SeriesRule(
        "completeness",
        "enough of the range's bars are stored",
        _completeness_found,
        lambda quality, limits: quality.completeness_ratio < limits.completeness_ratio_min,
    ),
    SeriesRule(
        "gaps",
        "bars missing between two that are stored; known and never filled",
        _gaps_found,
        lambda quality, limits: False,
    ),
    SeriesRule(
        "rows",
        "every row can be taken for a bar",
        lambda quality: ", ".join(f"{n:,} {name}" for name, n in quality.bad.items()) or "sound",
        lambda quality, limits: bool(quality.bad),
    ),
    SeriesRule(
        "spikes",
        "no bar runs further than the limit away from both neighbours",
        lambda quality: _count(len(quality.spikes_ms)),
        lambda quality, limits: bool(quality.spikes_ms),
    ),
    SeriesRule(
        "jumps",
        "bars that go further than the limit and stay there: believed",
        lambda quality: _count(len(quality.jumps_ms)),
        lambda quality, limits: False,
    ),
    SeriesRule(
        "zero volume",
        "bars in which nothing was traded",
        lambda quality: _count(quality.zero_volume),
        lambda quality, limits: False,
    ),
    SeriesRule(
        "staleness",
        "the last bar closed not long ago",
        lambda quality: f"{_duration(quality.stale_ms)} late" if quality.stale_ms else "none",
        lambda quality, limits: quality.stale_ms > limits.stale_bars * quality.interval_ms,
    ),
)


def findings(quality: Quality, limits: Limits) -> list[str]:
    """Return the names of the rules that a stored series breaks."""
    return [rule.name for rule in SERIES_RULES if rule.is_broken(quality, limits)]
