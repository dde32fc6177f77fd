"""A cluster that has no token, joined by a process that has one: it is told what is wrong."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.unit.test_cli import write_bars

PHALANX = str(Path(sys.executable).with_name("phalanx"))
TWO_NODES = """
from ray.cluster_utils import Cluster
memory = {"object_store_memory": 2**27}
made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
made.add_node(num_cpus=1, **memory)
print(made.address, flush=True)
input()
made.shutdown()
"""


@pytest.fixture
def address() -> Iterator[str]:
    """Return where a cluster of two nodes without tokens listens."""
    environment = os.environ | {"RAY_AUTH_MODE": "disabled"}
    environment.pop("RAY_AUTH_TOKEN", None)
    made = subprocess.Popen(
        [sys.executable, "-c", TWO_NODES], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip # who, then its streams
    assert made.stdout is not None
    yield made.stdout.readline().strip()
    made.communicate("\n", timeout=PATIENCE_S)


def test_a_cluster_without_tokens_is_named_as_such(address: str, tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "bars.csv")
    command = [
        PHALANX, "sweep", "rsi_mean_reversion", "--bars", str(bars), "--grid", "rsi=7:9:1",
        "--address", address, "--out", str(tmp_path / "out"),
    ]  # fmt: skip # one command
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "1" * 48}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 2
    assert "was the cluster started with our RAY_AUTH_MODE, token?" in done.stderr
    done = subprocess.run(
        command, env=os.environ | {"RAY_AUTH_MODE": "disabled"}, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip # one call
    assert done.returncode == 0, done.stderr[-2000:]
