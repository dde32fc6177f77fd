"""Run many tasks on a cluster with a bounded number of them under way.

Theory. A lane is one kind of worker: how to submit an item, and how many may be under way now,
asked again and again because a cluster grows and shrinks. Items go to whichever lane has room, the
first lane first. A result is taken when Ray has it here, so nobody waits for a worker while another
one idles, and memory holds `width` results at most, whatever the number of items.

What goes wrong stays with its item: an exception of the task, a worker that died more often than
Ray was told to retry, a worker out of memory. It is handed over in the result's place and the rest
goes on; whoever walks the results decides. Leaving early takes back what is under way.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import (
    NodeDiedError,
    OutOfMemoryError,
    OwnerDiedError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from engines.errors import Fault

Item = TypeVar("Item")
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Lane(Generic[Item]):
    """One kind of worker: `submit` returns Ray's reference, `width` how many may be under way."""

    submit: Callable[[Item], Any]
    width: Callable[[], int]


def fan_out(items: Iterable[Item], lanes: Sequence[Lane[Item]]) -> Iterator[tuple[Item, Any]]:
    """Yield each item with its result, or with the RayError that it ended in, as they come."""
    waiting = iter(items)
    under_way: dict[Any, tuple[int, Item]] = {}
    try:
        while True:
            _fill(waiting, lanes, under_way)
            if not under_way:
                return
            ready, _ = ray.wait(list(under_way), num_returns=1, timeout=POLL_S)
            for reference in ready:
                _, item = under_way.pop(reference)
                yield item, _outcome(reference)
    finally:
        for reference in under_way:
            with contextlib.suppress(RayError):
                ray.cancel(reference, recursive=False)


def _fill(
    waiting: Iterator[Item], lanes: Sequence[Lane[Item]], under_way: dict[Any, tuple[int, Item]]
) -> None:
    for number, lane in enumerate(lanes):
        room = lane.width() - sum(of == number for of, _ in under_way.values())
        for _ in range(room):
            try:
                item = next(waiting)
            except StopIteration:
                return
            under_way[lane.submit(item)] = number, item


def _outcome(reference: Any) -> Any:
    """Return a result that is here already, or the error in its place."""
    try:
        return ray.get(reference)
    except RayError as error:
        return error


def sentence_of(error: RayError) -> str:
    """Return in one sentence what became of a task."""
    if isinstance(error, OutOfMemoryError):
        return "its worker ran out of memory (give tasks less work: PHALANX_TASK_SECONDS)"
    cause = (isinstance(error, RayTaskError) and getattr(error, "cause", None)) or error
    if isinstance(cause, OwnerDiedError):
        # Ray lets a process with a token into a cluster without, whose nodes then may not ask it.
        ours = os.environ.get("RAY_AUTH_MODE", "unset")
        return f"its node cannot reach us (was the cluster started with our RAY_AUTH_MODE, {ours}?)"
    if isinstance(error, RayTaskError):
        if isinstance(cause, Fault):
            return str(cause)
        said = str(cause).strip().splitlines()
        return f"{type(cause).__name__}: {said[-1] if said else 'no reason given'}"
    if isinstance(error, WorkerCrashedError | NodeDiedError):
        return "its worker died, each time that it was tried"
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0] if said else 'no reason given'}"
