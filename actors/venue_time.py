"""What time it is at a venue, kept from its answers and from the messages that it sends.

Theory. The venue is asked in a while (`engines/live/venue_clock` makes an offset of the answers).
Between two answers its time is never before a message that it has sent: a bar that it calls closed
is closed, though our clock be a second behind. A message far ahead means that a clock was set, ours
or a practised venue's: then the venue is asked at once. Its answer has the last word, so that one
wrong message cannot hold the time for long.
"""

import asyncio
import logging
import time
from contextlib import suppress

from actors.venue.faults import VenueFault
from actors.venue.protocol import MarketVenue
from engines.live.venue_clock import VenueClock

EVERY_S = 60.0  # a machine's clock drifts by milliseconds in that time
EVERY_S_MIN = 0.25
AHEAD_MS_MAX = 1_000

log = logging.getLogger(__name__)


class VenueTime:
    """The time of a venue that is asked every `every_s`."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._clock = VenueClock()
        self._heard_ms = 0
        self._hurry = asyncio.Event()

    def now_ms(self) -> int:
        """Return the venue's time."""
        return max(self._clock.at(_our_ms()), self._heard_ms)

    def hear(self, time_ms: int) -> None:
        """Take the time at which the venue sent a message."""
        ahead_ms = time_ms - self.now_ms()
        if ahead_ms > 0:
            self._heard_ms = time_ms
        if ahead_ms > AHEAD_MS_MAX:
            self._hurry.set()

    async def ask(self, venue: MarketVenue) -> None:
        """Ask the venue.

        Raises: VenueFault if it does not say.
        """
        sent_ms = _our_ms()
        venue_ms = await venue.time_ms()
        self._clock.learn(sent_ms, venue_ms, _our_ms())
        self._heard_ms = min(self._heard_ms, venue_ms + AHEAD_MS_MAX)

    async def keep(self, venue: MarketVenue) -> None:
        """Ask again and again, for as long as this runs."""
        while True:
            await asyncio.sleep(min(EVERY_S_MIN, self._every_s))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._hurry.wait()
            self._hurry.clear()
            try:
                await self.ask(venue)
            except VenueFault as fault:
                log.warning("the time of %s: %s", venue.name, fault)


def _our_ms() -> int:
    return time.time_ns() // 1_000_000
