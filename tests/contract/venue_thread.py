"""A local Bybit in a thread of its own, for tests whose own loop is not theirs to run."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer


@contextmanager
def serving(listings: Iterable[Listing], clock: VenueClock) -> Iterator[VenueServer]:
    """Give a server that answers while the block lasts; only its clock may be touched."""
    server = VenueServer(listings, clock=clock)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
