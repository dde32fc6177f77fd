"""Write a command's results into a folder, the marker last.

A new folder is written beside its place and renamed into it: it appears whole or not at all. In a
folder that exists, a link to one included, every file is written in full into a scratch folder
inside it before anything is touched; then the earlier marker goes, each file is moved over its
namesake, and the new marker comes last. So the folder itself stays (somebody may stand in it, a
volume may be mounted there), a failure while writing changes nothing, and a folder that was cut
short between two moves bears no marker. A folder that holds an earlier result, and nothing else,
is replaced; any other one that is not empty is left alone unless forced, and then only the result's
own files are replaced in it.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
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
    for name in names:
        if (out / name).is_dir():
            raise OutputFault(f"{name} in {out}", "a file or none", "a folder")
    parent = _existing_parent(out)
    if not os.access(parent, os.W_OK | os.X_OK) or not parent.is_dir():
        raise OutputFault(subject, "a place that can be written to", f"none below {parent}")


def write_results(out: Path, files: Mapping[str, str], *, force: bool = False) -> None:
    """Write `files` (text by name) into the folder `out`.

    Raises: OutputFault if `out` holds something else or the disk refuses.
    """
    out = Path(out).resolve()
    require_writable(out, frozenset(files), force=force)
    try:
        place = out if out.exists() else out.parent
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=place) as scratch:
            fresh = Path(scratch) / "fresh"
            fresh.mkdir()
            for name, text in files.items():
                (fresh / name).write_text(text, encoding="utf-8", newline="")
            if place is out:
                _move_into(fresh, out, files)
            else:
                fresh.rename(out)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputFault(
            f"output folder {out}", "a place that can be written to", reason
        ) from None


def _move_into(fresh: Path, out: Path, names: Iterable[str]) -> None:
    """Move the files into a folder that exists; while it is mixed it bears no marker."""
    (out / MARKER_FILE).unlink(missing_ok=True)
    for name in sorted(names, key=lambda name: name == MARKER_FILE):
        (fresh / name).replace(out / name)


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
    path = path.resolve()
    while not path.exists():
        path = path.parent
    return path
