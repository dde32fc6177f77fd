"""A sweep on a cluster gives what one program gives, whatever dies on the way."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cluster.database import database
from cluster.ledger import TrialLedger, dataset_of
from cluster.study import Study
from cluster.study_folder import StudyFolder
from cluster.study_manifest import SPEED, Ranking, Standing
from cluster.study_table import HASHED
from cluster.sweep import Sweep
from engines.kernels.gpu import why_not
from engines.kernels.summary import SUMMARY
from engines.search.objectives import Objective
from serve.cli import run
from tests.cluster.nodes import (
    FINE,
    Nodes,
    in_one_program,
    market,
    small_study,
    swept,
    user_strategy,
)
from tests.unit.test_cli import write_bars

KILLS_ITSELF_ONCE = """\
mark = Path({mark!r})
        if on_worker() and self.period == 43 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)"""


def in_folder(out: Path, study: Study) -> pa.Table:
    folder = StudyFolder(out / study.id)
    return pa.concat_tables(
        pq.read_table(folder.file_of(item)) for item in folder.finished().values() if item.rows
    )


def require_same(found: pa.Table, expected: pa.Table) -> None:
    """Require the same rows in whatever order; NaN is NaN.

    Which engine ran a set follows from its batch, and each may add up in its own order.
    """
    by = [("symbol", "ascending"), ("set_id", "ascending")]
    rows = (table.drop_columns(["engine"]).sort_by(by).to_pandas() for table in (found, expected))
    one, other = rows
    exact = [name for name in one if name not in SUMMARY or name in HASHED]
    pd.testing.assert_frame_equal(one[exact], other[exact], check_exact=True)
    pd.testing.assert_frame_equal(one, other, rtol=1e-11, atol=1e-9)


def test_a_sweep_holds_the_rows_of_one_program_and_verifies_its_best(
    nodes: Nodes, tmp_path: Path
) -> None:
    study = small_study(markets=(market(), market(seed=4, symbol="OTHERUSDT")))
    result = swept(study, tmp_path)
    assert result.is_sound
    hashed, table = in_one_program(study)
    assert result.standing.table_hash == hashed
    require_same(in_folder(tmp_path, study), table)
    # fast=20 with slow=20 is excluded by the strategy's rule: 4 plans on 2 markets.
    assert (result.standing.evaluated, result.standing.excluded) == (88, 8)
    profits = np.sort(table["net_profit_quote"].to_numpy())[::-1]
    assert [winner.objective for winner in result.winners] == profits[:3].tolist()
    manifest = StudyFolder(tmp_path / study.id).read_manifest()
    assert manifest["status"] == "complete"
    assert [row["verified"] for row in manifest["best"]] == [True] * 3
    assert manifest["table_hash"] == hashed


def test_a_gpu_that_does_not_answer_is_named_and_its_batches_are_run_by_cpus(
    nodes: Nodes, tmp_path: Path
) -> None:
    study = small_study()
    # One node has a GPU by name alone.
    result = swept(study, tmp_path, settings=FINE.model_copy(update={"gpu_pays_seconds": 0.0}))
    reason = why_not()
    assert reason is not None, "this machine has a GPU, so that its node runs batches on it"
    assert result.is_sound and result.standing.no_gpu[reason] > 0
    known = StudyFolder(tmp_path / study.id).read_manifest()
    assert known["no_gpu"] == {reason: result.standing.no_gpu[reason]}
    assert "gpu" not in known["engines"]
    assert result.standing.table_hash == in_one_program(study)[0]


def test_a_study_that_cpus_do_in_seconds_waits_for_no_gpu(nodes: Nodes, tmp_path: Path) -> None:
    result = swept(small_study(), tmp_path, settings=FINE)
    assert result.is_sound and not result.standing.no_gpu


def test_a_finished_study_keeps_its_speed_when_it_is_run_again(
    nodes: Nodes, tmp_path: Path
) -> None:
    study = small_study()
    folder = StudyFolder(tmp_path / study.id)
    swept(study, tmp_path)
    first = folder.read_manifest()
    assert first["seconds"] > 0 and first["sets_per_second"] > 0
    assert swept(study, tmp_path).standing.seconds == 0
    again = folder.read_manifest()
    assert [again[name] for name in SPEED] == [first[name] for name in SPEED]


def test_a_sample_is_the_same_sets_of_the_grid(nodes: Nodes, tmp_path: Path) -> None:
    drawn, whole = small_study(sample=(20, 5)), small_study()
    result = swept(drawn, tmp_path)
    found = in_folder(tmp_path, drawn)
    assert result.standing.evaluated + result.standing.excluded == 20
    _, table = in_one_program(whole)
    chosen = table.filter(pc.is_in(table["set_id"], found["set_id"].combine_chunks()))
    require_same(found, chosen)


def test_killing_a_worker_changes_nothing_but_time(nodes: Nodes, tmp_path: Path) -> None:
    mark = tmp_path / "killed"
    calm = small_study("period=5:44", "", user_strategy(tmp_path))
    (tmp_path / "wild").mkdir()
    happens = KILLS_ITSELF_ONCE.format(mark=str(mark))
    study = small_study("period=5:44", "", user_strategy(tmp_path / "wild", happens))
    hashed, _ = in_one_program(calm)
    result = swept(study, tmp_path / "out", settings=FINE)
    assert mark.exists()
    assert result.is_sound
    assert result.standing.table_hash == hashed


def test_killing_a_node_changes_nothing_but_time(nodes: Nodes, tmp_path: Path) -> None:
    slow = user_strategy(tmp_path, "time.sleep(0.2)")
    study = small_study("period=5:24", "", slow)
    hashed, _ = in_one_program(study, 100)
    doomed = [nodes.add(2)]

    def kill(standing: Standing) -> None:
        if standing.done >= 2 and doomed:
            nodes.remove(doomed.pop())

    result = swept(study, tmp_path / "out", kill, FINE)
    assert not doomed
    assert result.is_sound
    assert result.standing.table_hash == hashed


def test_trials_are_counted_while_a_study_runs(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, counted = small_study(), list[int]()
    monkeypatch.setattr("cluster.sweep.RECORD_S", 0.0)
    with database(f"sqlite:///{tmp_path / 'trials.db'}") as engine:
        ledger = TrialLedger(engine)

        def watch(standing: Standing) -> None:
            counted.append(ledger.count(study.recipe.strategy.bare_name, dataset))

        dataset = dataset_of(study.markets[0].klines)
        folder = StudyFolder(tmp_path / study.id)
        ranking = Ranking(Objective.parse("net_profit_quote"), (), 1)
        with folder.locked():
            Sweep(study, folder, ranking, FINE, {}, watch, ledger).run()
        last = ledger.count(study.recipe.strategy.bare_name, dataset)
    assert 0 < counted[2] < last == 44


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_ended_half_way_is_resumed_by_the_command_that_it_prints(
    nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str], sign: signal.Signals
) -> None:
    bars = write_bars(tmp_path / "TESTUSDT_15m.csv", bars=600)
    # The last batch waits for as long as the program lives, so that something is left to be done.
    killed = tmp_path / "killed"
    held = f"""\
while on_worker() and self.period == 44 and not Path({str(killed)!r}).exists():
            time.sleep(0.02)"""
    slow = user_strategy(tmp_path, held)
    out = tmp_path / "out"
    words = [
        "sweep", slow, "--bars", str(bars), "--grid", "period=5:44", "--out", str(out),
        "--address", nodes.address, "--no-causality-check", "--objective", "net_profit_quote",
    ]  # fmt: skip  # flags with their values
    # Small batches, so that some are done and some are left.
    environment = os.environ | {"PHALANX_TASK_SECONDS": "0.001"}
    said = (tmp_path / "said.txt").open("w+")
    command = [sys.executable, "-m", "serve.cli", *words]
    with said, subprocess.Popen(command, env=environment, stderr=said) as program:
        folder = _begun(out, program, said)
        program.send_signal(sign)
        code = program.wait()
        said.seek(0)
        last = said.read().splitlines()[-2:]
    killed.touch()
    again = ["sweep", "--resume", folder.path.name, "--out", str(out)]
    if sign == signal.SIGTERM:  # of the other one nobody hears
        assert (code, last[1]) == (143, "phalanx: ended by SIGTERM.")
        assert last[0] == f"to go on: {shlex.join(['phalanx', *again])}"
    before = len(folder.finished())
    assert run(again) == 0
    printed = capsys.readouterr()
    assert f"{before} of" in printed.err
    assert "going on with the rest" in printed.err
    numbers = [json.loads(line)["number"] for line in _lines(folder)]
    assert len(numbers) == len(set(numbers)) > before
    assert "40 sets evaluated, 0 excluded by rules, 0 failed" in printed.out
    assert (folder.path / "report.html").is_file()


def _begun(out: Path, program: "subprocess.Popen[bytes]", said: TextIO) -> StudyFolder:
    """Return the folder of a study of which a batch is done."""
    for _ in range(6000):
        for path in out.glob("*/journal.jsonl"):
            if path.read_text().endswith("\n"):
                return StudyFolder(path.parent)
        assert program.poll() is None, f"{said.name}: {Path(said.name).read_text()}"
        time.sleep(0.05)
    raise AssertionError("no batch in five minutes")


def _lines(folder: StudyFolder) -> list[str]:
    return (folder.path / "journal.jsonl").read_text().splitlines()


def test_the_command_prints_a_verified_list_and_counts_its_trials_once(
    nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = write_bars(tmp_path / "TESTUSDT_15m.csv", bars=1500)
    words = [
        "sweep", "rsi_mean_reversion", "--bars", bars, "--grid", "rsi=7:14:7 oversold=25,30",
        "--plan-grid", "stop_loss=1%:3%:1%", "--where", "trades>=1", "--top", "2",
        "--objective", "net_profit_quote", "--out", tmp_path,
    ]  # fmt: skip  # flags with their values
    assert run([str(word) for word in words]) == 0
    said = capsys.readouterr()
    assert "note: rsi means rsi_period" in said.err
    assert "note: the strategy brings stops or targets of its own: exits.levels is plan" in said.err
    assert said.out.splitlines()[0].split()[:5] == [
        "rank", "set", "rsi_period", "oversold", "stop_loss_ratio",
    ]  # fmt: skip  # one row
    assert "sweep: verifying 2 winners on the reference\n" in said.err
    assert said.out.count("yes") == 2
    assert "trials of rsi_mean_reversion on TESTUSDT 15m so far: 12" in said.out
    assert run([*map(str, words), "--force", "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["trials"] == {"TESTUSDT 15m": 12}
    assert document["counts"]["evaluated"] == 12
    assert run(["runs", "--studies", "--count", "1", "--json"]) == 0
    (kept,) = json.loads(capsys.readouterr().out)["studies"]
    assert (kept["study"], kept["outcome"]) == (document["study_id"], "complete")
    last = document["best"][1]
    one = ["study", document["study_id"], last["set_id"], "--studies", tmp_path]
    assert run([*map(str, one), "--out", str(tmp_path / "one"), "--json"]) == 0
    (again,) = json.loads(capsys.readouterr().out)["runs"]
    assert again["metrics"]["net_profit_quote"] == pytest.approx(last["objective"], rel=1e-12)
    assert len((tmp_path / "one" / "trades.csv").read_text().splitlines()) > 1
    assert run([*map(str, one), "--market", "BTCUSDT 1h"]) == 2
    assert "--market: expected one of TESTUSDT 15m, found BTCUSDT 1h" in capsys.readouterr().err
    assert run([*map(str, one[:2]), "12", *map(str, one[3:])]) == 2
    assert "expected a set that was evaluated on that market" in capsys.readouterr().err
    assert set(document["best"][0]["metrics"]) == set(SUMMARY)


def test_what_a_strategy_prints_stays_off_stdout_and_force_begins_anew_whatever_is_there(
    nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = write_bars(tmp_path / "TESTUSDT_15m.csv", bars=300)
    noisy = user_strategy(tmp_path, "print('noise')")
    words = [
        "sweep", noisy, "--bars", bars, "--grid", "period=5:8", "--json", "--out", tmp_path,
        "--plan-grid", "stop_loss=1%", "--objective", "net_profit_quote",
    ]  # fmt: skip  # flags with their values
    assert run([str(word) for word in words]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["counts"]["evaluated"] == 4
    assert "noise" in said.err
    manifest = tmp_path / document["study_id"] / "manifest.json"
    manifest.write_text("{")
    assert run([str(word) for word in words]) == 2
    assert "expected a study's manifest" in capsys.readouterr().err
    assert run([*map(str, words), "--force"]) == 0
