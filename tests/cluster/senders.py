"""Ten actors that send requests, each through a gate of its own."""

import asyncio
from typing import Any

import ray

from actors.venue.faults import AddressBanned
from actors.venue.gate import Gate, SteadyClock
from engines.live.rate_budget import RateBook

SENDERS, ROUTE = 10, "GET /v5/market/time"


class Sender:
    """Sends one request after the other, as fast as it is let."""

    def __init__(self) -> None:
        self.is_sending, self.answered = False, 0
        self.reopened_ms: list[int] = []

    async def send(self, url: str, owner: Any, book: RateBook) -> None:
        """Send until stopped."""
        import aiohttp

        clock = SteadyClock()  # the same in every process of a machine
        gate, is_refused = Gate(owner, book, clock), False
        self.is_sending, self.answered, self.reopened_ms = True, 0, []
        async with aiohttp.ClientSession() as session:
            while self.is_sending:
                try:
                    await gate.acquire(ROUTE)
                except AddressBanned:
                    is_refused = True
                    await asyncio.sleep(0.02)
                    continue
                if is_refused:
                    self.reopened_ms.append(clock.now_ms())
                    is_refused = False
                async with session.get(url + "/v5/market/time") as reply:
                    gate.told(ROUTE, reply.status, dict(reply.headers))
                    self.answered += reply.status == 200
        await gate.close()

    async def told(self) -> tuple[int, list[int]]:
        """Return how many were answered well, and when requests were let again after a ban."""
        return self.answered, self.reopened_ms

    async def stop(self) -> None:
        """Send no more; an actor that answers lives."""
        self.is_sending = False


SenderActor: Any = ray.remote(num_cpus=0)(Sender)
