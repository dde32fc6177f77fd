"""A sweep as a job of a cluster that asks for its token: submitted as a person submits it."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.test_cli import write_bars

RAY = str(Path(sys.executable).with_name("ray"))
START_S = 180.0


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Cluster:
    """A head of its own with a dashboard, in a home of its own, behind a token."""

    def __init__(self, home: Path) -> None:
        self.port, client_port, agent_port = free_port(), free_port(), free_port()
        self.environment = os.environ | {
            "HOME": str(home),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "PATH": f"{Path(RAY).parent}:{os.environ['PATH']}",
        }
        command = [
            RAY, "start", "--head", "--block", "--port=0", f"--dashboard-port={self.port}",
            "--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1", "--num-cpus=2",
            f"--ray-client-server-port={client_port}", f"--temp-dir={home / 'ray'}",
            # Its usual port is taken where another Ray runs on the machine, and then no job is.
            f"--dashboard-agent-listen-port={agent_port}",
        ]  # fmt: skip  # one command
        self.log = home / "head.log"
        with self.log.open("w") as log:
            self.head = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def submit(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Submit a command and return what came of the submission, its log included."""
        address = f"--address=http://127.0.0.1:{self.port}"
        return subprocess.run(
            [RAY, "job", "submit", address, "--", *command],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def wait(self) -> None:
        """Wait until jobs are taken."""
        deadline = time.monotonic() + START_S
        while (done := self.submit("true")).returncode:
            assert self.head.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, done.stderr[-2000:]
            time.sleep(0.5)

    def stop(self) -> None:
        """End the head and all that it started: they are a group of their own."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.head.poll() is None:
                os.killpg(self.head.pid, sign)
                with suppress(subprocess.TimeoutExpired):
                    self.head.wait(10)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # The paths of sockets may be 107 characters long: pytest's folders are too deep.
    home = Path(tempfile.mkdtemp(prefix="phx"))
    made = Cluster(home)
    try:
        made.wait()
        yield made
    finally:
        made.stop()
        shutil.rmtree(home, ignore_errors=True)


def test_a_job_sweeps_on_the_cluster_that_runs_it(cluster: Cluster, tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "TESTUSDT_15m.csv", bars=9000)
    study = tmp_path / "study.yaml"
    # A strategy that places its own orders is run by the reference: nothing is to be compiled.
    study.write_text(
        f"strategy: channel_breakout\nbars: [{bars}]\ngrid: period=5:25:5\nwhere: trades>=1\n"
    )
    out = f"--out={tmp_path / 'studies'}"
    done = cluster.submit("python", "-m", "cluster.run_sweep", str(study), out)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "verified" in done.stdout
    (folder,) = (tmp_path / "studies").iterdir()
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert (manifest["status"], manifest["counts"]["sets"]) == ("complete", 5)
    assert (folder / "report.html").is_file()


def test_a_job_that_cannot_begin_fails_with_its_sentence(cluster: Cluster) -> None:
    done = cluster.submit("python", "-m", "cluster.run_sweep", "channel_breakout")
    assert done.returncode != 0
    assert "phalanx: space: expected values to try" in done.stdout + done.stderr


def test_who_has_no_token_submits_nothing(cluster: Cluster) -> None:
    done = cluster.submit("true", RAY_AUTH_TOKEN="wrong" * 8)
    assert done.returncode != 0
    assert "succeeded" not in done.stdout
