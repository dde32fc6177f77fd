"""Ten actors that send requests, and the clocks that they and the budget's owner go by."""

import asyncio
import time
from typing import Any

import ray

from actors.venue.bybit_rules import BOOK
from actors.venue.faults import AddressBanned
from actors.venue.gate import Gate

SENDERS, ROUTE = 10, "GET /v5/market/time"


class FastClock:
    """The world's steady clock, `speed` times as fast, the same in every process of a machine."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def now_ms(self) -> int:
        """Return the time."""
        return int(time.monotonic() * 1000 * self._speed)

    async def sleep(self, wait_ms: float) -> None:
        """Return after so long."""
        await asyncio.sleep(wait_ms / 1000 / self._speed)


class Sender:
    """Sends one request after the other, as fast as it is let."""

    is_sending = False

    async def send(self, url: str, owner: Any, speed: float) -> int:
        """Send until stopped and return how many were answered well."""
        import aiohttp

        gate = Gate(owner, BOOK, FastClock(speed))
        answered, self.is_sending = 0, True
        async with aiohttp.ClientSession() as session:
            while self.is_sending:
                try:
                    await gate.acquire(ROUTE)
                except AddressBanned:
                    await asyncio.sleep(0.02)
                    continue
                async with session.get(url + "/v5/market/time") as reply:
                    gate.told(ROUTE, reply.status, dict(reply.headers))
                    answered += reply.status == 200
        await gate.close()
        return answered

    async def stop(self) -> None:
        """Send no more; an actor that answers lives."""
        self.is_sending = False


SenderActor: Any = ray.remote(num_cpus=0)(Sender)
