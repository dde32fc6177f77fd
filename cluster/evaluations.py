"""What was evaluated when, and where its report lies: runs of backtests, and studies.

A record of what happened, kept for people; nothing is computed from it. The trial ledger counts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, select, update

from cluster.database import insert_into
from cluster.tables import RUNS, STUDIES

UNDER_WAY = "under way"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a strategy on a dataset; `folder` holds its report, None: nothing was written."""

    ended_ms: int
    strategy: str
    dataset: str
    subject: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    command: str
    folder: str | None


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """One study in its folder; `ended_ms` None: it is under way, or its program died."""

    study: str
    folder: str
    strategy: str
    command: str
    begun_ms: int
    ended_ms: int | None
    sets: int
    outcome: str


class Evaluations:
    """Keeps runs and studies in a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record_runs(self, runs: Sequence[RunRecord]) -> None:
        """Record runs that have ended."""
        rows = [
            {name: getattr(run, name) for name in RunRecord.__slots__}
            | {"parameters": _json(run.parameters), "metrics": _json(run.metrics)}
            for run in runs
        ]
        with self._engine.begin() as connection:
            connection.execute(insert(RUNS), rows)

    def begin_study(self, study: StudyRecord) -> None:
        """Record that a study has begun in its folder, or goes on there."""
        row = {name: getattr(study, name) for name in StudyRecord.__slots__}
        row |= {"ended_ms": None, "outcome": UNDER_WAY}
        with self._engine.begin() as connection:
            made = insert_into(connection, STUDIES).values(row)
            kept = {name: made.excluded[name] for name in ("command", "ended_ms", "outcome")}
            again = made.on_conflict_do_update(index_elements=["study", "folder"], set_=kept)
            connection.execute(again)

    def end_study(self, study: str, folder: str, outcome: str, now_ms: int) -> None:
        """Record how a study ended."""
        ours = (STUDIES.c.study == study) & (STUDIES.c.folder == folder)
        with self._engine.begin() as connection:
            connection.execute(update(STUDIES).where(ours).values(ended_ms=now_ms, outcome=outcome))

    def runs(self, count: int) -> list[RunRecord]:
        """Return the latest runs, the newest first."""
        latest = select(RUNS).order_by(RUNS.c.id.desc()).limit(count)
        with self._engine.begin() as connection:
            rows = connection.execute(latest).all()
        return [
            RunRecord(
                **{name: getattr(row, name) for name in RunRecord.__slots__}
                | {"parameters": json.loads(row.parameters), "metrics": json.loads(row.metrics)}
            )
            for row in rows
        ]

    def studies(self, count: int) -> list[StudyRecord]:
        """Return the studies that were begun last, the newest first."""
        latest = select(STUDIES).order_by(STUDIES.c.id.desc()).limit(count)
        with self._engine.begin() as connection:
            rows = connection.execute(latest).all()
        return [
            StudyRecord(**{name: getattr(row, name) for name in StudyRecord.__slots__})
            for row in rows
        ]


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), sort_keys=True, allow_nan=False)
