"""What was found wrong with stored series: late corrections, rejected rows, bars that never were.

An issue is of one series, one kind, one time and one finding; found again it is the same issue,
seen once more. It stays open until somebody resolves it (`phalanx data repair`), and is kept then.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, select, update

from cluster.database import database, insert_into
from cluster.history_rows import Correction, Overlap
from cluster.tables import DATA_ISSUES
from engines.series import FundingKey, SeriesKey

ACCEPTED, NOTHING_THERE = "accepted", "the venue has none"
AT_ONCE = 10_000  # rows of one statement


class IssueKind(StrEnum):
    """What is wrong."""

    CORRECTION = "correction"
    REJECTED = "rejected"
    ABSENT = "absent"  # the venue has no such bars: known, and nothing to be done about it


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding; `resolved_ms` None: open."""

    id: int
    series: str
    kind: IssueKind
    time_ms: int
    found: Mapping[str, Any]
    first_seen_ms: int
    last_seen_ms: int
    resolved_ms: int | None
    resolution: str


class IssueLog:
    """Keeps issues in a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(
        self,
        key: SeriesKey | FundingKey,
        kind: IssueKind,
        found: Sequence[tuple[int, Mapping[str, Any]]],
        now_ms: int,
        resolution: str = "",
    ) -> None:
        """Record findings, each a time and what is wrong there; resolved ones with how."""
        resolved_ms = now_ms if resolution else None
        rows = [
            {
                "venue": key.venue,
                "series": str(key),
                "kind": str(kind),
                "time_ms": time_ms,
                "found": json.dumps(what, sort_keys=True, allow_nan=False),
                "first_seen_ms": now_ms,
                "last_seen_ms": now_ms,
                "resolved_ms": resolved_ms,
                "resolution": resolution,
            }
            for time_ms, what in found
        ]
        renewed = ("last_seen_ms", "resolved_ms", "resolution")
        with self._engine.begin() as connection:
            made = insert_into(connection, DATA_ISSUES)
            again = made.on_conflict_do_update(
                index_elements=["series", "time_ms", "kind", "found"],
                set_={name: made.excluded[name] for name in renewed},
            )
            for start in range(0, len(rows), AT_ONCE):
                connection.execute(again, rows[start : start + AT_ONCE])

    def open(self, key: SeriesKey | FundingKey | None = None) -> list[Issue]:
        """Return the issues nobody has resolved, of one series or all, by series and time."""
        wanted = select(DATA_ISSUES).where(DATA_ISSUES.c.resolved_ms.is_(None))
        if key is not None:
            wanted = wanted.where(DATA_ISSUES.c.series == str(key))
        wanted = wanted.order_by(DATA_ISSUES.c.series, DATA_ISSUES.c.time_ms, DATA_ISSUES.c.id)
        with self._engine.begin() as connection:
            rows = connection.execute(wanted).all()
        return [_issue(row) for row in rows]

    def record_absent(
        self, key: SeriesKey | FundingKey, ranges: Sequence[tuple[int, int]], now_ms: int
    ) -> None:
        """Record [since, until) ranges of which the venue has said that it has nothing."""
        found = [(since_ms, {"until_ms": until_ms}) for since_ms, until_ms in ranges]
        self.record(key, IssueKind.ABSENT, found, now_ms, NOTHING_THERE)

    def absent(self, key: SeriesKey | FundingKey) -> list[tuple[int, int]]:
        """Return the ranges of which the venue has nothing, as recorded."""
        of_key = (DATA_ISSUES.c.series == str(key)) & (DATA_ISSUES.c.kind == str(IssueKind.ABSENT))
        wanted = select(DATA_ISSUES).where(of_key).order_by(DATA_ISSUES.c.time_ms)
        with self._engine.begin() as connection:
            rows = connection.execute(wanted).all()
        return [(issue.time_ms, issue.found["until_ms"]) for issue in map(_issue, rows)]

    def resolve(self, issues: Sequence[Issue], resolution: str, now_ms: int) -> None:
        """Say of issues how they were resolved."""
        with self._engine.begin() as connection:
            for issue in issues:
                connection.execute(
                    update(DATA_ISSUES)
                    .where(DATA_ISSUES.c.id == issue.id)
                    .values(resolved_ms=now_ms, resolution=resolution)
                )


def flag_in_database(
    key: SeriesKey | FundingKey,
    corrections: Sequence[Correction],
    overlap: Overlap,
    now_ms: int,
    url: str | None = None,
) -> None:
    """Record corrections in the application's database: those that are on disk as resolved.

    Raises: DatabaseFault if it cannot be used.
    """
    found = [
        (item.time_ms, {"stored": dict(item.stored), "offered": dict(item.offered)})
        for item in corrections
    ]
    resolution = ACCEPTED if overlap is Overlap.CORRECT else ""
    with database(url) as engine:
        IssueLog(engine).record(key, IssueKind.CORRECTION, found, now_ms, resolution)


def _issue(row: Any) -> Issue:
    return Issue(
        id=row.id,
        series=row.series,
        kind=IssueKind(row.kind),
        time_ms=row.time_ms,
        found=json.loads(row.found),
        first_seen_ms=row.first_seen_ms,
        last_seen_ms=row.last_seen_ms,
        resolved_ms=row.resolved_ms,
        resolution=row.resolution,
    )
