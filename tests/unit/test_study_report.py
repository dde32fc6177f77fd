"""A study's folder becomes its page: what was asked, what was found, and how far to believe it."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cluster.batches import BatchPlan
from cluster.database import database
from cluster.ledger import TrialLedger
from cluster.results import OutputFault
from cluster.study import Study, study_of
from cluster.study_folder import StudyFolder
from cluster.study_manifest import Standing, Winner, manifest_of
from cluster.tasks import run_batch
from cluster.trial_record import record_trials
from cluster.user_strategy import find_strategy
from cluster.verify import verify_set
from engines.costs import Costs
from engines.funding import Funding
from engines.instrument import Instrument
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Market
from engines.plan import Plan
from engines.search.grid import Axis
from engines.search.objectives import Constraint, Objective, TopList
from engines.search.space import Space
from engines.synthetic import synthetic_klines
from serve.study_report import study_report, write_study_report
from tests.unit.failing_disk import failing_at, full

REQUEST = {"command": "phalanx sweep ema_crossover --grid ...", "versions": {"phalanx": "0.1.0"}}
AXES = [Axis("fast", (3, 5, 8, 20)), Axis("slow", (20, 40))]
SHARPE = Objective.parse("sharpe")
PLAN_AXES = [Axis("exits.stop_loss_ratio", (None, 0.02))]


def small_study() -> Study:
    klines = synthetic_klines(12_000, 900_000, seed=1)
    market = Market(klines, Instrument(klines.symbol, 0.1, 0.001), Costs())
    found = find_strategy("ema_crossover")
    fixed: dict[str, Any] = {
        name: value for name, value in found.values({}).items() if name not in ("fast", "slow")
    }
    return study_of(found, fixed, Plan(), Space.of(AXES, PLAN_AXES), [market])


def evaluated(study: Study, folder: StudyFolder, ledger: TrialLedger) -> None:
    """Do by hand, in this program, what a sweep does on a cluster."""
    plan = BatchPlan(1, 4)
    top = TopList(3, Objective.parse("sharpe"), (Constraint.parse("trades>=1"),))
    batches = plan.of(study.recipe)
    standing = Standing(study, plan, len(batches), top)
    rows: dict[int, dict[str, Any]] = {}
    with folder.locked():
        for number in range(len(batches)):
            result = run_batch(study.recipe, study.markets[0], batches[number], 1, has_gpu=False)
            item = folder.keep(result)
            standing.count(item)
            if item.rows:
                table = pq.read_table(folder.file_of(item))
                columns = {name: table[name].to_numpy() for name in SUMMARY}
                top.show(columns, table["set_id"].to_numpy(), 0, number)
                rows |= {row["set_id"]: row for row in table.to_pylist()}
        trials = record_trials(study, folder, folder.finished(), ledger)
        winners = [_winner(study, top, place, rows) for place in range(len(top.best))]
        folder.write_manifest(manifest_of(standing, REQUEST, "complete", winners, trials))


def _winner(study: Study, top: TopList, place: int, rows: dict[int, dict[str, Any]]) -> Winner:
    ranked = top.best[place]
    row = rows[ranked.set_id]
    metrics = {name: row[name] if row[name] == row[name] else None for name in SUMMARY}
    verdict = verify_set(
        study.recipe, study.markets[0], ranked.set_id, metrics, causality_check=True
    )
    settings = {name: row[name] for names in study.recipe.columns for name in names}
    is_equal, is_alone = verdict.is_equal, verdict.is_alone
    return Winner(place + 1, row, ranked.score, settings, metrics, is_equal, "", is_alone)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, StudyFolder]:
    study = small_study()
    root = tmp_path_factory.mktemp("studies")
    folder = StudyFolder(root / study.id)
    with database(f"sqlite:///{root / 'ledger.db'}") as engine:
        evaluated(study, folder, TrialLedger(engine))
    return study, folder


def test_a_study_is_told_from_its_folder(made: tuple[Study, StudyFolder]) -> None:
    study, folder = made
    report = study_report(study, folder)
    assert report.strategy == "ema_crossover"
    assert report.table.axes == ("fast", "slow", "exits.stop_loss_ratio")
    assert report.excluded == 2  # fast 20 is not below slow 20, with each of two stops
    assert len(report.winners) == 3
    assert [winner.verified for winner in report.winners] == [True] * 3
    assert report.is_synthetic
    facts = {title: dict(rows) for title, rows in report.facts}
    assert facts["Space"]["fast"] == "3, 5, 8, 20"
    assert facts["Counts"]["evaluated"] == "14"
    assert facts["Trials counted"] == {f"{study.markets[0].klines.symbol} 15m": "14"}


def test_the_best_set_is_run_again_and_judged_by_all_trials(
    made: tuple[Study, StudyFolder],
) -> None:
    report = study_report(*made)
    assert report.best is not None
    first = report.winners[0]
    assert report.best.trials == 14
    for name in SUMMARY:
        assert report.best.metrics[name] == pytest.approx(first.metrics[name], nan_ok=True)
    assert report.best.parameters["fast"] == first.values["fast"]


def test_trials_that_nobody_counted_are_at_least_those_of_the_study(
    made: tuple[Study, StudyFolder], tmp_path: Path
) -> None:
    study, folder = made
    copied = StudyFolder(Path(shutil.copytree(folder.path, tmp_path / study.id)))
    with copied.locked():
        copied.write_manifest(copied.read_manifest() | {"trials": {}})
    best = study_report(study, copied).best
    assert best is not None and best.trials == 14


def test_a_manifest_names_all_that_a_market_brings(made: tuple[Study, StudyFolder]) -> None:
    study, _ = made
    (market,) = study.markets
    paid = replace(market, funding=Funding(np.array([0], np.int64), np.array([1e-4])))
    standing = Standing(replace(study, markets=(paid,)), BatchPlan(1, 4), 4, TopList(1, SHARPE))
    (row,) = manifest_of(standing, REQUEST, "running")["markets"]
    assert row["instrument"]["tick_size"] == 0.1
    assert list(row["around"]) == ["funding"] and len(row["around"]["funding"]) == 64


def test_the_page_and_the_best_report_lie_in_the_folder(made: tuple[Study, StudyFolder]) -> None:
    study, folder = made
    page = write_study_report(study, folder)
    assert page == folder.path / "report.html"
    found = re.search(r'id="payload">(.*?)</script>', page.read_text("utf-8"))
    assert found is not None
    payload = json.loads(found[1])
    assert payload["study_id"] == study.id
    assert payload["trials"] == 14
    assert payload["counts"]["rows"] == 14
    assert 0 <= payload["sharpe_deflated_ratio"] <= 1
    best = (folder.path / "best.html").read_text("utf-8")
    assert f"of study {study.id}" in best
    assert not [path for path in folder.path.iterdir() if path.name.endswith(".part")]


def test_a_full_disk_leaves_the_page_of_before_and_nothing_beside_it(
    made: tuple[Study, StudyFolder],
) -> None:
    study, folder = made
    before = write_study_report(study, folder).read_bytes()
    names = sorted(path.name for path in folder.path.iterdir())
    with failing_at(None, full()) as counted:
        write_study_report(study, folder)
    for step in [n for n, name in enumerate(counted.taken) if name == "write"]:
        with failing_at(step, full()), pytest.raises(OutputFault, match="No space left"):
            write_study_report(study, folder)
        assert sorted(path.name for path in folder.path.iterdir()) == names
        assert (folder.path / "report.html").read_bytes() == before


def test_a_study_that_found_nothing_has_a_page_too(tmp_path: Path) -> None:
    study = small_study()
    folder = StudyFolder(tmp_path / study.id)
    top = TopList(3, Objective.parse("sharpe"))
    with folder.locked():
        standing = Standing(study, BatchPlan(1, 4), 4, top)
        folder.write_manifest(manifest_of(standing, REQUEST, "interrupted"))
    page = write_study_report(study, folder)
    assert page.is_file()
    assert not (folder.path / "best.html").exists()
