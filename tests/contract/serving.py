"""A server in a thread of its own, for tests whose other side is a program or another loop."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer


@contextmanager
def serving(
    listings: Iterable[Listing], clock: VenueClock | None = None, seed: int = 0
) -> Iterator[VenueServer]:
    """Be beside a server; what a test sets on it takes effect at the next request."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = VenueServer(listings, clock=clock, seed=seed)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
