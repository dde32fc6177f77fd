"""Start the local Bybit from flags and keep it until it is interrupted."""

import asyncio
import math
import signal
import sys
from dataclasses import dataclass

from actors.venue_sim.bar_files import listings_of
from actors.venue_sim.clock import VenueClock
from actors.venue_sim.faults import FaultKind
from actors.venue_sim.keyring import PRACTICE_KEY
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer
from cluster.ratios import parse_ratio
from engines.errors import ParameterFault
from engines.klines import DAY_MS, time_text
from serve.commands.venue_sim import VenueSimFlags
from serve.output import print_json
from serve.times import parse_time_ms

PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """What a venue is started with."""

    listings: tuple[Listing, ...]
    host: str
    port: int
    at_ms: int
    speed: float
    seed: int
    fault_share: float
    fault_kinds: tuple[FaultKind, ...]


def settings_of(flags: VenueSimFlags) -> VenueSettings:
    """Return what the flags ask for.

    Raises: Fault naming the flag or the file that is wrong.
    """
    if not 0 <= flags.port <= PORT_MAX:
        raise ParameterFault("--port", f"0 to {PORT_MAX}", str(flags.port))
    if not (math.isfinite(flags.speed) and flags.speed >= 0):
        raise ParameterFault("--speed", "a number, zero or more", str(flags.speed))
    if flags.seed < 0:
        raise ParameterFault("--seed", "zero or more", str(flags.seed))
    share, kinds = _faults(flags.faults)
    listings = tuple(
        listings_of(flags.bars, flags.mark or (), flags.funding or (), flags.instrument or ())
    )
    last_ms = max(int(k.close_time_ms[-1]) for one in listings for k in one.klines)
    at_ms = last_ms - DAY_MS if flags.at is None else parse_time_ms("--at", flags.at)
    return VenueSettings(
        listings, flags.host, flags.port, at_ms, flags.speed, flags.seed, share, kinds
    )


def serve_venue(settings: VenueSettings, *, json: bool) -> int:
    """Serve until the process is interrupted or told to end.

    Raises: ParameterFault if the address cannot be listened on.
    """
    return asyncio.run(_serve(settings, json))


async def _serve(settings: VenueSettings, json: bool) -> int:
    venue = VenueServer(
        settings.listings,
        clock=VenueClock(settings.at_ms, settings.speed),
        seed=settings.seed,
        host=settings.host,
        port=settings.port,
    )
    if settings.fault_share:
        venue.faults.at_random(settings.fault_share, settings.fault_kinds)
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    try:
        await venue.start()
    except OSError as error:
        expected = "an address that is free"
        found = f"{settings.host}:{settings.port}, {error.strerror or error}"
        raise ParameterFault("--host and --port", expected, found) from None
    _say(venue, settings, json)
    ends = [asyncio.create_task(one) for one in (ended.wait(), venue.wait())]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await venue.stop()
    await ends[1]
    return 0


def _say(venue: VenueServer, settings: VenueSettings, json: bool) -> None:
    """Print where the venue is and how to reach it."""
    symbols = [one.symbol for one in settings.listings]
    if json:
        print_json(
            {
                "rest": venue.url,
                "streams": venue.ws_url,
                "control": f"{venue.url}/control",
                "key": PRACTICE_KEY.key,
                "secret": PRACTICE_KEY.secret,
                "symbols": symbols,
                "now_ms": venue.clock.now_ms(),
            }
        )
        sys.stdout.flush()
        return
    print(f"a local Bybit with {', '.join(symbols)}", flush=True)
    print(f"  REST     {venue.url}")
    print(f"  streams  {venue.ws_url}/v5/public/linear, /v5/private, /v5/trade")
    print(f"  control  {venue.url}/control (clock and faults)")
    print(f"  key      {PRACTICE_KEY.key}, secret {PRACTICE_KEY.secret}")
    now = time_text(venue.clock.now_ms())
    print(f"  clock    {now}, {settings.speed:g} times as fast as the world's", flush=True)


def _faults(text: str | None) -> tuple[float, tuple[FaultKind, ...]]:
    """Return the share and the kinds of `SHARE[:KIND,...]`; without kinds all of them."""
    if text is None:
        return 0.0, ()
    share_text, colon, kinds_text = text.partition(":")
    try:
        share = parse_ratio(share_text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ParameterFault("--faults", "a share such as 0.1 or 10%", repr(text))
    kinds = kinds_text.split(",") if colon else [str(kind) for kind in FaultKind]
    known = {str(kind) for kind in FaultKind}
    for kind in kinds:
        if kind not in known:
            raise ParameterFault("--faults", f"kinds of {', '.join(sorted(known))}", repr(kind))
    return share, tuple(FaultKind(kind) for kind in kinds)
