"""What goes wrong with a sweep is named, and costs no more than it must."""

import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.database import DatabaseFault, database
from cluster.ledger import TrialLedger
from cluster.settings import ClusterSettings
from cluster.study import StudyFault
from cluster.study_folder import Finished, StudyFolder
from cluster.study_manifest import Ranking
from cluster.study_table import parquet_of
from cluster.sweep import Sweep
from engines.search.objectives import Objective
from serve.sweep_output import print_sweep, say_findings
from tests.cluster.nodes import (
    FINE,
    SOLID,
    Nodes,
    in_one_program,
    market,
    quiet,
    small_study,
    swept,
    user_strategy,
)


def test_a_set_that_cannot_be_run_is_named_and_the_rest_goes_on(
    nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = user_strategy(tmp_path, "1 / (self.period - 20)", "1 / (self.period - 19)")
    study = small_study("period=5:24", "", wild)
    result = swept(study, tmp_path / "out", settings=FINE)
    assert not result.is_sound
    assert (result.standing.evaluated, result.standing.failed) == (18, 2)
    assert result.outcome == "sets failed"
    said = sorted(result.standing.faults)
    for text, number, period in zip(said, (14, 15), (19, 20), strict=True):
        assert text.startswith(f"set {number} (period={period}) on TESTUSDT 15m: ")
        assert "ZeroDivisionError: division by zero in line" in text
        assert text.count("crossed.py") == 1
    say_findings(result, tmp_path)
    assert capsys.readouterr().err.splitlines() == [
        f"phalanx: {text}" for text in result.standing.faults
    ]
    listed = StudyFolder(tmp_path / "out" / study.id).failed.glob("*.csv")
    assert sum(path.read_text().count("division by zero") for path in listed) == 2


def test_the_sets_of_a_worker_that_always_dies_are_not_run_and_the_rest_goes_on(
    nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = user_strategy(tmp_path, "self.period == 20 and on_worker() and die()")
    study = small_study("period=5:24", "", wild)
    settings = ClusterSettings(task_seconds=0.001, task_retries=1)
    result = swept(study, tmp_path / "out", settings=settings)
    assert not result.is_sound
    assert result.status == "incomplete"
    (said,) = result.standing.failed_batches.values()
    assert "set" in said and "its worker died, each time that it was tried" in said
    missing = result.standing.not_run
    assert 0 < missing < 20 and result.standing.evaluated == 20 - missing
    print_sweep(result)
    assert f"0 failed, {missing} not run; " in capsys.readouterr().out
    again = swept(study, tmp_path / "out", settings=settings)
    assert again.standing.resumed == result.standing.evaluated
    assert again.standing.not_run == missing


def test_batches_that_all_fail_end_the_study(nodes: Nodes, tmp_path: Path) -> None:
    study = small_study("period=5:24", "", user_strategy(tmp_path))
    alien = replace(study, recipe=replace(study.recipe, code_version="another"))
    with pytest.raises(
        StudyFault, match=r"each fails: batch \d+ was not run .*: phalanx on a worker"
    ):
        swept(alien, tmp_path / "out")


def test_rows_of_the_reference_are_not_called_verified(
    nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = small_study("period=5,20", "pyramiding=1,2", "channel_breakout")
    result = swept(study, tmp_path)
    assert result.is_sound
    manifest = StudyFolder(tmp_path / study.id).read_manifest()
    assert manifest["engines"] == {"reference": 4}
    assert [row["verified"] for row in manifest["best"]] == ["reference"] * 3
    print_sweep(result)
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[:4]] == [
        "verified", "reference", "reference", "reference",
    ]  # fmt: skip  # a column


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study()
    calls, flush = [0], os.fsync

    def full(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyFault, match="No space left on device"):
        swept(study, tmp_path, settings=FINE)
    monkeypatch.undo()
    kept = StudyFolder(tmp_path / study.id).finished()
    assert kept
    assert not list((tmp_path / study.id / "batches").glob("*.part"))
    result = swept(study, tmp_path, settings=FINE)
    assert result.standing.resumed == sum(item.rows + item.excluded for item in kept.values())
    assert result.standing.table_hash == in_one_program(study)[0]


def test_a_ledger_that_fails_costs_the_count_alone(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study()
    folder = StudyFolder(tmp_path / study.id)

    def full(*_: object) -> dict[str, int]:
        raise DatabaseFault("trial ledger", "a database that can be written to", "a full disk")

    ranking = Ranking(Objective.parse("net_profit_quote"), (), 3)
    with database(f"sqlite:///{tmp_path / 'ledger.db'}") as engine, folder.locked():
        sweep = Sweep(study, folder, ranking, SOLID, {}, quiet, TrialLedger(engine))
        monkeypatch.setattr("cluster.sweep.record_trials", full)
        with pytest.raises(DatabaseFault):
            sweep.run()
        kept = folder.read_manifest()
        assert (kept["status"], len(kept["best"])) == ("complete", 3)
        assert all(item["verified"] for item in kept["best"])
        monkeypatch.undo()
        result = sweep.run()
    assert result.is_sound and result.standing.resumed == result.standing.counted
    assert sum(result.trials.values()) == result.standing.evaluated


def test_a_row_that_the_reference_does_not_give_fails_the_study(
    nodes: Nodes, tmp_path: Path
) -> None:
    study = small_study()
    swept(study, tmp_path)
    folder = StudyFolder(tmp_path / study.id)
    for item in folder.finished().values():
        table = pq.read_table(folder.file_of(item))
        place = table.column_names.index("fees_quote")
        wrong = pa.array(table["fees_quote"].to_numpy() + 1e-6)
        _put_in_place(folder, item, parquet_of(table.set_column(place, "fees_quote", wrong)))
    result = swept(study, tmp_path)
    assert not result.is_sound
    assert result.outcome == "not verified"
    assert "fees_quote: " in result.winners[0].difference
    assert "in the table" in result.winners[0].difference
    assert "on the reference" in result.winners[0].difference


def _put_in_place(folder: StudyFolder, item: Finished, parquet: bytes) -> None:
    """Let a batch of the journal have other rows, as if they had been found."""
    name = f"{hashlib.sha256(parquet).hexdigest()[: len(item.file.partition('.')[0])]}.parquet"
    folder.file_of(item).with_name(name).write_bytes(parquet)
    journal = folder.path / "journal.jsonl"
    journal.write_text(journal.read_text().replace(item.file, name))


def test_a_winner_that_looks_ahead_fails_the_study(nodes: Nodes, tmp_path: Path) -> None:
    # The first strategy of the space, which is looked at before it begins, is an honest one.
    peeks = """\
if self.period >= 20:
            up = np.roll(klines.close, -1) > klines.close
            return Signals(up, ~up, up & False, up & False)"""
    study = small_study("period=5,40", "", user_strategy(tmp_path, peeks))
    result = swept(study, tmp_path / "out", top=2)
    assert not result.is_sound
    said = {winner.settings["period"]: winner.difference for winner in result.winners}
    assert said[5] == "" and "looks ahead" in said[40]


def test_sets_whose_warm_up_exceeds_the_bars_are_named(nodes: Nodes, tmp_path: Path) -> None:
    study = small_study(
        "fast=5 slow=20,50", "", markets=(market(bars=40),), fixed={"trend_period": "30"}
    )
    result = swept(study, tmp_path)
    assert (result.standing.evaluated, result.standing.failed) == (1, 1)
    assert "the warm-up of ema_crossover, found 40" in result.standing.faults[0]
