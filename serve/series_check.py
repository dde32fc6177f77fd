"""Judge what is stored of a series: its quality, its damaged files, its open issues."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cluster.history import BrokenMonth, History
from cluster.history_rows import Rows
from cluster.issues import Issue, IssueKind, IssueLog
from engines.klines import interval_text, time_text
from engines.quality import SERIES_RULES, Limits, Quality, RawBars, assess, findings
from engines.series import PriceKind, SeriesKey

BROKEN, ISSUES, NOTHING = "damaged files", "open issues", "no bars"
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
    """What is known of a series; `quality` None: no bar can be read in the range."""

    key: SeriesKey
    rows: Rows | None
    quality: Quality | None
    broken: tuple[BrokenMonth, ...]
    issues: tuple[Issue, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def is_sound(self) -> bool:
        """Return whether there is no finding."""
        return not any(verdict.is_finding for verdict in self.verdicts)


def check_series(
    history: History,
    log: IssueLog,
    key: SeriesKey,
    since_ms: int | None,
    until_ms: int | None,
    limits: Limits,
    now_ms: int,
) -> SeriesCheck:
    """Return what is found when a stored series is judged over a range, else over all of it."""
    rows = history.rows(key, since_ms, until_ms)
    broken = tuple(history.broken(key))
    issues = tuple(log.open(key))
    quality = None
    if rows is not None:
        columns = {name: rows.columns[name] for name in rows.columns if name != "turnover"}
        raw = RawBars(key.interval_ms, rows.time_ms, **columns)
        quality = assess(raw, since_ms, until_ms, now_ms, limits)
    verdicts = (*_files(broken), *_measured(key, quality, limits), *_open(issues))
    return SeriesCheck(key, rows, quality, broken, issues, verdicts)


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
    known: dict[str, Any] = {
        "venue": key.venue,
        "symbol": key.symbol,
        "interval": interval_text(key.interval_ms),
        "price": str(key.price),
        "is_sound": check.is_sound,
        "findings": [verdict.name for verdict in check.verdicts if verdict.is_finding],
        "damaged": [{"month": item.month, "fault": str(item.fault)} for item in check.broken],
        "issues": [
            {"time": time_text(issue.time_ms), "kind": str(issue.kind), "found": issue.found}
            for issue in check.issues
        ],
    }
    if quality is None:
        return known
    return known | {
        "bars": quality.bars,
        "first": time_text(quality.first_ms),
        "last": time_text(quality.last_ms),
        "bars_expected": quality.bars_expected,
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
