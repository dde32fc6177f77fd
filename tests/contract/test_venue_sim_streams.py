"""Public WebSocket topics: unmodified ccxt.pro, and the bare messages, against the local Bybit."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import ccxt
import numpy as np
import pytest

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.faults import FaultKind
from actors.venue_sim.server import VenueServer
from engines.klines import HOUR_MS
from tests.contract.serving import serving
from tests.contract.venue_bench import (
    BTC,
    ETH,
    QUARTER_MS,
    SPOT_BTC,
    at_venue,
    listings,
    made_up,
    standing,
)
from tests.patience import PATIENCE_S

Message = dict[str, Any]
TRADES = "publicTrade.BTCUSDT"


class Wire:
    """A bare socket to a public stream of the server."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def hear(self) -> Message:
        message: Message = json.loads(await asyncio.wait_for(self.socket.receive_str(), PATIENCE_S))
        return message

    async def hears_nothing(self) -> bool:
        """Return whether nothing waits; call after the server has settled."""
        try:
            await asyncio.wait_for(self.socket.receive_str(), 0.05)
        except TimeoutError:
            return True
        return False

    async def subscribe(self, *topics: str) -> Message:
        await self.say(op="subscribe", args=list(topics), req_id="7")
        return await self.hear()


def on_wire(
    scene: Callable[[VenueServer, Wire], Coroutine[Any, Any, None]],
    *,
    clock: VenueClock | None = None,
    category: str = "linear",
) -> None:
    """Play a scene between a fresh server and a bare socket."""

    async def play() -> None:
        async with (
            VenueServer(listings(), clock=clock or standing(100)) as venue,
            aiohttp.ClientSession() as web,
            web.ws_connect(f"{venue.ws_url}/v5/public/{category}") as socket,
        ):
            await scene(venue, Wire(socket))

    asyncio.run(play())


def bars_of(messages: list[Message]) -> list[tuple[int, bool, float]]:
    """Return place, confirm and close of each kline message."""
    first = standing(0).now_ms()
    return [
        (
            (message["data"][0]["start"] - first) // QUARTER_MS,
            message["data"][0]["confirm"],
            float(message["data"][0]["close"]),
        )
        for message in messages
    ]


async def heard(venue: VenueServer, wire: Wire, count: int) -> list[Message]:
    await venue.settled()
    messages = [await wire.hear() for _ in range(count)]
    assert await wire.hears_nothing()
    return messages


def test_subscriptions_are_acknowledged_and_pings_answered() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        ack = await wire.subscribe("kline.15.BTCUSDT", "kline.15.ETHUSDT")
        assert ack.pop("conn_id")
        assert ack == {"success": True, "ret_msg": "", "req_id": "7", "op": "subscribe"}
        topics = [(await wire.hear())["topic"] for _ in range(2)]
        assert topics == ["kline.15.BTCUSDT", "kline.15.ETHUSDT"]
        await wire.say(op="ping", req_id="8")
        pong = await wire.hear()
        assert pong.pop("conn_id")
        assert pong == {"success": True, "ret_msg": "pong", "req_id": "8", "op": "ping"}
        await wire.say(op="unsubscribe", args=["kline.15.BTCUSDT"])
        assert (await wire.hear())["op"] == "unsubscribe"
        venue.clock.advance(1000)
        (message,) = await heard(venue, wire, 1)
        assert message["topic"] == "kline.15.ETHUSDT"

    on_wire(scene)


@pytest.mark.parametrize(
    "topic",
    ["kline.7.BTCUSDT", "kline.15.NOPEUSDT", "kline.1.BTCUSDT", "prices.BTCUSDT", "kline.15"],
)
def test_an_unknown_topic_is_refused_and_nothing_is_sent(topic: str) -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        ack = await wire.subscribe(topic)
        assert ack["success"] is False and topic in ack["ret_msg"]
        venue.clock.advance(QUARTER_MS)
        await heard(venue, wire, 0)

    on_wire(scene)


def test_an_unknown_operation_is_an_error_and_the_socket_lives_on() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        for text in ("not json", "[1]", '{"op": "dance", "args": ["a"]}'):
            await wire.socket.send_str(text)
            assert (await wire.hear())["ret_msg"] == "error:invalid op"
        assert (await wire.subscribe("kline.15.BTCUSDT"))["success"] is True

    on_wire(scene)


def test_spot_takes_ten_topics_a_request() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        ack = await wire.subscribe(*["kline.15.BTCUSDT"] * 11)
        assert ack["success"] is False and ack["ret_msg"] == "args size >10"

    on_wire(scene, category="spot")


def test_each_bar_closes_once_however_far_the_clock_jumps() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        klines = made_up(BTC)
        await wire.subscribe("kline.15.BTCUSDT")
        (opening,) = await heard(venue, wire, 1)
        assert bars_of([opening]) == [(100, False, klines.open[100])]
        venue.clock.advance(3 * QUARTER_MS)
        wanted = [(bar, True, klines.close[bar]) for bar in (100, 101, 102)]
        assert bars_of(await heard(venue, wire, 4)) == [*wanted, (103, False, klines.open[103])]
        venue.clock.advance(400)
        await heard(venue, wire, 0)
        venue.clock.advance(600)
        assert [bar[:2] for bar in bars_of(await heard(venue, wire, 1))] == [(103, False)]

    on_wire(scene)


def test_a_message_of_a_closed_bar_holds_the_values_of_the_file() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        klines = made_up(BTC)
        await wire.subscribe("kline.15.BTCUSDT")
        await wire.hear()
        venue.clock.advance(QUARTER_MS)
        message, _ = await heard(venue, wire, 2)
        (bar,) = message["data"]
        names = ("open", "high", "low", "close", "volume")
        assert [float(bar[name]) for name in names] == [
            float(getattr(klines, name)[100]) for name in names
        ]
        assert (bar["start"], bar["end"]) == (
            klines.open_time_ms[100],
            klines.open_time_ms[101] - 1,
        )
        assert bar["start"] < bar["timestamp"] <= bar["end"] < message["ts"]

    on_wire(scene)


def test_a_running_clock_pushes_without_being_driven() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        await wire.subscribe("kline.15.BTCUSDT")
        messages = [await wire.hear() for _ in range(6)]
        assert sum(confirm for _, confirm, _ in bars_of(messages)) >= 2

    on_wire(scene, clock=VenueClock(standing(100).now_ms(), speed=9000.0))


def test_a_clock_that_another_thread_moves_is_heard() -> None:
    async def scene(venue: VenueServer) -> None:
        async with (
            aiohttp.ClientSession() as web,
            web.ws_connect(f"{venue.ws_url}/v5/public/linear") as socket,
        ):
            wire = Wire(socket)
            await wire.subscribe("kline.15.BTCUSDT")
            await wire.hear()
            venue.clock.advance(QUARTER_MS)
            assert [bar[:2] for bar in bars_of([await wire.hear()])] == [(100, True)]

    with serving(listings(), standing(100)) as venue:
        asyncio.run(scene(venue))


def test_a_cut_socket_is_noticed_and_a_new_one_hears_again() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.watch_ohlcv(BTC, "15m")
        venue.faults.next(FaultKind.SOCKET_CUT)
        waiting = asyncio.ensure_future(exchange.watch_ohlcv(BTC, "15m"))
        await asyncio.sleep(0)
        venue.clock.advance(QUARTER_MS)
        with pytest.raises(ccxt.NetworkError):
            await asyncio.wait_for(waiting, PATIENCE_S)
        again = await asyncio.wait_for(exchange.watch_ohlcv(BTC, "15m"), PATIENCE_S)
        assert again[-1][0] == venue.clock.now_ms()
        assert venue.faults.counts == {FaultKind.SOCKET_CUT: 1}

    at_venue(scene, pro=True, clock=standing(100))


def test_a_silent_socket_stays_open_and_answers_no_ping() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        await wire.subscribe("kline.15.BTCUSDT")
        await wire.hear()
        venue.faults.next(FaultKind.SOCKET_SILENT)
        venue.clock.advance(QUARTER_MS)
        await wire.say(op="ping")
        assert await wire.hears_nothing()
        venue.clock.advance(QUARTER_MS)
        await heard(venue, wire, 0)
        assert not wire.socket.closed

    on_wire(scene)


def test_messages_come_twice_late_or_without_confirm() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        await wire.subscribe("kline.15.BTCUSDT")
        await wire.hear()
        venue.faults.next(FaultKind.MESSAGE_TWICE)
        venue.clock.advance(QUARTER_MS)
        marks = [bar[:2] for bar in bars_of(await heard(venue, wire, 3))]
        assert marks == [(100, True), (100, True), (101, False)]
        venue.faults.next(FaultKind.MESSAGE_LATE)
        venue.clock.advance(QUARTER_MS)
        marks = [bar[:2] for bar in bars_of(await heard(venue, wire, 2))]
        assert marks == [(102, False), (101, True)]
        venue.faults.next(FaultKind.CONFIRM_MISSING)
        venue.clock.advance(QUARTER_MS)
        marks = [bar[:2] for bar in bars_of(await heard(venue, wire, 1))]
        assert marks == [(103, False)]

    on_wire(scene)


def test_a_late_correction_is_wrong_at_both_doors_and_then_right_at_both() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        klines = made_up(BTC)
        closes = list[float]()

        async def served() -> float:
            query = {"category": "linear", "symbol": "BTCUSDT", "interval": "15"}
            query |= {"start": str(klines.open_time_ms[100]), "limit": "1"}
            reply = await exchange.public_get_v5_market_kline(query)
            return float(reply["result"]["list"][0][4])

        async with (
            aiohttp.ClientSession() as web,
            web.ws_connect(f"{venue.ws_url}/v5/public/linear") as socket,
        ):
            wire = Wire(socket)
            await wire.subscribe("kline.15.BTCUSDT")
            await wire.hear()
            venue.faults.next(FaultKind.LATE_CORRECTION)
            for expected in ([(100, True), (101, False)], [(100, True), (101, True)]):
                venue.clock.advance(QUARTER_MS)
                messages = bars_of([await wire.hear() for _ in range(2)])
                assert [bar[:2] for bar in messages] == expected
                closes.append(messages[0][2])
                assert await served() == closes[-1]
        assert closes[0] != closes[1] == klines.close[100]

    at_venue(scene, clock=standing(100))


def test_a_correction_by_hand_is_pushed_and_served() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        open_time_ms = int(made_up(BTC).open_time_ms[99])
        await wire.subscribe("kline.15.BTCUSDT", "kline.60.BTCUSDT")
        await wire.hear(), await wire.hear()
        venue.correct(BTC, QUARTER_MS, open_time_ms, volume=1.5)
        (message,) = await heard(venue, wire, 1)
        assert message["data"][0]["volume"] == "1.5" and message["data"][0]["confirm"] is True

    on_wire(scene)


def test_ccxt_pro_watches_klines_of_both_markets_and_several_symbols() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        klines, spot = made_up(BTC), made_up(SPOT_BTC, seed=4)
        pairs = [[BTC, "15m"], [ETH, "1h"]]
        await exchange.watch_ohlcv_for_symbols(pairs)
        (row,) = await exchange.watch_ohlcv(SPOT_BTC, "15m")
        assert row[4] == spot.open[100]
        venue.clock.advance(HOUR_MS)
        told = await asyncio.wait_for(exchange.watch_ohlcv_for_symbols(pairs), PATIENCE_S)
        assert set(told) <= {BTC, ETH}
        while not (stored := exchange.ohlcvs[BTC]["15m"]) or stored[-1][0] < venue.clock.now_ms():
            await asyncio.wait_for(exchange.watch_ohlcv(BTC, "15m"), PATIENCE_S)
        assert [bar[4] for bar in stored][:4] == klines.close[100:104].tolist()

    at_venue(scene, pro=True, clock=standing(100))


def test_ccxt_pro_watches_ticker_trades_and_book() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        ticker = await exchange.watch_ticker(BTC)
        first = ticker["last"]
        book = await exchange.watch_order_book(BTC, 50)
        watching = asyncio.ensure_future(exchange.watch_trades(BTC))
        while not any(TRADES in one.topics for one in venue.core.streams.sessions.values()):
            await asyncio.sleep(0.01)
        venue.clock.advance(QUARTER_MS // 2)
        trades = await asyncio.wait_for(watching, PATIENCE_S)
        await venue.settled()
        later = exchange.tickers[BTC]
        assert later["last"] == trades[-1]["price"] != first
        assert later["info"].keys() == ticker["info"].keys()
        fetched = await exchange.fetch_order_book(BTC, 50)
        assert [level[:2] for level in book["bids"]] == fetched["bids"]
        assert [level[:2] for level in book["asks"]] == fetched["asks"]
        assert book["bids"][0][0] == round(later["last"] - 0.1, 1)
        assert np.all(np.diff([trade["timestamp"] for trade in trades]) > 0)

    at_venue(scene, pro=True, clock=standing(100))


def test_every_print_of_the_tape_is_streamed_once_and_adds_up_to_the_bar() -> None:
    async def scene(venue: VenueServer, wire: Wire) -> None:
        klines = made_up(BTC)
        await wire.subscribe(TRADES)
        trades: list[Message] = []
        for _ in range(9):
            venue.clock.advance(QUARTER_MS // 3)
            await venue.settled()
            trades += (await wire.hear())["data"]
        # The first print of bar 100 was there before the subscription.
        of_bar = [trade for trade in trades if trade["T"] < klines.open_time_ms[102]][60:]
        assert len(of_bar) == 61 and len({trade["i"] for trade in trades}) == len(trades)
        prices = [float(trade["p"]) for trade in of_bar]
        assert (prices[0], max(prices), min(prices), prices[-1]) == (
            *(klines.open[101], klines.high[101], klines.low[101], klines.close[101]),
        )
        assert round(sum(float(trade["v"]) for trade in of_bar), 3) == klines.volume[101]

    on_wire(scene)
