"""Files that are there whole or not at all, and locks that the system takes back.

Theory. A file is written beside its place, flushed to the disk and renamed into it; then the folder
is flushed, so that the rename too outlives a power cut. A reader sees the file of before or the one
of after. A lock is a file on which a program holds a lock of the system: it ends with the program,
however that dies, so there is never one to take away by hand. The file says who holds it.
"""

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import IO

from engines.errors import Fault

SCRATCH = ".{}.part"
LOOK_AGAIN_S = 0.01


def write_whole(path: Path, contents: bytes) -> None:
    """Put a file in its place, whole.

    Raises: OSError if the disk is full or refuses; then one of the two is there, whole.
    """
    scratch = path.with_name(SCRATCH.format(path.name))
    try:
        with scratch.open("wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
    _keep_names(path.parent)


def clear_scratch(folder: Path) -> None:
    """Take away what a program that was killed has left of files; no other may be writing here."""
    for left in folder.glob(SCRATCH.format("*")):
        left.unlink(missing_ok=True)


def _keep_names(folder: Path) -> None:
    """Flush what a folder calls its files."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hold(
    lock: Path, subject: str, expected: str, fault: type[Fault], wait_s: float = 0.0
) -> IO[str]:
    """Take a lock that ends when what is returned is closed; `expected` says how many may hold it.

    Raises: `fault`, which names who still holds it after `wait_s`. OSError if the file cannot be
    written.
    """
    file, until_s = lock.open("a+"), time.monotonic() + wait_s
    try:
        while not _is_taken(file):
            if time.monotonic() < until_s:
                time.sleep(LOOK_AGAIN_S)
                continue
            file.seek(0)
            by = file.read().strip() or "another program"
            raise fault(subject, expected, f"{by} at work on it")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
    except BaseException:
        file.close()
        raise
    return file


def _is_taken(file: IO[str]) -> bool:
    """Take the lock of a file if nobody has it, and return whether it is ours."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
