"""House rules that concern the repository as a whole: what lies where, and what may be committed.

Functions take what they judge as arguments, so that each can be shown something wrong; only
`files_of` and the readers beside it look at the disk.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePosixPath

from tests.tidy.rules import ROOMS, Python

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
ROOT_HOLDS = frozenset(
    {*ROOMS, "tests", "cluster.yaml", "pyproject.toml", "README.md", "Makefile"}
    | {"requirements.txt", "LICENSE"}
)
FILE_BYTES_MAX = 200_000
CSV_LINES_MAX = 200
LISTING_IGNORES = ("__pycache__", "*.egg-info", "build", "out", ".?*")

# Written so that these lines do not find themselves.
FORBIDDEN_TEXT = {
    "a machine's path": r"(?<![\w.:/-])/(?:home|root|Users|w[o]rk|f[a]rm)/|[A-Z]:\\[U]sers",
    "a package registry": r"py[p]i\.org|pythonh[o]sted\.org|registry\.npm[j]s",
    "a package index": r"--(?:extra-)?index-[u]rl[ =]|--find-[l]inks[ =]",
    "a download address": r"https?:/[/]\S+\.(?:whl|tar\.gz|tgz|zip|deb|exe)\b",
}


@cache
def files_of(root: Path) -> tuple[str, ...]:
    """Return the files a commit would hold, sorted: git's view, or the disk's where git is absent.

    New files count before they are added, so `make test` judges what is about to be committed.
    """
    if shutil.which("git") and (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
        paths = {path for path in listing.stdout.split("\0") if path}
    else:
        below_root = (path.relative_to(root) for path in root.rglob("*"))
        paths = {
            path.as_posix()
            for path in below_root
            if not any(fnmatch(part, ignore) for part in path.parts for ignore in LISTING_IGNORES)
        }
    return tuple(sorted(path for path in paths if (root / path).is_file()))


@cache
def python_files() -> tuple[Python, ...]:
    """Parse every Python file of the rooms and the tests, once a test process."""
    return tuple(
        Python.parse(path, (ROOT / path).read_text("utf-8"))
        for path in files_of(ROOT)
        if path.endswith(".py") and path.partition("/")[0] in {*ROOMS, "tests"}
    )


def strangers_in_root(paths: Iterable[str]) -> list[str]:
    """Find what the root holds beyond the rooms, the tests, a few files and dot-folders."""
    tops = {path.partition("/")[0] for path in paths}
    return sorted(top for top in tops - ROOT_HOLDS if not top.startswith("."))


def unlisted_packages(paths: Iterable[str], listed: Iterable[str]) -> list[str]:
    """Find folders with Python files that pyproject.toml does not list, and listed ones without."""
    ours = (path for path in paths if path.endswith(".py") and path.partition("/")[0] in ROOMS)
    found = {".".join(PurePosixPath(path).parent.parts) for path in ours}
    return sorted(found ^ set(listed))


def forbidden_text(path: str, text: str) -> Iterator[str]:
    """Find absolute machine paths, package registries and direct download addresses."""
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in FORBIDDEN_TEXT.items():
            if re.search(pattern, line):
                yield f"{path}:{number}: {what}: {line.strip()[:80]}"


def too_heavy(path: str, content: bytes) -> Iterator[str]:
    """Find files that belong beside the repository: large ones, and long tables outside golden."""
    if len(content) > FILE_BYTES_MAX:
        yield f"{path}: {len(content)} bytes, at most {FILE_BYTES_MAX}"
    lines = content.count(b"\n")
    if path.endswith(".csv") and lines > CSV_LINES_MAX and not path.startswith("tests/golden/"):
        yield f"{path}: {lines} lines of CSV, at most {CSV_LINES_MAX} outside tests/golden"


def copies_of(originals: Iterable[Path], contents: Mapping[str, bytes]) -> list[str]:
    """Find contents that equal one of the original files byte by byte."""
    sizes = {len(content) for content in contents.values() if content}
    known = {
        sha256(original.read_bytes()).digest()
        for original in originals
        if original.is_file() and original.stat().st_size in sizes
    }
    return sorted(path for path, content in contents.items() if sha256(content).digest() in known)


def loose_pins(requirements: str) -> list[str]:
    """Find lines that are not `name==version`, with an environment marker at most."""
    pin = re.compile(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,]+\])?==[\w.+!]+( ; [^#@]+)?")
    return [line for line in requirements.splitlines() if not pin.fullmatch(line)]
