"""The main job on real bars: a sweep over three nodes, one of which is killed half way.

One node has a GPU by name alone. The program is interrupted further on and resumed by the command
that it prints. What it found is what a run without faults finds, and its winners are verified.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.study_folder import StudyFolder
from tests.cluster.nodes import Nodes
from tests.cluster.worker_memory import own_memory_mb
from tests.parity.truth import KLINES_FOLDER, needs_truth

YEARS = 2024, 2025
BARS = 70_176
GRIDS = (
    "--grid", "rsi=7:21:1 oversold=20:40:1",
    "--plan-grid", "stop_loss=0.5%:4%:0.25% take_profit=0.5%:6%:0.5%",
)  # fmt: skip  # flags with their values
SETS = 15 * 21 * 15 * 12 * 2
PATIENCE_S = 600


@pytest.mark.long
@needs_truth
def test_a_sweep_of_real_bars_outlives_a_node_and_its_own_program(
    nodes: Nodes, tmp_path: Path
) -> None:
    doomed = nodes.add(cpus=2)
    words = ["sweep", "rsi_mean_reversion", *_bars(tmp_path), *GRIDS, "--top", "5", "--levels",
             "plan", "--objective", "sharpe", "--where", "trades>=30"]  # fmt: skip # one command
    environment = os.environ | {
        "PHALANX_TASK_SECONDS": "0.5",  # so that there are batches enough to be half way
        "PHALANX_GPU_PAYS_SECONDS": "0",
        "PHALANX_DATABASE_URL": f"sqlite:///{tmp_path / 'phalanx.db'}",
    }
    on_nodes = [*words, "--out", str(tmp_path / "faulty"), "--address", nodes.address]
    with (
        _memory() as peak,
        _started(on_nodes, environment, tmp_path / "said.txt") as program,
        ThreadPoolExecutor(1) as aside,
    ):
        _await(lambda: _done(tmp_path / "faulty") >= 0.3, program)
        killed = aside.submit(nodes.remove, doomed)  # which waits for what the sweep would use
        _await(lambda: _done(tmp_path / "faulty") >= 0.5, program)
        program.send_signal(signal.SIGINT)
        assert program.wait(PATIENCE_S) == 130
        killed.result()
        said = (tmp_path / "said.txt").read_text()
        found = re.search(r"phalanx (sweep --resume .*)", said)
        assert found, said
        cut = _manifest(tmp_path / "faulty")
        resume = [*shlex.split(found[1].rstrip(".")), "--json"]
        again = _run(resume, environment)
    assert again.returncode == 0, again.stderr
    whole = _run([*words, "--out", str(tmp_path / "calm"), "--json"], environment)
    assert whole.returncode == 0, whole.stderr
    faulty, calm = json.loads(again.stdout), json.loads(whole.stdout)
    assert cut["status"] == "interrupted" and 0 < cut["counts"]["evaluated"] < SETS
    assert faulty["counts"]["evaluated"] == calm["counts"]["evaluated"] == SETS
    assert faulty["table_hash"] == calm["table_hash"]
    assert [row["verified"] for row in faulty["best"]] == [True] * 5
    assert set(faulty["trials"].values()) == {SETS // 2}
    _show(cut, faulty, calm, max(peak))


def _bars(folder: Path) -> list[str]:
    """Join the years of each symbol into one file; return the flags that name them."""
    flags = []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        path = folder / f"{symbol}_15m.csv"
        lines = [
            (KLINES_FOLDER / "linear_15m" / f"{symbol}_15m_{year}.csv").read_text().splitlines()
            for year in YEARS
        ]
        path.write_text("\n".join([*lines[0], *(line for of in lines[1:] for line in of[1:]), ""]))
        flags += ["--bars", str(path)]
    return flags


@contextmanager
def _started(
    words: list[str], environment: dict[str, str], said: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "serve.cli", *words]
    with (
        said.open("w") as kept,
        subprocess.Popen(command, env=environment, stdout=kept, stderr=kept) as program,
    ):
        try:
            yield program
        finally:
            program.kill()


def _run(words: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "serve.cli", *words],
        env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip  # what runs, then how


def _await(is_so: Callable[[], bool], program: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert program.poll() is None, "the sweep ended before it was cut short"
        assert time.monotonic() < until, "the sweep does not come along"
        time.sleep(0.01)


def _done(out: Path) -> float:
    """Return the part of the sets that finished batches hold."""
    return sum(
        item.rows for path in out.glob("*/journal.jsonl")
        for item in StudyFolder(path.parent).finished().values()
    ) / SETS  # fmt: skip  # one sum


def _manifest(out: Path) -> dict[str, Any]:
    (path,) = out.glob("*/manifest.json")
    known: dict[str, Any] = json.loads(path.read_text())
    return known


@contextmanager
def _memory() -> Iterator[list[float]]:
    """Watch what the workers of Ray hold beyond what they share, in MB; the largest is the peak."""
    seen, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            seen.append(own_memory_mb())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _show(cut: dict[str, Any], faulty: dict[str, Any], calm: dict[str, Any], peak: float) -> None:
    print(f"\n{SETS:,} sets, {len(faulty['markets'])} markets, hash {calm['table_hash'][:12]}")
    for name, of in ("cut short", cut), ("resumed", faulty), ("without faults", calm):
        rate = of["sets_per_second"]
        print(
            f"{name}: {of['counts']['evaluated']:,} sets so far, {of['seconds']:.1f} s, "
            f"{rate:,.0f} sets/s, {rate * BARS / 1e9:.2f} billion bars x sets a second"
        )
    print(f"a worker at most: {peak:,.0f} MB; trials {faulty['trials']}")
    for row in faulty["best"]:
        print(
            row["rank"], row["symbol"], row["settings"], f"{row['objective']:.4f}", row["verified"]
        )
