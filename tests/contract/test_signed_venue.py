"""Signed calls through the local server: keys that are wrong halt, and no text tells a secret."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.venue import opening
from actors.venue.bybit import BybitVenue
from actors.venue.faults import KeysRefused, VenueFault
from actors.venue.settings import venue_settings
from actors.venue_sim.faults import FaultKind
from actors.venue_sim.keyring import ApiKey
from actors.venue_sim.server import VenueServer
from cluster.settings import SettingsFault
from engines.klines import DAY_MS
from tests.contract.venue_bench import listings, standing

KEY, SECRET = "CANARY-KEY-0123456789", "CANARY-SECRET-0123456789"
KEYS = (
    ApiKey(KEY, SECRET),
    ApiKey("CANARY-EXPIRED", SECRET, is_expired=True),
    ApiKey("CANARY-ELSEWHERE", SECRET, ips=("10.0.0.1",)),
)
WALLET = "/v5/account/wallet-balance"
SIGNED = ("/v5/user", "/v5/account")
Scene = Callable[[VenueServer, BybitVenue], Coroutine[Any, Any, None]]


def at_account(
    monkeypatch: pytest.MonkeyPatch, scene: Scene, key: str = KEY, secret: str = SECRET
) -> None:
    """Play a scene with a venue that has keys; the server's time is long past."""
    monkeypatch.setenv("PHALANX_API_KEY", key)
    monkeypatch.setenv("PHALANX_API_SECRET", secret)

    async def play() -> None:
        clock = standing(50)
        clock.run(1.0)
        async with VenueServer(listings(100), clock=clock, keys=KEYS) as server:
            venue = opening.open_venue(venue_settings(server.url))
            assert isinstance(venue, BybitVenue)
            try:
                await scene(server, venue)
            finally:
                await venue.close()

    asyncio.run(play())


def signed(server: VenueServer) -> int:
    """Return how many signed requests the server has seen."""
    return sum(seen.path.startswith(SIGNED) for seen in server.core.seen)


def test_keys_are_accepted_whatever_our_own_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        await venue.require_keys()
        server.clock.advance(DAY_MS)
        await venue.require_keys()
        refused = [seen.ret_code for seen in server.core.seen if seen.ret_code]
        assert refused == [10002], "the jump is seen once, and the clock measured anew"

    at_account(monkeypatch, scene)


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [
        ("CANARY-NOBODY", SECRET, "10003"),
        (KEY, "CANARY-GUESSED", "10004"),
        ("CANARY-ELSEWHERE", SECRET, "10010"),
        ("CANARY-EXPIRED", SECRET, "33004"),
        ("", "", ""),
    ],
)
def test_wrong_keys_halt_after_one_request(
    monkeypatch: pytest.MonkeyPatch, key: str, secret: str, code: str
) -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        for _ in range(5):
            with pytest.raises(KeysRefused) as caught:
                await venue.require_keys()
            assert caught.value.code == code
            assert caught.value.halts
            assert "CANARY" not in "".join(traceback.format_exception(caught.value))
            assert caught.value.__context__ is None, "ccxt's own exception, which holds the reply"
        # ccxt asks two things side by side; the answer to one may keep back the other.
        assert signed(server) in ((1, 2) if key else (0,))
        assert await venue.time_ms() > 0, "the market's side goes on"

    at_account(monkeypatch, scene, key, secret)


@pytest.mark.parametrize(
    "kind", [FaultKind.TOO_MANY_VISITS, FaultKind.OUTSIDE_WINDOW, FaultKind.DROP_REPLY]
)
def test_what_may_succeed_unchanged_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, kind: FaultKind
) -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        await venue.require_keys()
        before = venue.retries
        server.faults.next(kind, times=2, where=WALLET)
        await venue.require_keys()
        assert venue.retries - before == 2

    at_account(monkeypatch, scene)


def test_every_request_that_leaves_has_passed_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        gate, passed = venue._exchange.gate, list[str]()
        acquire = gate.acquire

        async def counted(route: str) -> None:
            await acquire(route)
            passed.append(route)

        monkeypatch.setattr(gate, "acquire", counted)
        await venue.time_ms()  # The connection that is kept, and then cut.
        server.faults.next(FaultKind.DROP_REPLY, times=3, where="/v5/market/time")
        await venue.time_ms()
        assert len(passed) == len(server.core.seen) == 5

    at_account(monkeypatch, scene)


@pytest.mark.parametrize("secret", [SECRET, "CANARY-GUESSED"])
def test_no_log_and_no_text_tells_a_secret(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    secret: str,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        for kind in (FaultKind.DROP_REPLY, FaultKind.SERVER_ERROR, FaultKind.OUTSIDE_WINDOW):
            server.faults.next(kind, where="/v5/user")
        try:
            await venue.require_keys()
        except VenueFault as fault:
            logging.getLogger("phalanx").exception("refused: %r", fault)
        assert signed(server) >= 1
        print(venue, venue_settings(server.url), vars(venue_settings(server.url)))

    at_account(monkeypatch, scene, KEY, secret)
    said = capfd.readouterr()
    assert SECRET not in repr(KEYS)
    assert caplog.records
    assert "CANARY" not in caplog.text + said.out + said.err


def test_a_key_of_the_environment_that_cannot_be_used_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PHALANX_VENUE_ENVIRONMENT", "moon")
    monkeypatch.setenv("PHALANX_API_KEY", KEY)
    with pytest.raises(SettingsFault, match="PHALANX_VENUE_ENVIRONMENT") as caught:
        venue_settings()
    assert "CANARY" not in str(caught.value)
