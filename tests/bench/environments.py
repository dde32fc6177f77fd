"""An environment of its own for each package that ours is measured beside.

Theory. What is compared with must not become a dependency, nor share a process: another Numba,
another pandas, another allocator's habits. So a benchmark makes a virtual environment in a
temporary folder, installs pinned packages there and runs a *worker* in it: a script that reads one
request as JSON on stdin, reads and writes columns as .npy files in the request's folder, and prints
one answer as JSON on the last line of stdout. `OURS` is measured the same way. Its own clock times
its work, so neither its start nor the way of the columns counts, and its peak memory is its own.

A package that cannot be installed here is no failure of ours: the benchmark prints why and goes on.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.klines import Klines

WORKERS = Path(__file__).parent / "workers"
INSTALL_SECONDS_MAX = 600
WORK_SECONDS_MAX = 1_800


class CannotInstall(Exception):
    """A package that is measured beside ours cannot be had on this machine."""


@dataclass(frozen=True)
class Environment:
    """An interpreter with packages of its own."""

    python: str

    def ask(self, worker: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a worker with a request and return its answer.

        Raises: AssertionError with what it said if it failed.
        """
        answer = subprocess.run(
            [self.python, str(WORKERS / worker)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=WORK_SECONDS_MAX,
        )
        assert answer.returncode == 0, f"{worker} failed: {answer.stderr[-4000:]}"
        found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
        return found


OURS = Environment(sys.executable)


def environment(folder: Path, *requirements: str) -> Environment:
    """Return a new environment below `folder` with the requirements installed.

    Raises: CannotInstall with the installer's last words.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        done = subprocess.run(
            [*command, *requirements],
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as expired:
        reason = f"not installed after {expired.timeout:.0f} s"
        raise CannotInstall(f"{' '.join(requirements)}: {reason}") from expired
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["the installer said nothing"]
        raise CannotInstall(f"{' '.join(requirements)}: {words[-1]}")
    return Environment(str(python))


def write_columns(folder: Path, klines: Klines) -> None:
    """Write the bars where a worker finds them."""
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        np.save(folder / f"{name}.npy", getattr(klines, name))
