"""Every route and topic of the local Bybit has the keys and JSON types of the venue's own pages.

One row a route: the page, the example on it, and where the pages contradict each other or the
example is of another category, which keys may differ and why.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from actors.venue_sim.keyring import PRACTICE_KEY, signature
from actors.venue_sim.routes import PRIVATE, PUBLIC
from actors.venue_sim.server import VenueServer
from tests.contract.documented import PROTOCOL, differences, documented, recorded
from tests.contract.venue_bench import QUARTER_MS, listings, standing
from tests.patience import PATIENCE_S

NEED_SHARED = pytest.mark.skipif(not PROTOCOL.is_dir(), reason="../shared is absent")


@dataclass(frozen=True)
class Row:
    """A reply by its name, the example it is compared with, and what may differ."""

    name: str
    page: str
    number: int = 0
    may_differ: tuple[str, ...] = ()


COINS = ("MNT", "USDT")  # cumFeeDetail is keyed by the coin of the fee
# What `may_differ` names is in the page's table of parameters, but not in its example.
ROUTES = [
    Row("GET /v5/market/time", "market__time"),
    Row("GET /v5/market/instruments-info linear", "market__instrument"),
    Row("GET /v5/market/instruments-info spot", "market__instrument", 2),
    Row("GET /v5/market/kline", "market__kline"),
    Row("GET /v5/market/mark-price-kline", "market__mark-kline"),
    Row("GET /v5/market/funding/history", "market__history-fund-rate"),
    Row("GET /v5/market/tickers linear", "market__tickers", 0),
    Row("GET /v5/market/tickers spot", "market__tickers", 2),
    Row("GET /v5/market/orderbook", "market__orderbook"),
    Row("GET /v5/market/recent-trade", "market__recent-trade"),
    Row("GET /v5/market/risk-limit", "market__risk-limit", 0, ("nextPageCursor",)),
    Row("POST /v5/order/create", "order__create-order"),
    Row("POST /v5/order/amend", "order__amend-order"),
    Row("POST /v5/order/cancel", "order__cancel-order"),
    Row("POST /v5/order/cancel-all", "order__cancel-all"),
    Row(
        "GET /v5/order/realtime",
        "order__open-order",
        may_differ=(
            *("slippageToleranceType", "slippageTolerance", "extraFees", "rpiTakerAccess"),
            *("rpiMatchedQty", "createType", *COINS),
        ),
    ),
    Row("GET /v5/order/history", "order__order-list", may_differ=("createType", *COINS)),
    Row("GET /v5/execution/list", "order__execution"),
    Row("GET /v5/position/list", "position__position", 0, ("openTime",)),
    Row("POST /v5/position/set-leverage", "position__leverage"),
    Row("POST /v5/position/switch-mode", "position__position-mode"),
    Row("POST /v5/position/trading-stop", "position__trading-stop"),
    Row("GET /v5/account/wallet-balance", "account__wallet-balance"),
    # The example is cut off after its result.
    Row("GET /v5/account/info", "account__account-info", 0, ("retExtInfo", "time")),
    Row("GET /v5/account/fee-rate", "account__fee-rate"),
]
TOPICS = [
    Row("kline", "websocket__public__kline"),
    Row("tickers", "websocket__public__ticker"),
    Row("tickers spot", "websocket__public__ticker", 2),
    Row("publicTrade", "websocket__public__trade", 0, ("RPI",)),
    Row("orderbook delta", "websocket__public__orderbook", 1),
    Row("order", "websocket__private__order", 1, ("isLeverage", "createType", *COINS)),
    Row("execution", "websocket__private__execution", 1),
    Row("execution.fast", "websocket__private__fast-execution", 1),
    Row("position", "websocket__private__position", 1, ("openTime",)),
    Row("wallet", "websocket__private__wallet", 1),
    Row("auth", "websocket__wss-authentication", 1, ("req_id",)),
    Row("ping", "websocket__wss-authentication", 3),
    Row("ping private", "websocket__wss-authentication", 5),
    Row("subscribe", "websocket__wss-authentication", 10),
    Row("trade auth", "websocket__trade__guideline", 1),
    Row("trade order", "websocket__trade__guideline", 3),
    Row("trade ping", "websocket__trade__guideline", 7),
]
# Replies and messages that an open client keeps as its test stubs.
RECORDINGS = {
    "getInstrumentLinear": "GET /v5/market/instruments-info linear",
    "getInstrumentSpot": "GET /v5/market/instruments-info spot",
    "getTickerSpot": "GET /v5/market/tickers spot",
    "getFeeRates": "GET /v5/account/fee-rate",
    "getWalletBalance": "GET /v5/account/wallet-balance",
    "getOrderLinear": "GET /v5/order/realtime",
    "getOrderDetailsLinear": "GET /v5/order/history",
    "placeMarketOrder": "POST /v5/order/create",
    "changeOrder": "POST /v5/order/amend",
    "cancelOrder": "POST /v5/order/cancel",
    "cancelAllOrders": "POST /v5/order/cancel-all",
    "setLeverage": "POST /v5/position/set-leverage",
    "switchPositionMode": "POST /v5/position/switch-mode",
    "orderBookSnapshotResponse": "orderbook",
    "orderChangeResponse": "order",
    "positionChangeResponse": "position",
    "tradeResponse": "publicTrade",
}
# ccxt asks for these; their pages are not among those we have.
WITHOUT_PAGE = {"GET /v5/user/query-api", "GET /v5/asset/coin/query-info"}
BTC = {"category": "linear", "symbol": "BTCUSDT"}


class Asker:
    """Asks the server over plain HTTP and signs as the venue's pages say."""

    def __init__(self, venue: VenueServer, web: aiohttp.ClientSession) -> None:
        self.venue = venue
        self.web = web
        self.replies: dict[str, Any] = {}

    async def get(self, path: str, label: str = "", **query: Any) -> Any:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        url = f"{self.venue.url}{path}?{text}"
        async with self.web.get(url, headers=self._signed(text)) as reply:
            return self._kept(f"GET {path}{label}", await reply.json())

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        text = json.dumps(body)
        url = self.venue.url + path
        async with self.web.post(url, data=text, headers=self._signed(text)) as reply:
            return self._kept(f"POST {path}", await reply.json())

    def _kept(self, name: str, reply: Any) -> Any:
        assert reply["retCode"] == 0, f"{name}: {reply}"
        self.replies.setdefault(name, reply)
        return reply["result"]

    def _signed(self, text: str) -> dict[str, str]:
        stamp = str(self.venue.clock.now_ms())
        return {
            "X-BAPI-API-KEY": PRACTICE_KEY.key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-SIGN": signature(PRACTICE_KEY.secret, f"{stamp}{PRACTICE_KEY.key}5000{text}"),
        }


async def ask_everything(asker: Asker) -> None:
    """Ask every route once, in a state in which each list has a row."""
    await asker.get("/v5/market/time")
    for category in ("linear", "spot"):
        await asker.get("/v5/market/instruments-info", f" {category}", category=category)
        await asker.get("/v5/market/tickers", f" {category}", category=category)
    for path in ("kline", "mark-price-kline"):
        await asker.get(f"/v5/market/{path}", **BTC, interval=60, limit=3)
    for path in ("funding/history", "orderbook", "recent-trade", "risk-limit"):
        await asker.get(f"/v5/market/{path}", **BTC)
    await asker.post("/v5/position/set-leverage", BTC | {"buyLeverage": "5", "sellLeverage": "5"})
    bought = {"side": "Buy", "orderType": "Market", "qty": "0.1"}
    await asker.post("/v5/order/create", BTC | bought)
    await asker.post("/v5/position/trading-stop", BTC | {"stopLoss": "70000", "positionIdx": 0})
    waits = BTC | {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "80000"}
    order = await asker.post("/v5/order/create", waits | {"orderLinkId": "a"})
    named = BTC | {"orderId": order["orderId"]}
    await asker.post("/v5/order/amend", named | {"price": "81000"})
    await asker.get("/v5/order/realtime", **BTC)
    await asker.post("/v5/order/cancel", named)
    await asker.post("/v5/order/create", waits | {"orderLinkId": "b"})
    await asker.post("/v5/order/cancel-all", BTC)
    for path in ("order/history", "execution/list", "position/list"):
        await asker.get(f"/v5/{path}", **BTC)
    await asker.get("/v5/account/wallet-balance", accountType="UNIFIED")
    await asker.get("/v5/account/info")
    await asker.get("/v5/account/fee-rate", **BTC)
    await asker.get("/v5/user/query-api")
    await asker.get("/v5/asset/coin/query-info")
    eth = {"category": "linear", "symbol": "ETHUSDT", "mode": 3}
    await asker.post("/v5/position/switch-mode", eth)


class Listener:
    """Hears one socket and keeps the first message of each topic and kind."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, heard: dict[str, Any]) -> None:
        self.socket = socket
        self.heard = heard

    async def say(self, **message: Any) -> Any:
        await self.socket.send_str(json.dumps(message))
        return json.loads(await asyncio.wait_for(self.socket.receive_str(), PATIENCE_S))

    async def hear(self, *names: str, suffix: str = "") -> None:
        while not all(name in self.heard for name in names):
            message = json.loads(await asyncio.wait_for(self.socket.receive_str(), PATIENCE_S))
            topic = str(message["topic"])
            topic = topic if topic.startswith("execution") else topic.partition(".")[0]
            kind = " delta" if topic == "orderbook" and message["type"] == "delta" else suffix
            self.heard.setdefault(topic + kind, message)


def signed_auth(venue: VenueServer) -> dict[str, Any]:
    expires = venue.clock.now_ms() + 10_000
    sign = signature(PRACTICE_KEY.secret, f"GET/realtime{expires}")
    return {"op": "auth", "args": [PRACTICE_KEY.key, expires, sign]}


async def hear_everything(venue: VenueServer, asker: Asker) -> dict[str, Any]:
    """Return the first message of each topic and of each operation."""
    heard: dict[str, Any] = {}
    async with (
        asker.web.ws_connect(f"{venue.ws_url}/v5/public/linear") as linear,
        asker.web.ws_connect(f"{venue.ws_url}/v5/public/spot") as spot,
        asker.web.ws_connect(f"{venue.ws_url}/v5/private") as private,
        asker.web.ws_connect(f"{venue.ws_url}/v5/trade") as trade,
    ):
        told = Listener(private, heard)
        heard["auth"] = await told.say(**signed_auth(venue))
        heard["ping private"] = await told.say(op="ping", req_id="1")
        names = ["order", "execution", "execution.fast", "position", "wallet"]
        await told.say(op="subscribe", args=names)
        public, other, orders = (Listener(one, heard) for one in (linear, spot, trade))
        heard["ping"] = await public.say(op="ping", req_id="1")
        topics = ["kline.15.BTCUSDT", "tickers.BTCUSDT", "publicTrade.BTCUSDT"]
        heard["subscribe"] = await public.say(
            op="subscribe", args=[*topics, "orderbook.50.BTCUSDT"]
        )
        await other.say(op="subscribe", args=["tickers.BTCUSDT"])
        venue.clock.advance(QUARTER_MS)
        await public.hear("kline", "tickers", "publicTrade", "orderbook delta")
        await other.hear("tickers spot", suffix=" spot")
        heard["trade auth"] = await orders.say(**signed_auth(venue))
        heard["trade ping"] = await orders.say(op="ping")
        heard["trade order"] = await orders.say(
            op="order.create",
            reqId="1",
            header={"X-BAPI-TIMESTAMP": str(venue.clock.now_ms())},
            args=[BTC | {"side": "Sell", "orderType": "Market", "qty": "0.02"}],
        )
        await told.hear(*names)
    return heard


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """Return every reply and message of one server, by name."""

    async def play() -> dict[str, Any]:
        async with (
            VenueServer(listings(), clock=standing(100.3)) as venue,
            aiohttp.ClientSession() as web,
        ):
            asker = Asker(venue, web)
            await ask_everything(asker)
            return asker.replies | await hear_everything(venue, asker)

    return asyncio.run(play())


@NEED_SHARED
@pytest.mark.parametrize("row", ROUTES + TOPICS, ids=lambda row: row.name)
def test_it_has_the_keys_and_types_of_the_documented_example(
    row: Row, said: dict[str, Any]
) -> None:
    found = differences(documented(row.page, row.number), said[row.name])
    assert [line for line in found if not _is_excused(line, row.may_differ)] == []


def _is_excused(line: str, names: tuple[str, ...]) -> bool:
    return line.partition(" ")[0].rpartition(".")[2] in names


@NEED_SHARED
@pytest.mark.parametrize("name", RECORDINGS)
def test_what_clients_recorded_of_the_venue_is_in_our_answers(
    name: str, said: dict[str, Any]
) -> None:
    # Recordings are older than the pages: the venue has added keys since and renamed none.
    found = differences(recorded(name), said[RECORDINGS[name]])
    assert [line for line in found if not line.endswith("is not documented")] == []


def test_every_route_has_a_row_in_the_table() -> None:
    routes = {f"GET {path}" for path in PUBLIC}
    routes |= {f"{method} {path}" for method, group in PRIVATE.items() for path in group}
    rows = {row.name.replace(" linear", "").replace(" spot", "") for row in ROUTES}
    assert routes == rows | WITHOUT_PAGE


def test_a_difference_from_an_example_is_found() -> None:
    example = {"a": "1", "b": [{"c": 1}], "d": True}
    assert differences(example, {"a": "2", "b": [{"c": 3}, {"c": 4}], "d": False}) == []
    assert differences(example, {"a": 2, "b": [{"c": "3"}], "e": 1}) == [
        ".d is missing",
        ".e is not documented",
        ".a is number, documented string",
        ".b[].c is string, documented number",
    ]
