"""Write a command's results into a folder: all of them or none.

Everything is written into a new folder beside the wanted one and renamed at the end, so a reader
never sees half a result and a failure leaves nothing. A folder that holds an earlier result, and
nothing else, is replaced; any other one that is not empty is left alone unless forced, and then
only the result's own files are replaced in it.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from engines.errors import Fault

MARKER_FILE = "result.json"
MARKER_KEY = "phalanx_result"


class OutputFault(Fault):
    """A folder that results cannot be written into."""


def require_writable(out: Path, names: frozenset[str], *, force: bool = False) -> None:
    """Raise OutputFault if results named `names` may not be written into `out`."""
    subject = f"output folder {out}"
    if out.exists() and not out.is_dir():
        raise OutputFault(subject, "a folder", "a file")
    if not force and out.is_dir() and not _is_replaceable(out, names):
        raise OutputFault(
            subject, "a new one, an empty one or an earlier result (or --force)", "other files"
        )
    parent = _existing_parent(out)
    if not os.access(parent, os.W_OK | os.X_OK) or not parent.is_dir():
        raise OutputFault(subject, "a place that can be written to", f"none below {parent}")


def write_results(out: Path, files: Mapping[str, str], *, force: bool = False) -> None:
    """Write `files` (text by name) into the folder `out`, whole or not at all.

    Raises: OutputFault if `out` holds something else or the disk refuses.
    """
    out = Path(out).absolute()
    require_writable(out, frozenset(files), force=force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            fresh = Path(scratch) / "fresh"
            fresh.mkdir()
            for name, text in files.items():
                (fresh / name).write_text(text, encoding="utf-8", newline="")
            if out.is_dir() and not _is_replaceable(out, frozenset(files)):
                for name in files:
                    (fresh / name).replace(out / name)
            else:
                _swap(fresh, out, Path(scratch) / "old")
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputFault(
            f"output folder {out}", "a place that can be written to", reason
        ) from None


def _swap(fresh: Path, out: Path, old: Path) -> None:
    """Put `fresh` in the place of `out`; what was there comes back if that fails."""
    if out.exists():
        out.rename(old)
    try:
        fresh.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_replaceable(out: Path, names: frozenset[str]) -> bool:
    """Return whether `out` is empty or holds an earlier result and nothing else."""
    present = {item.name for item in out.iterdir()}
    if not present:
        return True
    if MARKER_FILE not in present or not present <= names:
        return False
    try:
        content = json.loads((out / MARKER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and MARKER_KEY in content


def _existing_parent(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
