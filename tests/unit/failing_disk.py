"""A disk that refuses, or a program that dies, at any step of writing files."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest


class Killed(BaseException):
    """The program was killed here: nothing that follows in it runs, but what the system does."""


class Step:
    """Counts the steps of writing, and fails at one of them."""

    def __init__(self, failing: int | None, error: BaseException) -> None:
        self.failing, self.error = failing, error
        self.taken = list[str]()

    def take(self, name: str) -> None:
        """Count a step, or fail instead of it."""
        self.taken.append(name)
        if self.failing == len(self.taken) - 1:
            raise self.error


def full() -> OSError:
    """Return what a full disk raises."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _File:
    """A file whose writing is cut in the middle where the step fails."""

    def __init__(self, file: IO[bytes], step: Step) -> None:
        self._file, self._step = file, step

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, contents: bytes) -> None:
        self._file.write(contents[: len(contents) // 2])
        self._step.take("write")
        self._file.write(contents[len(contents) // 2 :])

    def flush(self) -> None:
        self._step.take("flush")
        self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()


@contextmanager
def failing_at(failing: int | None, error: BaseException) -> Iterator[Step]:
    """Fail at a step of writing files within the block (None: at none, only count them)."""
    step = Step(failing, error)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((Path, "replace"), (Path, "mkdir"), (os, "fsync"), (Path, "unlink")):
            patch.setattr(owner, name, _counted(name, getattr(owner, name), step))
        plain = Path.open

        def opened(path: Path, mode: str = "r", *given: Any, **named: Any) -> Any:
            if mode != "wb":
                return plain(path, mode, *given, **named)
            step.take("open")
            return _File(plain(path, mode, *given, **named), step)

        patch.setattr(Path, "open", opened)
        yield step


def _counted(name: str, plain: Callable[..., Any], step: Step) -> Callable[..., Any]:
    def counted(*given: Any, **named: Any) -> Any:
        step.take(name)
        return plain(*given, **named)

    return counted
