"""What goes wrong on purpose: drawn from a seed, or set for the next requests and messages.

A fault belongs to replies or to a stream. `at_random` gives each reply (or message) one of several
kinds with a probability; `next` arms one kind for the next ones that match. Armed faults come
first. `counts` says how often each kind happened, so that a test knows that it tested something.
The requests that fetch the clock and the instruments can be spared by a path.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class FaultKind(StrEnum):
    """One way to fail."""

    DELAY = "delay"  # the reply comes late
    DROP_REPLY = "drop-reply"  # the request is carried out, the connection cut
    SERVER_ERROR = "server-error"  # HTTP 503
    BUSY = "busy"  # HTTP 429
    TOO_MANY_VISITS = "too-many-visits"  # retCode 10006
    OUTSIDE_WINDOW = "outside-window"  # retCode 10002
    TRUNCATED_PAGE = "truncated-page"  # rows are missing at the page's older end
    OVERLAPPING_PAGE = "overlapping-page"  # rows come twice, or lie outside the asked range
    SHUFFLED_PAGE = "shuffled-page"  # rows are out of order
    SOCKET_CUT = "socket-cut"
    SOCKET_SILENT = "socket-silent"  # nothing more is sent, pings included
    MESSAGE_TWICE = "message-twice"
    MESSAGE_LATE = "message-late"  # sent after the one behind it
    CONFIRM_MISSING = "confirm-missing"  # the message that closes a bar is never sent
    LATE_CORRECTION = "late-correction"  # a bar closes with wrong values, put right one bar later


REPLY_KINDS = frozenset(list(FaultKind)[:9])
PAGE_KINDS = (FaultKind.TRUNCATED_PAGE, FaultKind.OVERLAPPING_PAGE, FaultKind.SHUFFLED_PAGE)
STREAM_KINDS = frozenset(FaultKind) - REPLY_KINDS


@dataclass(slots=True)
class _Armed:
    kind: FaultKind
    where: str
    times: int


class Faults:
    """A seeded source of faults, off until something is asked for."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._armed: list[_Armed] = []
        self._rules: list[tuple[float, tuple[FaultKind, ...], str]] = []
        self.delay_ms = 50
        self.counts: Counter[FaultKind] = Counter()

    def next(self, kind: FaultKind, times: int = 1, where: str = "") -> None:
        """Let the next `times` replies (or messages) whose path (or topic) holds `where` fail."""
        self._armed.append(_Armed(kind, where, times))

    def at_random(self, probability: float, kinds: Iterable[FaultKind], where: str = "") -> None:
        """Let a share of the replies (or messages) fail, each kind as often as the others."""
        assert 0 <= probability <= 1, "a probability"
        self._rules.append((probability, tuple(kinds), where))

    def clear(self) -> None:
        """Let nothing fail any more; counts stay."""
        self._armed.clear()
        self._rules.clear()

    def draw(self, where: str, possible: frozenset[FaultKind]) -> FaultKind | None:
        """Return how this reply or message fails, None if it does not."""
        for armed in self._armed:
            if armed.where in where and armed.kind in possible:
                armed.times -= 1
                if armed.times == 0:
                    self._armed.remove(armed)
                return self._counted(armed.kind)
        for probability, kinds, part in self._rules:
            fitting = [kind for kind in kinds if kind in possible]
            if part in where and fitting and self._random.random() < probability:
                return self._counted(fitting[int(self._random.integers(len(fitting)))])
        return None

    def spoil(self, kind: FaultKind, rows: list[list[str]]) -> list[list[str]]:
        """Return a page's rows as a faulty venue would send them."""
        if len(rows) < 2:
            return rows
        cut = int(self._random.integers(1, len(rows)))
        if kind is FaultKind.TRUNCATED_PAGE:
            return rows[:cut]
        if kind is FaultKind.OVERLAPPING_PAGE:
            return rows[:cut] + rows[max(0, cut - 5) :]
        order = self._random.permutation(len(rows)).tolist()
        return [rows[place] for place in order]

    def _counted(self, kind: FaultKind) -> FaultKind:
        self.counts[kind] += 1
        return kind
