"""A set that needs more memory than its node has is named, and the rest of the study goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.nodes import user_strategy
from tests.unit.test_cli import write_bars

ROOM_BYTES = 2_000_000_000  # above what the machine holds now; then Ray kills the worker
HOARDS = """\
if self.period == 20 and on_worker():
            held = []
            for _ in range(50):
                held.append(np.ones(12_500_000))
                time.sleep(0.05)"""


def _memory(name: str) -> int:
    """Return one of Linux's figures of the machine's memory, in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024


@pytest.mark.long
def test_a_set_without_the_memory_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "TESTUSDT_15m.csv", bars=600)
    words = [
        "sweep", user_strategy(tmp_path, HOARDS), "--bars", str(bars), "--grid", "period=5:24",
        "--out", str(tmp_path / "out"), "--no-causality-check", "--objective", "net_profit_quote",
    ]  # fmt: skip  # flags with their values
    threshold = 1 - (_memory("MemAvailable") - ROOM_BYTES) / _memory("MemTotal")
    limits = {
        "RAY_memory_usage_threshold": f"{threshold:.4f}",
        "RAY_memory_monitor_refresh_ms": "100",
        "PHALANX_TASK_SECONDS": "0.001",
        "PHALANX_TASK_RETRIES": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "serve.cli", *words],
        env=os.environ | limits, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip  # what runs, then how
    assert done.returncode == 1, done.stderr
    (manifest,) = (tmp_path / "out").glob("*/manifest.json")
    known = json.loads(manifest.read_text())
    (said,) = known["failed_batches"].values()
    assert "its worker ran out of memory" in said
    assert known["counts"]["evaluated"] >= 18
