"""What `phalanx doctor` looks at: one function a thing, each answering one `Check`."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

NEEDED_PACKAGES = (
    *("numpy", "numba", "pandas", "pyarrow", "scipy", "typer", "rich", "openpyxl", "pydantic"),
    *("pydantic-settings", "pyyaml", "ray", "sqlalchemy", "alembic"),
)
REINSTALL = "run `make demo`, or pip install -r requirements.txt and then -e ."
MEMORY_GB_MIN = 1.0
DISK_GB_MIN = 0.2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `remedy` says how to get it where it is not there."""

    name: str
    is_there: bool
    is_needed: bool
    found: str
    remedy: str = ""

    @property
    def verdict(self) -> str:
        """Return ok, MISSING or, for what is optional, absent."""
        return "ok" if self.is_there else "MISSING" if self.is_needed else "absent"


def all_checks() -> list[Check]:
    """Return every check, in the order to read them."""
    return [
        _python(),
        _package("phalanx", needed=True),
        *(_package(name, needed=True) for name in NEEDED_PACKAGES),
        _time_zones(),
        _cores(),
        _memory(),
        _disk(),
        _numba_cache(),
        _gpu(),
        _browser(),
    ]


def _python() -> Check:
    return Check(
        "python",
        sys.version_info >= (3, 11),
        True,
        platform.python_version(),
        "install Python 3.11 or newer",
    )


def _package(name: str, *, needed: bool, remedy: str = REINSTALL) -> Check:
    try:
        return Check(name, True, needed, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, needed, "not installed", remedy)


def _time_zones() -> Check:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        return Check("time zones", False, True, "no zone table", "pip install tzdata")
    return Check("time zones", True, True, "IANA table")


def _cores() -> Check:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Check("cores", True, True, f"{usable} of {os.cpu_count()}, {platform.machine()}")


def _memory() -> Check:
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total_gb = page * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return Check("memory", True, True, "unknown on this system")
    return Check(
        "memory",
        total_gb >= MEMORY_GB_MIN,
        True,
        f"{total_gb:.1f} GB",
        f"at least {MEMORY_GB_MIN:g} GB",
    )


def _disk() -> Check:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return Check(
        "disk here",
        free_gb >= DISK_GB_MIN,
        True,
        f"{free_gb:.1f} GB free",
        f"free at least {DISK_GB_MIN:g} GB, or work in another folder",
    )


def _numba_cache() -> Check:
    """Look whether compiled kernels can be kept; without that each start compiles anew."""
    from engines.features import moving_averages

    given = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(moving_averages.__file__).parent / "__pycache__"
    place = Path(given) if given else beside if os.access(beside, os.W_OK) else None
    place = place or Path("~/.cache").expanduser()
    remedy = "set NUMBA_CACHE_DIR to a folder that can be written to"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return Check("numba cache", True, True, f"writable, {place}")
    except OSError:
        return Check("numba cache", False, True, f"not writable, {place}", remedy)


def _gpu() -> Check:
    remedy = "optional: a GPU with its driver, then pip install -e '.[gpu]'"
    if shutil.which("nvidia-smi") is None:
        return Check("GPU", False, False, "no NVIDIA driver (nvidia-smi)", remedy)
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Check("GPU", False, False, f"nvidia-smi fails ({type(error).__name__})", remedy)
    found = "; ".join(line.strip() for line in answer.stdout.splitlines() if line.strip())
    if importlib.util.find_spec("numba_cuda") is None:
        return Check("GPU", False, False, f"{found}, without numba-cuda", "pip install -e '.[gpu]'")
    from engines.kernels.gpu import why_not  # here, so that doctor starts where Numba does not

    if (reason := why_not()) is not None:
        return Check("GPU", False, False, f"{found}, but {reason}", remedy)
    return Check("GPU", bool(found), False, found or "none listed", remedy)


def _browser() -> Check:
    names = ("chromium", "chromium-browser", "google-chrome", "firefox")
    there = [name for name in names if shutil.which(name)]
    return Check(
        "browser",
        bool(there),
        False,
        ", ".join(there) or "none on the PATH",
        "optional: reports open in any browser, also one on another machine",
    )
