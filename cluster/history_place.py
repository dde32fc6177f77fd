"""Where a history lies: a filesystem that pyarrow can open by URL, and a folder in it.

A path without a scheme is of this machine. Whatever the filesystem refuses is said in one sentence
that never shows the credentials an object store's URL may hold.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from platformdirs import user_data_path
from pyarrow import fs

from cluster.whole_files import write_whole
from engines.errors import Fault

HISTORY_URL = "PHALANX_HISTORY_URL"
FOLDER = "history"
# An object appears when its last byte has arrived, and there is no renaming.
OBJECT_STORES = frozenset({"s3", "gcs", "abfs"})


class HistoryFault(Fault):
    """A stored series that is not there, cannot be read, or may not be written as asked."""


class HistoryBusy(HistoryFault):
    """A stored series that another program is writing to."""


class HistoryBroken(HistoryFault):
    """A file of a stored series that is damaged; `phalanx data repair` fetches it anew."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of some filesystem; `shown` is how people call it."""

    filesystem: fs.FileSystem
    root: str
    shown: str

    @property
    def is_local(self) -> bool:
        """Return whether it lies on a disk of this machine."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def path(self, *parts: str) -> str:
        """Return the path of something below."""
        return "/".join([self.root.rstrip("/"), *parts])

    def names(self, folder: str) -> list[str]:
        """Return what a folder holds, sorted; nothing if there is none."""
        return sorted(item.base_name for item in self._listed(folder))

    def size_bytes(self, folder: str) -> int:
        """Return how many bytes the files in a folder have."""
        return sum(item.size or 0 for item in self._listed(folder))

    def _listed(self, folder: str) -> list[fs.FileInfo]:
        selector = fs.FileSelector(self.path(folder), allow_not_found=True)
        with self.asked("one whose folders can be listed"):
            found: list[fs.FileInfo] = self.filesystem.get_file_info(selector)
        return found

    def read(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises: FileNotFoundError if there is none, HistoryFault if it is refused.
        """
        with self.asked("one that can be read"):
            with self.filesystem.open_input_file(self.path(path)) as file:
                contents: bytes = file.read()
            return contents

    def write(self, path: str, contents: bytes) -> None:
        """Put a file in its place, whole: written beside it and renamed, or put as an object."""
        target = self.path(path)
        folder, _, name = target.rpartition("/")
        with self.asked("one with room that can be written to (what is there is kept)"):
            if self.is_local:
                Path(folder).mkdir(parents=True, exist_ok=True)
                write_whole(Path(target), contents)
                return
            if self.filesystem.type_name in OBJECT_STORES:
                self._put(target, contents)
                return
            self.filesystem.create_dir(folder, recursive=True)
            scratch = f"{folder}/.{name}.part"
            self._put(scratch, contents)
            self.filesystem.move(scratch, target)

    def _put(self, target: str, contents: bytes) -> None:
        with self.filesystem.open_output_stream(target) as stream:
            stream.write(contents)

    def remove(self, path: str) -> None:
        """Take a file away."""
        with self.asked("one that can be written to"):
            self.filesystem.delete_file(self.path(path))

    @contextmanager
    def asked(self, expected: str) -> Iterator[None]:
        """Turn what the filesystem refuses into one sentence; that a file is gone passes."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, pa.ArrowException) as error:
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise HistoryFault(f"history {self.shown}", expected, _quiet(reason)) from None


def place_of(url: str | None) -> Place:
    """Return the place of a history: at a URL or path, else in the user's folder.

    Raises: HistoryFault for a URL that pyarrow cannot open.
    """
    if not url:
        folder = user_data_path("phalanx", appauthor=False) / FOLDER
        return Place(fs.LocalFileSystem(), str(folder), str(folder))
    if "://" not in url:
        path = Path(url).expanduser().absolute()
        return Place(fs.LocalFileSystem(), str(path), str(path))
    try:
        filesystem, root = fs.FileSystem.from_uri(url)
    except (pa.ArrowException, OSError, ValueError) as error:
        expected = "a folder, or a URL that pyarrow opens such as s3://bucket/history"
        reason = str(error).splitlines()[0].replace(url, _quiet(url))
        raise HistoryFault(HISTORY_URL, expected, _quiet(reason)) from None
    return Place(filesystem, root, _quiet(url))


def _quiet(text: str) -> str:
    """Return a text without what a URL in it may hold of credentials.

    A secret may hold any sign, "/" too, so all up to the last "@" goes.
    """
    return re.sub(r"(?<=://)\S*@", "", re.sub(r"\?\S*", "", text))
