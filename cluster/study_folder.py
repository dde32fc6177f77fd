"""The folder of one study: OUT/STUDY_ID, which survives whatever happens to those who write it.

    manifest.json     what the study is and how it stands (`Manifest`), replaced whole
    journal.jsonl     one line a finished batch, appended when its file is safe
    batches/*.parquet the rows (`study_table`), each file named by the SHA-256 of its contents
    failed/*.csv      the sets that could not be run, each with the reason, by number of the batch
    report.html       the study's report, written last

Theory. A batch is written under a scratch name, flushed to the disk and renamed to the hash of its
contents; then its line is appended to the journal and flushed too. So a line means a whole file,
which is read again before it counts (a disk may lose or alter it; its batch is then run again); a
file without a line is of a batch that will be run again and then is the same file. A line that was
cut short is the last one, and is cut off before the next is written. Whoever works on a study holds
a lock on the folder, which the system takes back when a program dies, however it dies.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cluster.study import StudyBusy, StudyFault
from cluster.tasks import BatchResult
from cluster.whole_files import clear_scratch, hold, write_whole

MANIFEST, JOURNAL, LOCK = "manifest.json", "journal.jsonl", ".lock"
BATCHES, FAILED = "batches", "failed"
MANIFEST_KEY, MANIFEST_VERSION = "phalanx_study", 1
FILE_DIGITS = 32


def _is_cut(batches: object) -> bool:
    """Return whether this is how a manifest says into which batches a study is cut."""
    return isinstance(batches, dict) and all(
        isinstance(batches.get(name), int) and batches[name] > 0
        for name in ("count", "sets_max", "plans_max")
    )


# What a study is taken up again by, and whether a value can be that.
FORM: Mapping[str, Callable[[object], bool]] = {
    "study_id": lambda value: isinstance(value, str),
    "batches": _is_cut,
    "flags": lambda value: value is None or isinstance(value, dict),
    "cwd": lambda value: value is None or isinstance(value, str),
}


@dataclass(frozen=True, slots=True)
class Finished:
    """One line of the journal: a batch, its market, its file ("" without rows), and the counts.

    `no_gpu` as in `BatchResult`.
    """

    number: int
    market: int
    file: str
    rows: int
    excluded: int
    failed: int
    faults: tuple[str, ...]
    engines: Mapping[str, int]
    sums: tuple[int, int]
    seconds: float
    no_gpu: str = ""


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """The files of a study; `path` is OUT/STUDY_ID."""

    path: Path

    @property
    def is_there(self) -> bool:
        """Return whether the study has been begun."""
        return (self.path / MANIFEST).is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one at work on the study.

        Raises: StudyFault if another one is, or the folder cannot be written to.
        """
        with self._writing():
            (self.path / BATCHES).mkdir(parents=True, exist_ok=True)
            subject = f"study {self.path.name}"
            lock = hold(self.path / LOCK, subject, "one run at a time", StudyBusy)
        with lock:
            with self._writing():
                for name in ("", BATCHES, FAILED):
                    clear_scratch(self.path / name)
            yield

    def read_manifest(self) -> dict[str, Any]:
        """Return the manifest.

        Raises: StudyFault if there is none, or one of another version or form.
        """
        path = self.path / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StudyFault(f"study {self.path.name}", f"a folder {self.path}", "none") from None
        except (OSError, ValueError) as error:
            raise StudyFault(str(path), "a study's manifest", f"{error}") from None
        found = manifest.get(MANIFEST_KEY) if isinstance(manifest, dict) else None
        if found != MANIFEST_VERSION:
            expected = f"a study's manifest of version {MANIFEST_VERSION}"
            raise StudyFault(str(path), expected, f"{found}")
        if wrong := [name for name, is_so in FORM.items() if not is_so(manifest.get(name))]:
            expected = "a study's manifest as phalanx writes it"
            raise StudyFault(str(path), expected, f"no {' and '.join(wrong)} of that form")
        return dict(manifest)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Put a manifest in the place of the one there is."""
        text = json.dumps({MANIFEST_KEY: MANIFEST_VERSION, **manifest}, indent=1, allow_nan=False)
        with self._writing():
            write_whole(self.path / MANIFEST, (text + "\n").encode())

    def finished(self) -> dict[int, Finished]:
        """Return the batches that are done, by number; not those whose file is gone or altered."""
        found: dict[int, Finished] = {}
        for line in self._lines():
            try:
                item = _finished(json.loads(line))
            except (ValueError, TypeError, KeyError):
                continue  # Cut short; its batch is run again.
            if not item.file or _is_what_it_was(self.file_of(item)):
                found[item.number] = item
        return found

    def keep(self, result: BatchResult) -> Finished:
        """Write a batch, then its line in the journal.

        Raises: StudyFault if the disk is full or refuses; what was kept before stays.
        """
        file = ""
        with self._writing():
            if result.rows:
                file = f"{_name_of(result.parquet)}.parquet"
                write_whole(self.path / BATCHES / file, result.parquet)
            self._list_failed(result)
            known = {
                item.name: getattr(result, item.name)
                for item in fields(Finished)
                if item.name != "file"
            }
            kept = Finished(file=file, **known)
            _append_line(self.path / JOURNAL, json.dumps(asdict(kept)))
        return kept

    def _list_failed(self, result: BatchResult) -> None:
        """Write the list of the sets of a batch that failed, in the place of one of before."""
        path = self.failed / f"{result.number:06}.csv"
        if not result.failed_csv:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(exist_ok=True)
        write_whole(path, result.failed_csv)

    def file_of(self, item: Finished) -> Path:
        """Return the file of a batch that has rows."""
        return self.path / BATCHES / item.file

    @property
    def failed(self) -> Path:
        """Return where the sets that could not be run are listed."""
        return self.path / FAILED

    def clear(self) -> None:
        """Take away everything that an earlier run has left."""
        with self._writing():
            for name in (MANIFEST, JOURNAL):
                (self.path / name).unlink(missing_ok=True)
            for name in (BATCHES, FAILED):
                shutil.rmtree(self.path / name, ignore_errors=True)
            (self.path / BATCHES).mkdir(parents=True, exist_ok=True)

    def _lines(self) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError), (self.path / JOURNAL).open() as file:
            yield from file

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what a disk refuses into one sentence."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            expected = "a disk with room that can be written to (what is there is kept)"
            raise StudyFault(f"folder {self.path}", expected, reason) from None


def _finished(line: dict[str, Any]) -> Finished:
    first, second = line["sums"]
    return Finished(**{**line, "sums": (first, second), "faults": tuple(line["faults"])})


def _is_what_it_was(path: Path) -> bool:
    """Return whether a file still has the contents that it is named by."""
    try:
        contents = path.read_bytes()
    except OSError:
        return False
    return path.stem == _name_of(contents)


def _name_of(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()[:FILE_DIGITS]


def _append_line(path: Path, line: str) -> None:
    """Append a whole line, after cutting off one that was not finished."""
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
