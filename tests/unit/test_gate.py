"""Gates that share a budget's owner, under a clock that only waiting moves."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import ray

from actors.venue import gate as gate_module
from actors.venue.faults import AddressBanned, VenueUnreachable
from actors.venue.gate import BudgetOwner, Gate
from engines.live.rate_budget import Lease, RateBook, RateRule, Route
from tests.patience import PATIENCE_S
from tests.unit.test_rate_budget import most_in_a_window

BOOK = RateBook(
    rules={"address": RateRule(60, 5_000), "orders": RateRule(5, 1_000)},
    otherwise=Route(("address",)),
    routes={"POST /order": Route(("address", "orders"))},
    limit_header="X-Limit",
)
ROUTE = "GET /bars"


class StillClock:
    """Time that passes only while everybody sleeps."""

    def __init__(self) -> None:
        self.time_ms = 0

    def now_ms(self) -> int:
        """Return the time."""
        return self.time_ms

    async def sleep(self, wait_ms: float) -> None:
        """Wait, turn by turn, until the time has come."""
        until_ms = self.time_ms + wait_ms
        while self.time_ms < until_ms:
            await asyncio.sleep(0)
            self.time_ms += 1


class CountingOwner(BudgetOwner):
    """An owner that counts how often it is asked."""

    asked = 0

    async def lease(self, route: str, wanted: int, banned_ms: int = 0) -> Lease:
        """Lend, and count."""
        self.asked += 1
        return await super().lease(route, wanted, banned_ms)


def played(scene: Coroutine[Any, Any, None]) -> None:
    """Play a scene, which must end."""
    asyncio.run(asyncio.wait_for(scene, PATIENCE_S))


def test_gates_that_send_all_they_can_keep_every_window() -> None:
    async def scene() -> None:
        clock, sent = StillClock(), list[int]()
        owner = CountingOwner(BOOK, clock)

        async def send(gate: Gate, count: int) -> None:
            for _ in range(count):
                await gate.acquire(ROUTE)
                sent.append(clock.now_ms())

        gates = [Gate(owner, BOOK, clock) for _ in range(5)]
        await asyncio.gather(*(send(gate, 50) for gate in gates))
        assert len(sent) == 250
        assert most_in_a_window(sent, 5_000) <= 60
        assert owner.asked < len(sent), "a lease is several requests"

    played(scene())


def test_a_ban_at_one_gate_refuses_at_once_and_its_end_opens() -> None:
    async def scene() -> None:
        clock = StillClock()
        owner = BudgetOwner(BOOK, clock)
        one, other = (Gate(owner, BOOK, clock) for _ in range(2))
        await one.acquire(ROUTE)
        one.told(ROUTE, 403, {})
        with pytest.raises(AddressBanned, match=r"another 10\.0 minutes"):
            await one.acquire(ROUTE)
        await asyncio.sleep(0)
        with pytest.raises(AddressBanned):  # It learns of it from the owner.
            await other.acquire(ROUTE)
        assert clock.now_ms() == 0, "nobody waits for minutes"
        clock.time_ms = 600_001
        await one.acquire(ROUTE)
        await one.close()

    played(scene())


class RestartingOwner(BudgetOwner):
    """An owner that is an actor just starting again: the first questions are not answered."""

    silent = 3

    async def lease(self, route: str, wanted: int, banned_ms: int = 0) -> Lease:
        """Lend, once it has started."""
        self.silent -= 1
        if self.silent >= 0:
            raise ray.exceptions.ActorUnavailableError("it restarts", None)
        return await super().lease(route, wanted, banned_ms)


def test_an_owner_that_starts_again_is_waited_for() -> None:
    async def scene() -> None:
        clock = StillClock()
        await Gate(RestartingOwner(BOOK, clock), BOOK, clock).acquire(ROUTE)
        assert clock.now_ms() >= 3_000

    played(scene())


def test_an_owner_that_never_answers_is_a_fault_of_the_venue() -> None:
    async def scene() -> None:
        clock = StillClock()
        owner = RestartingOwner(BOOK, clock)
        owner.silent = 1_000
        with pytest.raises(VenueUnreachable, match="an answer of its owner, found none"):
            await Gate(owner, BOOK, clock).acquire(ROUTE)

    played(scene())


def test_the_question_for_a_ban_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "LISTEN_S", 0.01)

    async def scene() -> None:
        owner = BudgetOwner(BOOK, StillClock())
        assert await owner.next_ban(0) == (0, 0)
        await owner.ban(5_000)
        assert await owner.next_ban(0) == (1, 5_000)

    played(scene())


def test_a_refused_route_waits_and_another_goes_on() -> None:
    async def scene() -> None:
        clock = StillClock()
        gate = Gate(BudgetOwner(BOOK, clock), BOOK, clock)
        await gate.acquire("POST /order")
        gate.throttled("POST /order", 700)
        await asyncio.sleep(0)
        await gate.acquire(ROUTE)
        assert clock.now_ms() < 100
        await gate.acquire("POST /order")
        assert clock.now_ms() >= 700

    played(scene())


def test_a_limit_of_the_address_stops_what_was_lent_of_every_route() -> None:
    async def scene() -> None:
        clock = StillClock()
        gate = Gate(BudgetOwner(BOOK, clock), BOOK, clock)
        for route in (ROUTE, "POST /order", ROUTE, ROUTE):
            await gate.acquire(route)
        gate.throttled("POST /order", 3_600_000, is_address=True)
        await asyncio.sleep(0)
        await gate.acquire(ROUTE)
        assert clock.now_ms() >= 300_000, "closed, and not for a silent hour"

    played(scene())


@pytest.mark.parametrize(
    ("headers", "left_ms"),
    [({"retry-after": "120"}, 120_000), ({"Retry-After": "9" * 9}, 86_400_000), ({}, 600_000)],
)
def test_a_ban_lasts_as_long_as_its_reply_says_within_reason(
    headers: dict[str, str], left_ms: int
) -> None:
    async def scene() -> None:
        clock = StillClock()
        gate = Gate(BudgetOwner(BOOK, clock), BOOK, clock)
        gate.told(ROUTE, 403, headers)
        assert gate.banned_ms() == left_ms
        await gate.close()

    played(scene())


def test_an_accounts_own_limit_is_taken_from_the_replies() -> None:
    async def scene() -> None:
        clock = StillClock()
        owner = BudgetOwner(BOOK, clock)
        gate = Gate(owner, BOOK, clock)
        gate.told("POST /order", 200, {"x-limit": "3"})
        await gate.close()
        assert (await owner.lease("POST /order", 32)).requests == 3

    played(scene())
