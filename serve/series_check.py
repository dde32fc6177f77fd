"""Judge what is stored of a series: its quality, its damaged files, its open issues."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cluster.history import BrokenMonth, History
from cluster.history_rows import Rows
from cluster.issues import Issue, IssueKind, IssueLog
from cluster.sync_plan import Range, without
from engines.klines import HOUR_MS, gaps_of, interval_text, time_text
from engines.quality import SERIES_RULES, Limits, Quality, RawBars, assess, findings
from engines.series import FundingKey, PriceKind, SeriesKey

BROKEN, ISSUES, NOTHING = "damaged files", "open issues", "no rows"
FUNDING_STEP_MS = 8 * HOUR_MS  # where one settlement does not show it
# A mark price is not traded.
OF_TRADES = frozenset({"zero volume"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of a check: what was asked, what was found and whether it is a finding."""

    name: str
    meaning: str
    found: str
    is_finding: bool


@dataclass(frozen=True, slots=True, eq=False)
class SeriesCheck:
    """What is known of a series, whose rows lie `step_ms` apart where none is missing.

    `rows` None: none can be read in the range; `quality` is of bars only.
    """

    key: SeriesKey | FundingKey
    step_ms: int
    rows: Rows | None
    quality: Quality | None
    broken: tuple[BrokenMonth, ...]
    issues: tuple[Issue, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def is_sound(self) -> bool:
        """Return whether there is no finding."""
        return not any(verdict.is_finding for verdict in self.verdicts)


def check_bars(
    history: History,
    log: IssueLog,
    key: SeriesKey,
    since_ms: int | None,
    until_ms: int | None,
    limits: Limits,
    now_ms: int,
) -> SeriesCheck:
    """Return what is found when stored bars are judged over a range, else over all of it."""
    survey, issues = history.survey(key, since_ms, until_ms), tuple(log.open(key))
    rows = survey.rows
    quality = None
    if rows is not None:
        columns = {name: rows.columns[name] for name in rows.columns if name != "turnover"}
        raw = RawBars(key.interval_ms, rows.time_ms, **columns)
        first_ms, end_ms = int(rows.time_ms[0]), int(rows.time_ms[-1]) + key.interval_ms
        asked = (since_ms or first_ms, min(until_ms or end_ms, now_ms))
        absent = _absent(rows, key.interval_ms, asked, log.absent(key))
        quality = assess(raw, since_ms, until_ms, now_ms, limits, absent)
    verdicts = (*_files(survey.broken), *_measured(key, quality, limits), *_open(issues))
    return SeriesCheck(key, key.interval_ms, rows, quality, survey.broken, issues, verdicts)


def check_funding(
    history: History,
    log: IssueLog,
    key: FundingKey,
    since_ms: int | None,
    until_ms: int | None,
    limits: Limits,
    now_ms: int,
) -> SeriesCheck:
    """Return what is found when stored settlements are judged over a range, else over all."""
    survey, issues = history.survey(key, since_ms, until_ms), tuple(log.open(key))
    rows = survey.rows
    step_ms = FUNDING_STEP_MS
    judged: tuple[Verdict, ...] = (Verdict(NOTHING, "there are some in the range", "none", True),)
    if rows is not None:
        steps = np.diff(rows.time_ms)
        step_ms = int(np.median(steps)) if len(steps) else step_ms
        judged = tuple(_settled(rows, step_ms, until_ms, limits, now_ms))
    verdicts = (*_files(survey.broken), *judged, *_open(issues))
    return SeriesCheck(key, step_ms, rows, None, survey.broken, issues, verdicts)


def _settled(
    rows: Rows, step_ms: int, until_ms: int | None, limits: Limits, now_ms: int
) -> Iterator[Verdict]:
    """Yield what is found of settlements, of which the usual ones lie `step_ms` apart."""
    bad = int((~(np.abs(rows.columns["rate"]) < 1)).sum())
    yield Verdict(
        "rates", "each is between -1 and 1", f"{bad:,} are not" if bad else "sound", bad > 0
    )
    holes = np.flatnonzero(np.diff(rows.time_ms) > step_ms)
    found = "none"
    if len(holes):
        found = f"{len(holes):,}, first after {time_text(int(rows.time_ms[holes[0]]))}"
    usual = f"none lies further than the usual {interval_text(step_ms)} from the one before"
    yield Verdict("gaps", usual, found, False)
    late_ms = min(until_ms or now_ms, now_ms) - int(rows.time_ms[-1]) - step_ms
    found = f"{late_ms / HOUR_MS:,.0f} hours late" if late_ms > 0 else "none"
    is_stale = late_ms > limits.stale_bars * step_ms
    yield Verdict("staleness", "the last one was not long ago", found, is_stale)


def _absent(rows: Rows, step_ms: int, asked: Range, absent: Sequence[Range]) -> int:
    """Return how many of the bars that are missing in a range the venue does not have."""
    holes = [(gap.after_ms + step_ms, gap.before_ms) for gap in gaps_of(rows.time_ms, step_ms)]
    ends = [(asked[0], int(rows.time_ms[0])), (int(rows.time_ms[-1]) + step_ms, asked[1])]
    missing = [hole for hole in (*holes, *ends) if hole[0] < hole[1]]
    left = without(missing, absent)
    lengths = (sum(stop - start for start, stop in each) for each in (missing, left))
    return (next(lengths) - next(lengths)) // step_ms


def _files(broken: tuple[BrokenMonth, ...]) -> tuple[Verdict, ...]:
    found = ", ".join(item.month for item in broken) or "none"
    return (Verdict(BROKEN, "every file can be read to its last byte", found, bool(broken)),)


def _measured(key: SeriesKey, quality: Quality | None, limits: Limits) -> tuple[Verdict, ...]:
    if quality is None:
        return (Verdict(NOTHING, "there are bars in the range", "none", True),)
    bad = findings(quality, limits)
    return tuple(
        Verdict(rule.name, rule.meaning, rule.found(quality), rule.name in bad)
        for rule in SERIES_RULES
        if key.price is PriceKind.LAST or rule.name not in OF_TRADES
    )


def _open(issues: tuple[Issue, ...]) -> tuple[Verdict, ...]:
    """A row that was rejected is not stored: what that leaves is a gap, and judged as one."""
    counts = Counter(issue.kind for issue in issues)
    found = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items())) or "none"
    meaning = "nothing that was offered differs from what is stored"
    return (Verdict(ISSUES, meaning, found, counts[IssueKind.CORRECTION] > 0),)


def document(check: SeriesCheck) -> dict[str, Any]:
    """Return a check as JSON has it."""
    key, quality = check.key, check.quality
    is_bars = isinstance(key, SeriesKey)
    known: dict[str, Any] = {
        "venue": key.venue,
        "symbol": key.symbol,
        "kind": "bars" if is_bars else "funding",
        "interval": interval_text(check.step_ms),
        "price": str(key.price) if isinstance(key, SeriesKey) else None,
        "rows": 0 if check.rows is None else len(check.rows),
        "is_sound": check.is_sound,
        "findings": [verdict.name for verdict in check.verdicts if verdict.is_finding],
        "damaged": [{"month": item.month, "fault": str(item.fault)} for item in check.broken],
        "issues": [
            {"time": time_text(issue.time_ms), "kind": str(issue.kind), "found": issue.found}
            for issue in check.issues
        ],
    }
    return known if quality is None else known | _figures(quality)


def _figures(quality: Quality) -> dict[str, Any]:
    return {
        "bars": quality.bars,
        "first": time_text(quality.first_ms),
        "last": time_text(quality.last_ms),
        "bars_expected": quality.bars_expected,
        "absent": quality.absent,
        "completeness_ratio": quality.completeness_ratio,
        "gaps": [
            {
                "after": time_text(gap.after_ms),
                "before": time_text(gap.before_ms),
                "bars_missing": gap.bars_missing,
            }
            for gap in quality.gaps
        ],
        "bad_rows": dict(quality.bad),
        "spikes": [time_text(time_ms) for time_ms in quality.spikes_ms],
        "jumps": [time_text(time_ms) for time_ms in quality.jumps_ms],
        "zero_volume": quality.zero_volume,
        "stale_ms": quality.stale_ms,
    }
