"""Signed calls of unmodified ccxt against the local Bybit: who may ask, and how often."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import ccxt
import pytest

from actors.venue_sim.faults import FaultKind
from actors.venue_sim.keyring import PRACTICE_KEY, ApiKey, signature
from actors.venue_sim.server import VenueServer
from tests.contract.venue_bench import BTC, at_venue, client, listings, standing

READER = ApiKey("reader", "its-secret", uid=2, is_read_only=True)
EXPIRED = ApiKey("expired", "its-secret", is_expired=True)
ELSEWHERE = ApiKey("elsewhere", "its-secret", ips=("10.0.0.1",))


def test_a_signed_client_loads_markets_and_reads_its_balance() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        balance = await exchange.fetch_balance()
        assert balance["USDT"] == {"free": 10_000.0, "used": 0.0, "total": 10_000.0, "debt": 0.0}
        assert sorted(exchange.currencies) == ["BTC", "ETH", "USDT"]
        assert await exchange.is_unified_enabled() == [False, True]
        fee = await exchange.fetch_trading_fee(BTC)
        assert (fee["maker"], fee["taker"]) == (0.0002, 0.00055)

    at_venue(scene, signed=True)


def wrong_key(exchange: Any, now: Callable[[], int]) -> None:
    exchange.apiKey = "nobody"


def wrong_secret(exchange: Any, now: Callable[[], int]) -> None:
    exchange.secret = "guessed"


def too_late(exchange: Any, now: Callable[[], int]) -> None:
    exchange.nonce = lambda: now() - 5001


def too_early(exchange: Any, now: Callable[[], int]) -> None:
    exchange.nonce = lambda: now() + 1000


def no_keys(exchange: Any, now: Callable[[], int]) -> None:
    exchange.sign = lambda *args, **kwargs: {
        **type(exchange).sign(exchange, *args, **kwargs),
        "headers": {},
    }


def named(key: ApiKey) -> Callable[[Any, Callable[[], int]], None]:
    def use(exchange: Any, now: Callable[[], int]) -> None:
        exchange.apiKey, exchange.secret = key.key, key.secret

    return use


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (wrong_key, ccxt.AuthenticationError, '"retCode":10003'),
        (wrong_secret, ccxt.AuthenticationError, '"retCode":10004'),
        (too_late, ccxt.InvalidNonce, '"retCode":10002'),
        (too_early, ccxt.InvalidNonce, '"retCode":10002'),
        (named(EXPIRED), ccxt.ExchangeError, '"retCode":33004'),
        (named(ELSEWHERE), ccxt.PermissionDenied, '"retCode":10010'),
        (no_keys, ccxt.AuthenticationError, "401"),
    ],
)
def test_a_request_that_is_not_rightly_signed_is_refused(
    spoil: Callable[[Any, Callable[[], int]], None], error: type[Exception], says: str
) -> None:
    async def play() -> None:
        keys = (PRACTICE_KEY, EXPIRED, ELSEWHERE)
        async with (
            VenueServer(listings(), clock=standing(100), keys=keys) as venue,
            client(venue, signed=True) as exchange,
        ):
            spoil(exchange, venue.clock.now_ms)
            with pytest.raises(error, match=says):
                await exchange.private_get_v5_account_info()

    asyncio.run(play())


def test_times_at_the_edge_of_the_window_are_let_in() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        for offset in (-5000, 0, 999):
            exchange.nonce = lambda offset=offset: venue.clock.now_ms() + offset
            assert (await exchange.private_get_v5_account_info())["retCode"] == 0

    at_venue(scene, signed=True)


def test_a_reader_reads_its_own_account_and_may_not_trade() -> None:
    async def play() -> None:
        async with (
            VenueServer(listings(), clock=standing(100), keys=(PRACTICE_KEY, READER)) as venue,
            client(venue, signed=True) as owner,
            client(venue, signed=True) as reader,
        ):
            reader.apiKey, reader.secret = READER.key, READER.secret
            await owner.create_order(BTC, "limit", "buy", 0.01, 80_000)
            assert await reader.fetch_open_orders(BTC) == []
            with pytest.raises(ccxt.PermissionDenied, match='"retCode":10005'):
                await reader.create_order(BTC, "limit", "buy", 0.01, 80_000)

    asyncio.run(play())


def test_headers_count_down_and_the_request_beyond_is_refused_until_the_reset() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        left = []
        for _ in range(10):
            await exchange.private_get_v5_user_query_api()
            headers = exchange.last_response_headers
            assert headers["X-Bapi-Limit"] == "10"
            left.append(int(headers["X-Bapi-Limit-Status"]))
        assert left == list(range(9, -1, -1))
        with pytest.raises(ccxt.RateLimitExceeded, match='"retCode":10006'):
            await exchange.private_get_v5_user_query_api()
        reset = int(exchange.last_response_headers["X-Bapi-Limit-Reset-Timestamp"])
        assert reset == venue.clock.now_ms() + 1000
        venue.clock.set(reset)
        await exchange.private_get_v5_user_query_api()

    at_venue(scene, signed=True)


def test_the_window_of_a_route_rolls() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        for _ in range(5):
            await exchange.private_get_v5_user_query_api()
            venue.clock.advance(150)
        for _ in range(5):
            await exchange.private_get_v5_user_query_api()
        with pytest.raises(ccxt.RateLimitExceeded):
            await exchange.private_get_v5_user_query_api()
        venue.clock.advance(250)
        await exchange.private_get_v5_user_query_api()
        with pytest.raises(ccxt.RateLimitExceeded):
            await exchange.private_get_v5_user_query_api()

    at_venue(scene, signed=True)


def test_a_lost_reply_leaves_an_order_that_can_be_found_by_its_link_id() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        venue.faults.next(FaultKind.DROP_REPLY, where="order/create")
        order = (BTC, "limit", "buy", 0.01, 80_000, {"clientOrderId": "once-1"})
        with pytest.raises(ccxt.NetworkError):
            await exchange.create_order(*order)
        (found,) = await exchange.fetch_open_orders(BTC, params={"orderLinkId": "once-1"})
        assert (found["clientOrderId"], found["status"]) == ("once-1", "open")
        with pytest.raises(ccxt.InvalidOrder, match="110072"):
            await exchange.create_order(*order)

    at_venue(scene, signed=True)


@pytest.mark.parametrize("body", ["", "no json", "[1]"])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    async def play() -> None:
        async with (
            VenueServer(listings(), clock=standing(100)) as venue,
            aiohttp.ClientSession() as web,
        ):
            stamp = str(venue.clock.now_ms())
            headers = {
                "X-BAPI-API-KEY": PRACTICE_KEY.key,
                "X-BAPI-TIMESTAMP": stamp,
                "X-BAPI-SIGN": signature(
                    PRACTICE_KEY.secret, f"{stamp}{PRACTICE_KEY.key}5000{body}"
                ),
            }
            url = f"{venue.url}/v5/order/create"
            async with web.post(url, data=body, headers=headers) as reply:
                assert (await reply.json())["retCode"] == 10001

    asyncio.run(play())
