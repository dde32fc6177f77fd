"""The winners of a study: their rows, read from its files, and the reference's word on each."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow.parquet as pq
from ray.exceptions import RayError

from cluster.fanout import Lane, fan_out, sentence_of
from cluster.session import resources
from cluster.study import Study, StudyFault
from cluster.study_folder import Finished, StudyFolder
from cluster.study_manifest import Winner
from cluster.tasks import Sent
from cluster.verify import Verdict, verify
from engines.kernels.summary import SUMMARY
from engines.search.objectives import TopList


def verified_winners(
    study: Study,
    folder: StudyFolder,
    top: TopList,
    finished: Mapping[int, Finished],
    sent: Sent,
    causality_check: bool,
) -> tuple[Winner, ...]:
    """Return the sets of the top list, each run again on the reference by a task of its own."""
    ranked = top.best
    rows = [row_of(folder, [finished[item.place]], item.set_id) for item in ranked]
    width = max(1, int(resources().cpus))

    def submit(place: int) -> Any:
        item = ranked[place]
        terms = item.set_id, metrics_of(rows[place]), causality_check
        return verify.remote(sent.recipe, sent.markets[item.market], *terms)

    verdicts: dict[int, Verdict] = {}
    for place, outcome in fan_out(range(len(ranked)), [Lane(submit, lambda: width)]):
        failed = isinstance(outcome, RayError)
        verdicts[place] = Verdict(False, sentence_of(outcome)) if failed else outcome
    return tuple(
        _winner(study, top, place, rows[place], verdicts[place]) for place in range(len(ranked))
    )


def row_of(folder: StudyFolder, batches: Iterable[Finished], set_id: int) -> dict[str, Any]:
    """Return the row of a set, which lies in one of the batches of its market.

    Raises: StudyFault if it lies in none.
    """
    chosen = [("set_id", "=", set_id)]
    for batch in batches:
        if batch.rows:
            for row in pq.read_table(folder.file_of(batch), filters=chosen).to_pylist():
                found: dict[str, Any] = row
                return found
    expected = "a set that was evaluated on that market"
    why = "none: a rule excludes it, it failed (failed/*.csv), or it was not run"
    raise StudyFault(f"set {set_id} of {folder.path.name}", expected, why)


def _winner(
    study: Study, top: TopList, place: int, row: dict[str, Any], verdict: Verdict
) -> Winner:
    score = top.best[place].score
    return Winner(
        rank=place + 1,
        row=row,
        objective=score if top.objective.is_larger_better else -score,
        settings={name: row[name] for names in study.recipe.columns for name in names},
        metrics=metrics_of(row),
        is_verified=verdict.is_equal,
        difference=verdict.difference,
        is_alone=verdict.is_alone,
    )


def metrics_of(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the metrics of a row, None where they are undefined."""
    return {name: row[name] if row[name] == row[name] else None for name in SUMMARY}
