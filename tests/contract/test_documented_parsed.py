"""The venue's own documented examples, route by route and topic by topic, parsed by ccxt.

So that what our server says and what the venue's pages say are read by the same unmodified client:
each example is served under its route, or handed to ccxt.pro as a message of its topic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolBySide

from actors.venue_sim.server import VenueServer
from actors.venue_sim.wire import Reply, Request
from tests.contract.documented import PROTOCOL, documented, recorded
from tests.contract.venue_bench import BTC, ETH, SPOT_BTC, at_venue

pytestmark = pytest.mark.skipif(not PROTOCOL.is_dir(), reason="../shared is absent")


@dataclass(frozen=True)
class Parsed:
    """A route's example: the page, how ccxt asks for it, and what must be read from it."""

    path: str
    page: str
    ask: Callable[[Any], Any]
    read: Callable[[Any], object]
    wanted: object
    number: int = 0


ROUTES = [
    Parsed(
        *("/v5/market/time", "market__time"),
        lambda x: x.fetch_time(),
        lambda time_ms: time_ms,
        1688639403423,
    ),
    Parsed(
        *("/v5/market/kline", "market__kline"),
        lambda x: x.fetch_ohlcv(BTC, "1h"),
        lambda rows: [rows[0][:6], len(rows)],
        [[1670601600000, 17086.5, 17088.0, 16978.0, 17071.5, 6356.0], 3],
    ),
    Parsed(
        *("/v5/market/mark-price-kline", "market__mark-kline"),
        lambda x: x.fetch_ohlcv(BTC, "15m", params={"price": "mark"}),
        lambda rows: rows[0][:5],
        [1670608800000, 17164.16, 17164.16, 17121.5, 17131.64],
    ),
    Parsed(
        *("/v5/market/tickers", "market__tickers"),
        lambda x: x.fetch_ticker(SPOT_BTC),
        lambda ticker: (ticker["symbol"], ticker["last"], ticker["baseVolume"]),
        (SPOT_BTC, 20533.13, 11801.27771),
        2,
    ),
    Parsed(
        *("/v5/market/orderbook", "market__orderbook"),
        lambda x: x.fetch_order_book(BTC),
        lambda book: (book["bids"], book["asks"], book["timestamp"]),
        ([[65485.47, 47.081829]], [[65557.7, 16.606555]], 1716863719031),
    ),
    Parsed(
        *("/v5/market/recent-trade", "market__recent-trade"),
        lambda x: x.fetch_trades(SPOT_BTC),
        lambda trades: (trades[0]["price"], trades[0]["amount"], trades[0]["side"]),
        (16618.49, 0.00012, "buy"),
    ),
    Parsed(
        *("/v5/order/create", "order__create-order"),
        lambda x: x.create_order(BTC, "limit", "buy", 0.01, 80_000),
        lambda order: (order["id"], order["clientOrderId"]),
        ("1321003749386327552", "spot-test-postonly"),
    ),
    Parsed(
        *("/v5/order/amend", "order__amend-order"),
        lambda x: x.edit_order("a", BTC, "limit", "buy", 0.01, 80_000),
        lambda order: order["id"],
        "c6f055d9-7f21-4079-913d-e6523a9cfffa",
    ),
    Parsed(
        *("/v5/order/cancel", "order__cancel-order"),
        lambda x: x.cancel_order("a", BTC),
        lambda order: order["id"],
        "c6f055d9-7f21-4079-913d-e6523a9cfffa",
    ),
    Parsed(
        *("/v5/order/cancel-all", "order__cancel-all"),
        lambda x: x.cancel_all_orders(BTC),
        lambda orders: [order["id"] for order in orders],
        ["1616024329462743808", "1616024287544869632"],
    ),
    Parsed(
        *("/v5/order/realtime", "order__open-order"),
        lambda x: x.fetch_open_orders(ETH),
        lambda orders: [(o["symbol"], o["status"], o["price"], o["remaining"]) for o in orders],
        [(ETH, "open", 1600.0, 0.1)],
    ),
    Parsed(
        *("/v5/order/history", "order__order-list"),
        lambda x: x.fetch_canceled_and_closed_orders(BTC),
        lambda orders: [(o["status"], o["price"], o["timeInForce"]) for o in orders],
        [("canceled", 26864.4, "PO")],
    ),
    Parsed(
        *("/v5/execution/list", "order__execution"),
        lambda x: x.fetch_my_trades(),
        lambda trades: [(t["price"], t["fee"]["cost"], t["takerOrMaker"]) for t in trades],
        [(1190.15, 0.071409, "taker")],
    ),
    Parsed(
        *("/v5/position/list", "position__position"),
        lambda x: x.private_get_v5_position_list({"category": "inverse"}),
        lambda reply: reply["result"]["list"][0]["liqPrice"],
        "",
    ),
    Parsed(
        *("/v5/position/set-leverage", "position__leverage"),
        lambda x: x.set_leverage(6, BTC),
        lambda reply: reply["retCode"],
        0,
    ),
    Parsed(
        *("/v5/position/switch-mode", "position__position-mode"),
        lambda x: x.set_position_mode(False, BTC),
        lambda reply: reply["retCode"],
        0,
    ),
    Parsed(
        *("/v5/account/wallet-balance", "account__wallet-balance"),
        lambda x: x.fetch_balance(),
        lambda balance: (balance["BTC"]["total"], balance["debt"]["BTC"]),
        (0.0, 0.0),
    ),
    Parsed(
        *("/v5/account/fee-rate", "account__fee-rate"),
        lambda x: x.fetch_trading_fee(ETH),
        lambda fee: (fee["maker"], fee["taker"]),
        (0.0001, 0.0006),
    ),
]


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: row.path)
def test_the_example_of_a_route_is_parsed(row: Parsed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        await exchange.is_unified_enabled()
        example, real = documented(row.page, row.number), venue.core.respond

        def respond(request: Request, now_ms: int) -> Reply:
            return Reply(example) if request.path == row.path else real(request, now_ms)

        monkeypatch.setattr(venue.core, "respond", respond)
        found = row.read(await row.ask(exchange))
        assert found == row.wanted

    at_venue(scene, signed=True)


def bar(exchange: Any) -> object:
    return [row[:6] for row in exchange.ohlcvs[BTC]["5m"]]


TOPICS: list[tuple[str, str, Callable[[], Any], Callable[[Any], object], object]] = [
    (
        *("kline", "linear"),
        lambda: documented("websocket__public__kline"),
        bar,
        [[1672324800000, 16649.5, 16677.0, 16608.0, 16677.0, 2.081]],
    ),
    (
        *("tickers", "linear"),
        lambda: documented("websocket__public__ticker"),
        lambda x: (x.tickers[BTC]["last"], x.tickers[BTC]["bid"]),
        (66666.6, 66666.6),
    ),
    (
        *("publicTrade", "linear"),
        lambda: documented("websocket__public__trade"),
        lambda x: [(t["price"], t["amount"], t["side"]) for t in x.trades[BTC]],
        [(16578.5, 0.001, "buy")],
    ),
    (
        *("orderbook", "linear"),
        lambda: recorded("orderBookSnapshotResponse"),
        lambda x: (x.orderbooks[BTC]["bids"][0][:2], x.orderbooks[BTC]["asks"][0][:2]),
        ([16493.5, 0.006], [16611.0, 0.029]),
    ),
    (
        *("order", "private"),
        lambda: documented("websocket__private__order", 1),
        lambda x: [(o["status"], o["filled"], o["average"]) for o in x.orders],
        [("closed", 1.0, 75.0)],
    ),
    (
        *("execution", "private"),
        lambda: documented("websocket__private__execution", 1),
        lambda x: [(t["price"], t["amount"], t["side"]) for t in x.myTrades],
        [(95900.1, 0.5, "sell")],
    ),
    (
        *("position", "private"),
        lambda: documented("websocket__private__position", 1),
        lambda x: [(p["symbol"], p["contracts"]) for p in x.positions],
        [(BTC, 0.0)],
    ),
    (
        *("wallet", "private"),
        lambda: documented("websocket__private__wallet", 1),
        lambda x: x.balance["unified"]["BTC"]["total"],
        0.00102964,
    ),
]


@pytest.mark.parametrize("row", TOPICS, ids=lambda row: row[0])
def test_the_example_of_a_topic_is_parsed(row: Any) -> None:
    _, stream, example, read, wanted = row

    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        exchange.positions = exchange.positions or ArrayCacheBySymbolBySide()
        place = "private" if stream == "private" else f"public/{stream}"
        client = exchange.client(f"{venue.ws_url}/v5/{place}")
        exchange.handle_message(client, example())
        assert read(exchange) == wanted

    at_venue(scene, signed=True, pro=True)
