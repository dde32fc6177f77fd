"""What Ray's workers on this machine hold, for tests and benchmarks."""

from pathlib import Path

from cluster.tasks import _run_in_worker

OWN_MEMORY = "RssAnon:"


def own_memory_mb() -> float:
    """Return what the largest worker of a sweep holds that nobody shares, 0 without one."""
    return max(map(_own_mb, _workers()), default=0.0)


def _workers() -> list[Path]:
    name = f"ray::{_run_in_worker.__name__}"
    return [path for path in Path("/proc").glob("[0-9]*") if _command(path).startswith(name)]


def _command(path: Path) -> str:
    try:
        return (path / "cmdline").read_text()
    except OSError:
        return ""


def _own_mb(path: Path) -> float:
    try:
        lines = (path / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) / 1024 for line in lines if line.startswith(OWN_MEMORY))
