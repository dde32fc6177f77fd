"""How a sweep shows where it is: a bar on a terminal, a line now and then anywhere else."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.study_manifest import Standing

LINE_EVERY_S = 10.0
MINUTE_S, HOUR_S = 60, 3600


@contextmanager
def sweep_progress() -> Iterator[Callable[["Standing"], None]]:
    """Yield what is to be called with each new standing of a sweep."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(standing: "Standing") -> None:
            total = standing.study.sets
            text = standing_text(standing)
            bar.update(task, completed=standing.counted, total=total, description=text)

        yield show


class _Lines:
    """One line each ten seconds: a log of a job is read, not watched."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def show(self, standing: "Standing") -> None:
        if time.monotonic() - self._said_at >= LINE_EVERY_S:
            self._said_at = time.monotonic()
            print(f"sweep: {standing_text(standing)}", file=sys.stderr, flush=True)


def standing_text(standing: "Standing") -> str:
    """Return how far a sweep is, how fast, how much longer it takes and the best so far."""
    rate, total = standing.sets_per_second, standing.study.sets
    parts = [f"{standing.counted:,} of {total:,} sets"]
    if rate > 0:
        parts += [f"{rate:,.0f} sets/s", f"{duration_text((total - standing.counted) / rate)} left"]
    best: Any = standing.best
    if best == best:
        parts.append(f"best {standing.top.objective.name} {best:.4g}")
    if failed := len(standing.failed_batches):
        parts.append(f"{failed} failed")
    return ", ".join(parts)


def duration_text(seconds: float) -> str:
    """Return a duration as people say it: 45 s, 12 min, 3.5 h."""
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:,.1f} h"
