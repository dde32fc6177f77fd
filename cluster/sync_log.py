"""What was fetched from venues into the history, when, and how it ended."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, select, update

from cluster.history_rows import WriteResult
from cluster.tables import SYNCS
from engines.series import FundingKey, SeriesKey


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """One sync of a series; `ended_ms` None: under way, or its program died."""

    series: str
    since_ms: int
    until_ms: int
    begun_ms: int
    ended_ms: int | None
    added: int
    equal: int
    corrected: int
    outcome: str


class SyncLog:
    """Keeps syncs in a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, key: SeriesKey | FundingKey, since_ms: int, until_ms: int, now_ms: int) -> int:
        """Record that a sync has begun and return its id."""
        row = {"venue": key.venue, "series": str(key), "since_ms": since_ms, "until_ms": until_ms}
        counts = {"added": 0, "equal": 0, "corrected": 0}
        with self._engine.begin() as connection:
            made = insert(SYNCS).values(row | counts | {"begun_ms": now_ms, "outcome": ""})
            sync_id: int = connection.execute(made).inserted_primary_key[0]  # type: ignore[index]  # an insert of one row has one
        return sync_id

    def end(self, sync_id: int, result: WriteResult, now_ms: int, outcome: str = "done") -> None:
        """Record what a sync brought, and in a sentence how it ended if not well."""
        counts = {"added": result.added, "equal": result.equal, "corrected": result.corrected}
        with self._engine.begin() as connection:
            connection.execute(
                update(SYNCS)
                .where(SYNCS.c.id == sync_id)
                .values(counts | {"ended_ms": now_ms, "outcome": outcome})
            )

    def last(self, key: SeriesKey | FundingKey) -> SyncRecord | None:
        """Return the latest sync of a series."""
        wanted = select(SYNCS).where(SYNCS.c.series == str(key)).order_by(SYNCS.c.id.desc())
        with self._engine.begin() as connection:
            row: Any = connection.execute(wanted.limit(1)).first()
        if row is None:
            return None
        return SyncRecord(**{name: getattr(row, name) for name in SyncRecord.__slots__})
