"""What `ray submit` copies to the head: one file that becomes the installed command."""

import os
import subprocess
import sys
from pathlib import Path

import cluster.run_sweep
from cluster.run_sweep import command_of

SCRIPT = Path(str(cluster.run_sweep.__file__))


def run_copied(tmp_path: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script by a Python beside which nothing of ours is installed."""
    alone = tmp_path / "alone"
    alone.mkdir(exist_ok=True)
    python = alone / "python3"
    python.symlink_to(Path(sys.executable).resolve())
    copy = alone / SCRIPT.name
    copy.write_text(SCRIPT.read_text("utf-8"), "utf-8")
    environment = os.environ | {"PATH": path, "PYTHONPATH": ""}
    command = [str(python), "-S", str(copy), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_becomes_the_installed_command_with_the_flags_that_it_was_given(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "phalanx"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor one in "$@"; do echo "$one"; done\nexit 7\n')
    program.chmod(0o755)
    flags = ("rsi_mean_reversion", "--grid", "rsi=7:21:1 oversold=20:40:5")
    done = run_copied(tmp_path, f"{program.parent}:{os.environ['PATH']}", *flags)
    assert done.stdout.splitlines() == ["sweep", *flags, "--address", "auto"]
    assert done.returncode == 7


def test_where_phalanx_is_not_installed_it_says_so(tmp_path: Path) -> None:
    done = run_copied(tmp_path, "/nowhere", "rsi_mean_reversion")
    assert done.returncode == 2
    assert "expected installed on the head" in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_cluster_may_be_named() -> None:
    assert command_of(["a", "--address", "local"], "p") == ["p", "sweep", "a", "--address", "local"]
    assert command_of(["a", "--address=x:1"], "p") == ["p", "sweep", "a", "--address=x:1"]
