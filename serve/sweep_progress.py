"""How a sweep shows where it is: a bar on a terminal, a line now and then anywhere else.

Three waits would be silent: for Ray, for the first batch, before which kernels are perhaps
compiled, once a machine, and for the winners, which are run again when the last batch is. Each is
said in words.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.study_manifest import Standing

LINE_EVERY_S = 10.0
PATIENCE_S = 10.0  # without a first standing, Ray's start included
COMPILING = (
    "no result yet: the first sweep on a machine compiles its kernels once, "
    "which takes a minute or two"
)
MINUTE_S, HOUR_S = 60, 3600


@contextmanager
def sweep_progress(
    begin: str, patience_s: float = PATIENCE_S
) -> Iterator[Callable[["Standing"], None]]:
    """Say how a sweep begins; yield what is to be called with each new standing of it."""
    if not sys.stderr.isatty():
        lines = _Lines()
        lines.say(begin)
        with _saying_why_it_waits(lines.say, patience_s) as stop:
            yield _until_first(stop, lines.show)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(begin, total=None)

        def say(text: str) -> None:
            bar.update(task, description=text)

        def show(standing: "Standing") -> None:
            bar.update(task, completed=standing.counted, total=standing.study.sets)
            say(verifying_text(standing) or standing_text(standing))

        with _saying_why_it_waits(say, patience_s) as stop:
            yield _until_first(stop, show)


@contextmanager
def _saying_why_it_waits(
    say: Callable[[str], None], patience_s: float
) -> Iterator[Callable[[], None]]:
    """Say that kernels may be compiled unless what is yielded is called within the time."""
    timer = threading.Timer(patience_s, say, (COMPILING,))
    timer.daemon = True
    timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()


def _until_first(
    stop: Callable[[], None], show: Callable[["Standing"], None]
) -> Callable[["Standing"], None]:
    def watch(standing: "Standing") -> None:
        stop()
        show(standing)

    return watch


class _Lines:
    """One line each ten seconds: a log of a job is read, not watched."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"sweep: {text}", file=sys.stderr, flush=True)

    def show(self, standing: "Standing") -> None:
        """Print how a sweep stands, unless that has just been said."""
        if verifying := verifying_text(standing):
            self.say(verifying)
        elif time.monotonic() - self._said_at >= LINE_EVERY_S:
            self._said_at = time.monotonic()
            self.say(standing_text(standing))


def verifying_text(standing: "Standing") -> str:
    """Return that the winners are run again, "" before that begins."""
    if not standing.verifying:
        return ""
    winners = "1 winner" if standing.verifying == 1 else f"{standing.verifying:,} winners"
    return f"verifying {winners} on the reference"


def standing_text(standing: "Standing") -> str:
    """Return how far a sweep is, how fast, how much longer it takes and the best so far."""
    rate, total = standing.sets_per_second, standing.study.sets
    parts = [f"{standing.counted:,} of {total:,} sets"]
    if rate > 0:
        parts += [
            f"{rate_text(rate)} sets/s",
            f"{duration_text((total - standing.counted) / rate)} left",
        ]
    best: Any = standing.best
    if best == best:
        parts.append(f"best {standing.top.objective.name} {best:.4g}")
    if failed := len(standing.failed_batches):
        parts.append(f"{failed} batches not run")
    return ", ".join(parts)


def rate_text(rate: float) -> str:
    """Return a rate without digits that say nothing: 0.25, 4.7, 12,345."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def duration_text(seconds: float) -> str:
    """Return a duration as people say it: 45 s, 12 min, 3.5 h."""
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:,.1f} h"
