"""Ten actors on two nodes send through one budget: the venue never sees a request too many."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import ray

from actors.venue.bybit_rules import BOOK
from actors.venue.faults import AddressBanned
from actors.venue.gate import BudgetActor, Gate, GateClock, SteadyClock
from actors.venue_sim.server import VenueServer
from engines.live.rate_budget import RateBook
from engines.types import I64_1D
from tests.cluster.nodes import Nodes
from tests.cluster.senders import ROUTE, SENDERS, SenderActor
from tests.contract.serving import serving
from tests.contract.venue_bench import listings
from tests.patience import PATIENCE_S

BAN_MS = 2_000  # in place of the venue's ten minutes


class SlowClock(SteadyClock):
    """Time of which a second takes a quarter of an hour."""

    def now_ms(self) -> int:
        """Return the time."""
        return super().now_ms() // 1000


@pytest.fixture(scope="module")
def senders(nodes: Nodes) -> Iterator[list[Any]]:
    """Have ten actors that live."""
    made = [SenderActor.remote() for _ in range(SENDERS)]
    ray.get([each.stop.remote() for each in made])
    yield made
    for actor in made:
        ray.kill(actor)


@contextmanager
def owner(clock: GateClock | None = None, book: RateBook = BOOK) -> Iterator[Any]:
    """Have a budget's owner that lives."""
    budget: Any = BudgetActor
    made = budget.remote(book, clock)
    ray.get(made.lent.remote())
    yield made
    ray.kill(made)


@contextmanager
def sending(
    senders: list[Any], server: VenueServer, budget: Any, book: RateBook = BOOK
) -> Iterator[None]:
    """Let all send for as long as the block lasts."""
    sent = [each.send.remote(server.url, budget, book) for each in senders]
    yield
    ray.get([each.stop.remote() for each in senders])
    ray.get(sent)


def answered(senders: list[Any]) -> I64_1D:
    """Return how many requests of each were answered well."""
    told = ray.get([each.told.remote() for each in senders])
    return np.array([count for count, _ in told])


def reopened_ms(senders: list[Any]) -> list[int]:
    """Return when those who were refused by a ban were let send again, one after the other."""
    told = ray.get([each.told.remote() for each in senders])
    return [at_ms for _, all_ms in told for at_ms in all_ms]


def pid_of(budget: Any) -> int | None:
    """Return the process of an owner; one that starts does not answer."""
    try:
        found: int = ray.get(budget.__ray_call__.remote(lambda actor: os.getpid()))
    except ray.exceptions.RayError:
        return None
    return found


def wait_for(holds: Callable[[], bool]) -> None:
    """Return once something holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.02)


def restart(budget: Any) -> None:
    """Kill an owner, and return once another process has its place."""
    before = pid_of(budget)
    ray.kill(budget, no_restart=False)
    wait_for(lambda: pid_of(budget) not in (None, before))


def test_ten_actors_share_one_budget_and_none_is_left_out(senders: list[Any]) -> None:
    with serving(listings(100)) as server, owner() as budget:
        seen, limits = server.core.seen, server.core.limits
        with sending(senders, server, budget):
            # More than one window's worth, so that tokens have come back.
            wait_for(lambda: len(seen) > 600)
            wait_for(lambda: limits.in_window_max > 300)  # used, not idled away
            wait_for(lambda: bool((answered(senders) > 0).all()))
        assert limits.bans == 0
        assert limits.in_window_max <= 600


def test_after_a_ban_all_actors_are_silent_until_it_is_over_and_then_go_on(
    senders: list[Any],
) -> None:
    book, clock = replace(BOOK, ban_ms=BAN_MS), SteadyClock()
    with serving(listings(100)) as server, owner(book=book) as budget:
        seen, banned = server.core.seen, server.core.limits.banned_until_ms
        with sending(senders, server, budget, book):
            wait_for(lambda: bool((answered(senders) > 0).all()))
            over_ms = clock.now_ms() + BAN_MS
            banned["127.0.0.1"] = server.clock.now_ms() + BAN_MS
            wait_for(lambda: clock.now_ms() > over_ms)
            before = answered(senders)
            wait_for(lambda: bool((answered(senders) > before).all()))
        statuses = [each.status for each in seen]
        assert 1 <= statuses.count(403) <= SENDERS, "at most what was under way at each"
        # One who has not heard yet sends once; nobody who has does so before the end.
        assert min(reopened_ms(senders)) >= over_ms


def test_a_killed_owner_comes_back_and_lends_nothing_too_early(nodes: Nodes) -> None:
    # All that it may have lent before is over after 6.5 seconds of a clock that hardly moves.
    with owner(SlowClock()) as budget:
        assert ray.get(budget.lease.remote(ROUTE, 480)).requests == 480
        restart(budget)
        lease = ray.get(budget.lease.remote(ROUTE, 480))
        assert lease.requests == 0
        assert 6_000 < lease.wait_ms <= 6_500


def test_a_gate_that_is_banned_tells_an_owner_that_was_killed(nodes: Nodes) -> None:
    async def scene(budget: Any) -> None:
        banned = Gate(budget, BOOK)
        await banned.acquire(ROUTE)
        banned.told(ROUTE, 403, {})
        await asyncio.to_thread(lambda: wait_for(lambda: is_banned(budget)))
        await asyncio.to_thread(restart, budget)
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
    with owner(SlowClock()) as budget:
        assert ray.get(budget.lease.remote(ROUTE, 1, 300_000)).requests == 0
        assert 299_000 <= ray.get(budget.lease.remote(ROUTE, 1)).wait_ms <= 300_000
