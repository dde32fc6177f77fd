"""The lists of one call of trials: who fills them, who runs their parts, and who waits for whom.

Theory. A strategy is asked for its signals on the caller's thread alone: it is code from outside,
and what it calls may bear no second thread. Its wishes go to a list, and a full list is run part by
part: aside, if the caller has threads for that, which Python's lock does not hold up. As many parts
as there are threads wait or run aside; the caller runs the next one itself, so that neither side
waits for the other. At the end it takes back what nobody has begun.

Who runs a part hangs on timing; nothing that a caller sees may. So what parts have found is told in
their order, each when a fixed number of later ones has been handed over: the sets that chains leave
reach the machine, or a GPU, in the same calls each time.

Lists are short at the beginning and towards the end, so that neither the first nor the last ones
leave a thread idle for long, but fill the lanes three times: of as many sets as lanes the longest
would leave the others idle. Where a plan's levels end positions all strategies of a list share the
walks to them, so it is as long as it can be while there are parts for every thread; where
strategies give levels, known walks of several plans have to be forgotten part by part, so it is the
longer the more plans there are. Those of many groups fill at the same time: when they hold too much
together the longest one goes, and any whose plans nobody else comes for.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from engines.kernels import slots
from engines.kernels.chains.known_walks import KnownWalks
from engines.kernels.chains.opens import Opened
from engines.kernels.chains.runs import Found, Part, WishedRuns
from engines.kernels.chains.wished import Wished
from engines.kernels.groups import Group
from engines.kernels.passage.lanes import LANES
from engines.signals import Signals
from engines.types import I64_1D

SETS_MAX, SETS_MIN = 256, 32  # strategies of a list that shares walks
# Strategies of one that shares nothing: the first and the last keep a thread idle.
ALONE_MIN, ALONE_MAX = 48, 64
FILLING_BYTES = 200_000_000  # of lists that fill at the same time
SHARE = 4  # of the strategies to come that a list takes, the fourth
PARTS = 2  # a thread, that plans have to make where strategies share walks
LATER = 2  # parts a thread that come before one is settled: by then it has most likely run
Settle: TypeAlias = Callable[[Wished, Found], None]


class Waits(Protocol):
    """What somebody computes aside."""

    def result(self) -> Found:
        """Return it when it is there."""
        ...

    def done(self) -> bool:
        """Return whether it is there."""
        ...

    def cancel(self) -> bool:
        """Return whether nobody has begun it, and then nobody will."""
        ...


@dataclass(frozen=True, slots=True)
class Ran:
    """What the caller has computed itself."""

    found: Found

    def result(self) -> Found:
        """Return it."""
        return self.found

    def done(self) -> bool:
        """Return True."""
        return True

    def cancel(self) -> bool:
        """Return False: it has been begun."""
        return False


class Aside(Protocol):
    """Threads for what needs no Python; `concurrent.futures.ThreadPoolExecutor` is such a one."""

    def submit(self, run: Part, /) -> Waits:
        """Let one of them run it."""
        ...


class ChainRuns:
    """The lists that fill, and the parts of those that run or have run.

    `settle` is told what a part has found, on the caller's thread, which is one of `threads`.
    """

    def __init__(self, strategies: int, aside: Aside | None, threads: int, settle: Settle) -> None:
        self._aside, self._settle = aside, settle
        self._strategies, self._threads = strategies, threads
        self._filling: list[Wished] = []
        self._walks = KnownWalks(), KnownWalks()  # of lanes, and of stacks
        self._held = 0  # bytes, of all that fill
        self._taken = dict[tuple[int, bool, bool], int]()
        self._later = LATER * threads if aside is not None else 0
        self._running: deque[tuple[Wished, Part, Waits]] = deque()

    def add(
        self, row: int, signals: Signals, group: Group, items: I64_1D, opened: Opened,
        are_left: bool = False,
    ) -> bool:  # fmt: skip # who waits, then for what
        """Let a strategy wait for plans of a group that chains follow, or `are_left` by lanes.

        Returns: whether it does; levels of its own that only the reference can judge do not.
        """
        are_plain = signals.are_plain
        # A list keeps its group, so that no other has its id while it fills.
        key = id(group), are_plain, are_left
        taken = self._taken.get(key, 0)
        self._taken[key] = taken + 1
        for wished in self._filling:
            if (id(wished.group), wished.are_plain, wished.are_left) == key:
                break
        else:
            room = self._room(group, items, are_plain, taken)
            wished = Wished(group, are_plain, are_left, opened, room)
            self._filling.append(wished)
        self._held -= wished.held
        is_listed = wished.add(row, signals, items)
        self._held += wished.held
        if wished.is_full:
            self._hand_over(wished)
        while self._held > FILLING_BYTES:
            self._hand_over(max(self._filling, key=lambda filling: filling.held))
        return is_listed

    def _room(self, group: Group, items: I64_1D, are_plain: bool, taken: int) -> int:
        """Return how many strategies the next list takes, after so many for the same plans."""
        left = self._strategies - taken
        if (group.terms[items, slots.HAS_EXITS] != 0).any():
            parts = PARTS * self._threads
            return max(SETS_MIN, min(SETS_MAX, left // (parts if len(items) < parts else 1)))
        sets = ALONE_MIN if are_plain else max(ALONE_MIN, LANES * len(items))
        least = min(SETS_MAX, sets)
        return max(least, min(ALONE_MAX, left // SHARE, taken) // LANES * LANES)

    def close(self, groups: Sequence[Group]) -> None:
        """Run what waits for groups for whose plans nobody comes any more."""
        closed = set(map(id, groups))
        for wished in list(self._filling):
            if id(wished.group) in closed:
                self._hand_over(wished)
        self._taken = {key: taken for key, taken in self._taken.items() if key[0] not in closed}

    def finish(self) -> None:
        """Run what waits, and settle all."""
        self.close([wished.group for wished in self._filling])
        for place in reversed(range(len(self._running))):
            wished, part, waits = self._running[place]
            if waits.cancel():
                self._running[place] = wished, part, Ran(part())
        while self._running:
            self._settle_oldest()

    def cancel(self) -> None:
        """Let nobody begin what waits, so that the threads are free for the calls to come."""
        for _, _, waits in self._running:
            waits.cancel()

    def _hand_over(self, wished: Wished) -> None:
        self._filling.remove(wished)
        self._held -= wished.held
        if not wished.rows:  # whose only strategy was refused
            return
        for part in WishedRuns(wished, *self._walks).parts():
            busy = sum(not waits.done() for *_, waits in self._running)
            if self._aside is None or busy >= self._threads:
                waits: Waits = Ran(part())
            else:
                waits = self._aside.submit(part)
            self._running.append((wished, part, waits))
            while len(self._running) > self._later:
                self._settle_oldest()

    def _settle_oldest(self) -> None:
        wished, part, waits = self._running.popleft()
        self._settle(wished, part() if waits.cancel() else waits.result())
