"""A rate budget that the programs of one machine share: its state in a file, under a lock.

Theory. Each operation takes the file's lock, reads the state, changes it and writes it back, so
however many programs ask a venue from this machine they are one holder of its limits, and one that
starts during a ban knows of it. Times are the machine's steady clock, which all its programs share
and which begins anew when it is started: the file says of which start it is, and another start's
is nobody's. A file that is broken off (a program was killed while it wrote) is one that was
forgotten: everything counts as lent out, as where an owner started again. A lock is held for a
millisecond, and the system lets go of it when its holder ends.
"""

import fcntl
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.venue.gate import BudgetOwner, GateClock
from engines.live.rate_budget import Lease, RateBook, RateBudget

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class FiledOwner(BudgetOwner):
    """A `BudgetOwner` whose state is in a file that other programs use too."""

    def __init__(
        self, book: RateBook, folder: Path, name: str, clock: GateClock | None = None
    ) -> None:
        """Take where the files of all budgets are, and this one's name."""
        super().__init__(book, clock)
        self._is_held = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / (re.sub(r"[^\w.-]", "_", name) + ".json")

    async def lease(self, route: str, wanted: int, banned_ms: int = 0) -> Lease:
        """Lend what no program of this machine was lent."""
        with self._held():
            return await super().lease(route, wanted, banned_ms)

    async def ban(self, left_ms: int) -> None:
        """Stop every program."""
        with self._held():
            await super().ban(left_ms)

    async def throttled(self, route: str, wait_ms: int, is_address: bool = False) -> None:
        """Close a route for every program."""
        with self._held():
            await super().throttled(route, wait_ms, is_address)

    async def told_limit(self, route: str, tokens: int) -> None:
        """Take over a lower limit for every program."""
        with self._held():
            await super().told_limit(route, tokens)

    async def lent(self) -> Mapping[str, int]:
        """Return what is lent to all programs."""
        with self._held():
            return await super().lent()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the file: its state is ours within. No `super` above waits for anything."""
        if self._is_held:
            yield
            return
        with self._path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            self._budget = self._restored(file.read())
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False
                file.seek(0)
                file.truncate()
                json.dump({"boot": _boot(), "state": self._budget.state()}, file)

    def _restored(self, text: str) -> RateBudget:
        budget = RateBudget(self._budget.book, now_ms := self._clock.now_ms())
        if not text:
            return budget
        try:
            filed: Any = json.loads(text)
            if filed["boot"] == _boot():
                budget.restore(filed["state"])
        except (ValueError, KeyError, TypeError):
            return RateBudget(self._budget.book, now_ms, is_forgetful=True)
        return budget


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
