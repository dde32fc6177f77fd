"""Record runs and studies as commands end them."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.database import DatabaseFault, database
from cluster.evaluations import Evaluations, RunRecord, StudyRecord
from cluster.ledger import dataset_of
from engines.report import Run, plain
from engines.report_headline import COMPARED
from serve.runs import command_text

if TYPE_CHECKING:
    from cluster.study import Study
    from cluster.study_folder import StudyFolder
    from cluster.sweep import SweepResult

CUT_SHORT = "cut short"


def record_runs(runs: Sequence[Run], out: Path | None) -> None:
    """Record runs, with the metrics that a comparison shows.

    Raises: DatabaseFault if the database cannot be used.
    """
    with database() as engine:
        Evaluations(engine).record_runs([_run(run, out) for run in runs])


def _run(run: Run, out: Path | None) -> RunRecord:
    dataset = dataset_of(run.result.klines)
    parameters: Any = plain(dict(run.parameters))
    metrics: Any = plain({name: run.metrics[name] for name, _, _ in COMPARED})
    return RunRecord(
        ended_ms=_now_ms(),
        strategy=run.strategy,
        dataset=dataset.sha256,
        subject=dataset.subject,
        parameters=parameters,
        metrics=metrics,
        command=run.command,
        folder=None if out is None else str(out.absolute()),
    )


def recorded(
    study: "Study", folder: "StudyFolder", run: "Callable[[], SweepResult]"
) -> "SweepResult":
    """Run a study whose lock is held; record that it begins, and how it ends.

    Raises: DatabaseFault if the database cannot be used.
    """
    place = str(folder.path)
    begun = StudyRecord(
        study=study.id,
        folder=place,
        strategy=study.recipe.strategy.bare_name,
        command=command_text(),
        begun_ms=_now_ms(),
        ended_ms=None,
        sets=study.sets,
        outcome="",
    )
    with database() as engine:
        Evaluations(engine).begin_study(begun)
    try:
        result = run()
    except BaseException:
        with suppress(DatabaseFault):  # What went wrong first is what is told.
            _end(study.id, place, CUT_SHORT)
        raise
    _end(study.id, place, result.outcome)
    return result


def _end(study: str, place: str, outcome: str) -> None:
    with database() as engine:
        Evaluations(engine).end_study(study, place, outcome, _now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
