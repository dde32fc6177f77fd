"""Ten actors on two nodes send through one budget: the venue never sees a request too many."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import ray

from actors.venue.bybit_rules import BOOK
from actors.venue.faults import AddressBanned
from actors.venue.gate import BudgetActor, Gate
from actors.venue_sim.clock import VenueClock
from actors.venue_sim.server import VenueServer
from engines.live.rate_budget import Lease
from tests.cluster.nodes import Nodes
from tests.cluster.senders import ROUTE, SENDERS, FastClock, SenderActor
from tests.contract.serving import serving
from tests.contract.venue_bench import listings

PATIENCE_S = 120


@pytest.fixture(scope="module")
def senders(nodes: Nodes) -> Iterator[list[Any]]:
    """Have ten actors that live."""
    made = [SenderActor.remote() for _ in range(SENDERS)]
    ray.get([each.stop.remote() for each in made])
    yield made
    for actor in made:
        ray.kill(actor)


@contextmanager
def owner(speed: float = 1.0) -> Iterator[Any]:
    """Have a budget's owner that lives."""
    budget: Any = BudgetActor
    made = budget.remote(BOOK, FastClock(speed))
    ray.get(made.lent.remote())
    yield made
    ray.kill(made)


@contextmanager
def sending(
    senders: list[Any], server: VenueServer, budget: Any, speed: float = 1.0
) -> Iterator[list[Any]]:
    """Let all send for as long as the block lasts; yield the counts of good answers to come."""
    counts = [each.send.remote(server.url, budget, speed) for each in senders]
    yield counts
    ray.get([each.stop.remote() for each in senders])


def wait_for(holds: Callable[[], bool]) -> None:
    """Return once something holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.02)


def test_ten_actors_share_one_budget_and_none_is_left_out(senders: list[Any]) -> None:
    with serving(listings(100)) as server, owner() as budget:
        seen = server.core.seen
        with sending(senders, server, budget) as counts:
            # More than one window's worth, so that tokens have come back.
            wait_for(lambda: len(seen) > 600)
        answered = ray.get(counts)
        limits = server.core.limits
        assert limits.bans == 0
        assert limits.in_window_max <= 600
        assert limits.in_window_max > 300, "the budget is used, not idled away"
        assert min(answered) > 0


def test_after_a_ban_all_actors_are_silent_for_ten_minutes_and_then_go_on(
    senders: list[Any],
) -> None:
    speed = 200.0  # ten minutes in three seconds
    with serving(listings(100), VenueClock(speed=speed)) as server, owner(speed) as budget:
        seen, banned = server.core.seen, server.core.limits.banned_until_ms
        with sending(senders, server, budget, speed) as counts:
            wait_for(lambda: len(seen) > 50)
            banned["127.0.0.1"] = server.clock.now_ms() + 600_000
            wait_for(lambda: seen[-1].status == 200 and seen[-1].time_ms > banned["127.0.0.1"])
        ray.get(counts)
        requests = list(seen)
        statuses = [each.status for each in requests]
        first = statuses.index(403)
        assert statuses.count(403) <= SENDERS, "at most what was under way at each"
        since_ms = [each.time_ms - requests[first].time_ms for each in requests[first:]]
        # Pushed to all long before; who forgot the ban too early would be seen here.
        assert [at for at in since_ms if 300_000 < at < 599_000] == []


def test_a_killed_owner_comes_back_and_lends_nothing_too_early(nodes: Nodes) -> None:
    with owner() as budget:
        assert ray.get(budget.lease.remote(ROUTE, 480)).requests == 480
        ray.kill(budget, no_restart=False)
        lease = Lease(480)
        while lease.requests:
            try:
                lease = ray.get(budget.lease.remote(ROUTE, 480))
            except ray.exceptions.RayActorError:
                time.sleep(0.1)
        assert 0 < lease.wait_ms <= 6_500


def test_a_gate_that_is_banned_tells_an_owner_that_was_killed(nodes: Nodes) -> None:
    async def scene(budget: Any) -> None:
        banned = Gate(budget, BOOK)
        await banned.acquire(ROUTE)
        banned.told(ROUTE, 403, {})
        await asyncio.to_thread(lambda: wait_for(lambda: is_banned(budget)))
        ray.kill(budget, no_restart=False)
        await asyncio.to_thread(lambda: wait_for(lambda: is_banned(budget)))
        with pytest.raises(AddressBanned):
            await Gate(budget, BOOK).acquire(ROUTE)
        await banned.close()

    with owner() as budget:
        asyncio.run(scene(budget))


def is_banned(budget: Any) -> bool:
    """Return whether the owner knows of a ban; one that starts does not answer."""
    try:
        return bool(ray.get(budget.lease.remote(ROUTE, 1)).is_banned)
    except ray.exceptions.RayError:
        return False


def test_a_new_owner_learns_of_a_ban_from_whoever_knows_of_it(nodes: Nodes) -> None:
    with owner() as budget:
        assert ray.get(budget.lease.remote(ROUTE, 1, 300_000)).requests == 0
        assert 299_000 <= ray.get(budget.lease.remote(ROUTE, 1)).wait_ms <= 300_000
