"""What was evaluated is kept: runs with their figures, studies with how they ended."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cluster.batches import BatchPlan
from cluster.database import database
from cluster.evaluations import Evaluations, RunRecord, StudyRecord
from cluster.study_folder import StudyFolder
from cluster.study_manifest import Standing
from cluster.sweep import SweepResult
from engines.search.objectives import Objective, TopList
from serve.evaluations import recorded
from tests.cluster.nodes import small_study
from tests.unit.databases import KINDS, url_of
from tests.unit.test_cli import printed, write_bars


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with database(url_of(request.param, tmp_path)) as opened:
        yield opened


def test_runs_come_back_the_newest_first(engine: Engine) -> None:
    first = RunRecord(
        ended_ms=1,
        strategy=uuid.uuid4().hex,
        dataset="d",
        subject="BTCUSDT 15m",
        parameters={"fast": 9, "trend": True},
        metrics={"calmar": None, "trades": 7.0},
        command="phalanx backtest",
        folder=None,
    )
    second = replace(first, ended_ms=2, folder="out")
    Evaluations(engine).record_runs([first, second])
    assert Evaluations(engine).runs(2) == [second, first]


def test_a_study_that_goes_on_is_the_same_study(engine: Engine) -> None:
    kept = Evaluations(engine)
    study = StudyRecord(
        study=uuid.uuid4().hex,
        folder="out/studies/a",
        strategy="ema_crossover",
        command="phalanx sweep a",
        begun_ms=5,
        ended_ms=None,
        sets=100,
        outcome="under way",
    )
    kept.begin_study(study)
    assert kept.studies(1) == [study]
    kept.end_study(study.study, study.folder, "cut short", 9)
    assert kept.studies(1) == [replace(study, ended_ms=9, outcome="cut short")]
    kept.begin_study(replace(study, begun_ms=20, command="phalanx sweep --resume a"))
    kept.end_study(study.study, study.folder, "complete", 30)
    (found,) = kept.studies(1)
    assert (found.begun_ms, found.ended_ms, found.outcome) == (5, 30, "complete")
    assert found.command == "phalanx sweep --resume a"


def test_a_study_is_kept_with_the_outcome_that_its_result_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'a.db'}")
    study, folder = small_study(), StudyFolder(tmp_path / "study")

    def interrupted() -> SweepResult:
        raise KeyboardInterrupt

    def kept() -> list[str]:
        with database() as engine:
            return [item.outcome for item in Evaluations(engine).studies(2)]

    with pytest.raises(KeyboardInterrupt):
        recorded(study, folder, interrupted)
    assert kept() == ["cut short"]
    standing = Standing(study, BatchPlan(1, 7), 5, TopList(3, Objective.parse("sharpe")))
    result = SweepResult(standing, (), {}, "incomplete")
    assert recorded(study, folder, lambda: result) is result
    assert kept() == ["incomplete"]


def test_a_backtest_is_kept_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'a.db'}")
    path, out = write_bars(tmp_path / "TESTUSDT_15m.csv"), tmp_path / "out"
    printed(capsys, "backtest", "ema_crossover", "rsi_momentum", "--bars", path, "--out", out)
    code, said, _ = printed(capsys, "runs")
    assert code == 0
    assert "TESTUSDT 15m, 3,000 bars" in said
    assert str(out) in said
    _, said, _ = printed(capsys, "runs", "--count", 1, "--json")
    (run,) = json.loads(said)["runs"]
    assert run["strategy"] == "rsi_momentum"
    assert run["command"].startswith("phalanx backtest ema_crossover")
    assert run["metrics"]["trades"] > 0
    code, _, err = printed(capsys, "runs", "--count", 0)
    assert code == 2
    assert "--count: expected a whole number" in err
