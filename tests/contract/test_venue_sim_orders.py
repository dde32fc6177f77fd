"""Orders and their fills: unmodified ccxt against the local Bybit."""

from typing import Any

import ccxt
import pytest

from actors.venue_sim.server import VenueServer
from tests.contract.venue_bench import (
    BTC,
    ETH,
    QUARTER_MS,
    SPOT_BTC,
    at_venue,
    made_up,
    standing,
)

TAKER, MAKER = 0.00055, 0.0002
AT = 100
KLINES = made_up(BTC)
LAST = float(KLINES.open[AT])  # the price at which every scene begins
TICK = 0.1


def play(scene: Any, *, pro: bool = False, at: float = AT) -> None:
    at_venue(scene, clock=standing(at), signed=True, pro=pro)


async def position(exchange: Any, symbol: str = BTC) -> dict[str, Any]:
    (found,) = await exchange.fetch_positions([symbol])
    return dict(found)


def test_a_market_order_takes_the_book_and_opens_a_position() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        order = await exchange.create_order(BTC, "market", "buy", 0.02)
        ask = round(LAST + TICK, 1)
        (closed,) = await exchange.fetch_closed_orders(BTC)
        assert closed["id"] == order["id"]
        assert (closed["status"], closed["filled"], closed["average"]) == ("closed", 0.02, ask)
        (trade,) = await exchange.fetch_my_trades(BTC)
        assert (trade["price"], trade["amount"], trade["takerOrMaker"]) == (ask, 0.02, "taker")
        assert trade["fee"]["cost"] == pytest.approx(0.02 * ask * TAKER, abs=1e-8)
        held = await position(exchange)
        assert (held["side"], held["contracts"], held["entryPrice"]) == ("long", 0.02, ask)
        balance = await exchange.fetch_balance()
        assert balance["USDT"]["total"] == pytest.approx(10_000 - trade["fee"]["cost"], abs=1e-6)

    play(scene)


def test_a_large_market_order_walks_the_levels_of_the_book() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.set_leverage(100, BTC)
        await exchange.create_order(BTC, "market", "sell", 2.5)
        trades = await exchange.fetch_my_trades(BTC)
        book = await exchange.fetch_order_book(BTC, 3)
        taken = sorted(((t["price"], t["amount"]) for t in trades), reverse=True)
        assert taken[:2] == [tuple(level) for level in book["bids"][:2]]
        assert sum(amount for _, amount in taken) == pytest.approx(2.5)
        assert (await position(exchange))["side"] == "short"

    play(scene)


def test_a_resting_limit_order_fills_as_maker_at_its_own_price() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        price = round(float(KLINES.low[AT]) + 3.0, 1)
        order = await exchange.create_order(
            BTC, "limit", "buy", 0.05, price, {"clientOrderId": "rests"}
        )
        (waiting,) = await exchange.fetch_open_orders(BTC)
        assert (waiting["status"], waiting["price"]) == ("open", price)
        used = (await exchange.fetch_balance())["USDT"]["used"]
        assert used == pytest.approx(0.05 * price / 10, rel=1e-6)
        venue.clock.advance(QUARTER_MS)
        assert await exchange.fetch_open_orders(BTC) == []
        trades = await exchange.fetch_my_trades(BTC)
        assert {trade["price"] for trade in trades} == {price}
        assert {trade["takerOrMaker"] for trade in trades} == {"maker"}
        assert {trade["order"] for trade in trades} == {order["id"]}
        assert sum(trade["amount"] for trade in trades) == pytest.approx(0.05)
        fees = sum(trade["fee"]["cost"] for trade in trades)
        assert fees == pytest.approx(0.05 * price * MAKER, abs=1e-6)

    play(scene)


def test_a_touched_limit_order_fills_no_more_than_was_printed() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.set_leverage(100, BTC)
        low = float(KLINES.low[AT])
        printed = float(KLINES.volume[AT]) / 61
        await exchange.create_order(BTC, "limit", "buy", 10.0, low)
        venue.clock.advance(QUARTER_MS)
        orders = await exchange.fetch_open_orders(BTC)
        filled = sum(trade["amount"] for trade in await exchange.fetch_my_trades(BTC))
        touched_once = float(KLINES.low[AT]) == low and printed < 10
        assert touched_once and filled == pytest.approx(printed, abs=0.001)
        assert orders[0]["filled"] == pytest.approx(filled)
        assert orders[0]["remaining"] == pytest.approx(10 - filled)

    play(scene)


def test_orders_are_amended_and_cancelled_by_either_id() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        far = round(LAST * 0.9, 1)
        mine = {"clientOrderId": "mine"}
        order = await exchange.create_order(BTC, "limit", "buy", 0.01, far, mine)
        await exchange.edit_order(order["id"], BTC, "limit", "buy", 0.02, far - 10)
        (changed,) = await exchange.fetch_open_orders(BTC)
        assert (changed["amount"], changed["price"]) == (0.02, round(far - 10, 1))
        await exchange.cancel_order("", BTC, {"orderLinkId": "mine"})
        assert await exchange.fetch_open_orders(BTC) == []
        (gone,) = await exchange.fetch_canceled_orders(BTC)
        assert (gone["clientOrderId"], gone["status"]) == ("mine", "canceled")
        with pytest.raises(ccxt.OrderNotFound, match="110001"):
            await exchange.cancel_order(order["id"], BTC)
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.edit_order(order["id"], BTC, "limit", "buy", 0.02, far)

    play(scene)


def test_an_order_amended_through_the_market_takes_at_once() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        order = await exchange.create_order(BTC, "limit", "buy", 0.01, round(LAST * 0.9, 1))
        await exchange.edit_order(order["id"], BTC, "limit", "buy", None, round(LAST + 5, 1))
        (trade,) = await exchange.fetch_my_trades(BTC)
        assert trade["price"] == round(LAST + TICK, 1)

    play(scene)


def test_cancel_all_takes_one_market_or_all_of_a_coin() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        last_eth = (await exchange.fetch_ticker(ETH))["last"]
        for symbol, price in ((BTC, LAST), (BTC, LAST), (ETH, last_eth)):
            await exchange.create_order(symbol, "limit", "buy", 0.1, round(price * 0.9, 1))
            venue.clock.advance(1)
        assert len(await exchange.cancel_all_orders(ETH)) == 1
        assert len(await exchange.fetch_open_orders()) == 2
        assert len(await exchange.cancel_all_orders()) == 2
        assert await exchange.fetch_open_orders() == []

    play(scene)


@pytest.mark.parametrize(
    ("offset", "options", "status", "filled"),
    [
        (5.0, {"timeInForce": "IOC"}, "closed", 0.01),
        (-5.0, {"timeInForce": "IOC"}, "canceled", 0.0),
        (5.0, {"timeInForce": "FOK"}, "closed", 0.01),
        (-5.0, {"timeInForce": "FOK"}, "canceled", 0.0),
        (5.0, {"postOnly": True}, "canceled", 0.0),
    ],
)
def test_time_in_force_decides_what_is_left(
    offset: float, options: dict[str, Any], status: str, filled: float
) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        price = round(LAST + offset, 1)
        await exchange.create_order(BTC, "limit", "buy", 0.01, price, options)
        assert await exchange.fetch_open_orders(BTC) == []
        (order,) = await exchange.fetch_canceled_and_closed_orders(BTC)
        assert (order["status"], order["filled"]) == (status, filled)
        if options.get("postOnly"):
            assert order["info"]["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"

    play(scene)


def test_a_fill_or_kill_beyond_the_levels_in_reach_fills_nothing() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.set_leverage(100, BTC)
        price = round(LAST + 2 * TICK, 1)
        await exchange.create_order(BTC, "limit", "buy", 5, price, {"timeInForce": "FOK"})
        assert await exchange.fetch_my_trades(BTC) == []
        await exchange.create_order(BTC, "limit", "buy", 5, price, {"timeInForce": "IOC"})
        trades = await exchange.fetch_my_trades(BTC)
        assert sum(trade["amount"] for trade in trades) == pytest.approx(2.1)

    play(scene)


@pytest.mark.parametrize(("direction", "kind"), [("ascending", "high"), ("descending", "low")])
def test_a_conditional_order_waits_for_its_price(direction: str, kind: str) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        extreme = float(getattr(KLINES, kind)[AT])
        trigger = round((LAST + extreme) / 2, 1)
        options = {"triggerPrice": trigger, "triggerDirection": direction}
        await exchange.create_order(BTC, "market", "buy", 0.01, None, options)
        (waiting,) = await exchange.fetch_open_orders(BTC, params={"trigger": True})
        assert waiting["info"]["orderStatus"] == "Untriggered"
        assert (await exchange.fetch_balance())["USDT"]["used"] == 0
        venue.clock.advance(QUARTER_MS)
        assert await exchange.fetch_open_orders(BTC, params={"trigger": True}) == []
        (trade,) = await exchange.fetch_my_trades(BTC)
        beyond = trade["price"] - trigger
        assert beyond >= 0 if direction == "ascending" else beyond <= TICK
        assert abs(beyond) < abs(extreme - LAST) / 10

    play(scene)


def test_a_trigger_that_has_passed_is_refused() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        for direction, price, code in (
            ("ascending", LAST - 10, "110092"),
            ("descending", LAST + 10, "110093"),
        ):
            options = {"triggerPrice": round(price, 1), "triggerDirection": direction}
            with pytest.raises(ccxt.ExchangeError, match=code):
                await exchange.create_order(BTC, "market", "buy", 0.01, None, options)

    play(scene)


@pytest.mark.parametrize(
    ("order", "error", "code"),
    [
        (("market", "buy", 0.0001), ccxt.InvalidOrder, None),
        (("limit", "buy", 100.0, LAST), ccxt.InsufficientFunds, "110007"),
        (("limit", "buy", 0.01, round(LAST * 1.1, 1)), ccxt.InvalidOrder, "110003"),
        (("limit", "sell", 0.01, round(LAST * 0.9, 1)), ccxt.InvalidOrder, "110003"),
    ],
)
def test_an_order_that_the_rules_forbid_is_refused(
    order: tuple[Any, ...], error: type[Exception], code: str | None
) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        with pytest.raises(error, match=code):
            await exchange.create_order(BTC, *order)

    play(scene)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"qty": "0.0005"}, 10001),
        ({"qty": "-1"}, 10001),
        ({"qty": ""}, 10001),
        ({"price": "90000.05"}, 10001),
        ({"side": "Long"}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"timeInForce": "GTD"}, 10001),
        ({"orderLinkId": "with space"}, 10001),
        ({"orderLinkId": "x" * 37}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"symbol": "NOPEUSDT"}, 10001),
        ({"category": "swap"}, 10001),
        ({"price": "1000", "qty": "0.001"}, 110094),
        ({"takeProfit": "100000", "reduceOnly": True}, 10001),
    ],
)
def test_a_request_with_a_wrong_field_is_refused(change: dict[str, Any], code: int) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        body = {
            "category": "linear",
            "symbol": "BTCUSDT",
            "side": "Buy",
            "orderType": "Limit",
            "qty": "0.01",
            "price": "80000",
        }
        with pytest.raises(ccxt.ExchangeError, match=f'"retCode":{code}'):
            await exchange.private_post_v5_order_create(body | change)

    play(scene)


def test_spot_orders_move_coins() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        last = (await exchange.fetch_ticker(SPOT_BTC))["last"]
        await exchange.create_order(SPOT_BTC, "market", "buy", 0.05)
        balance = await exchange.fetch_balance()
        assert balance["BTC"]["total"] == pytest.approx(0.05 * (1 - 0.001))
        cost = 0.05 * round(last + TICK, 1)
        assert balance["USDT"]["total"] == pytest.approx(10_000 - cost, abs=1e-6)
        await exchange.create_order(SPOT_BTC, "limit", "sell", 0.02, round(last * 1.1, 1))
        balance = await exchange.fetch_balance()
        assert balance["BTC"]["used"] == 0.02
        with pytest.raises(ccxt.InsufficientFunds, match="170131"):
            await exchange.create_order(SPOT_BTC, "limit", "sell", 0.04, round(last * 1.1, 1))
        await exchange.create_market_buy_order_with_cost(SPOT_BTC, 500)
        trades = await exchange.fetch_my_trades(SPOT_BTC)
        spent = max(trades, key=lambda one: int(one["id"][-12:]))
        assert 500 - 0.001 * last < spent["cost"] <= 500

    play(scene)


def test_lists_page_by_cursor_newest_first() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        for step in range(7):
            await exchange.create_order(BTC, "limit", "buy", 0.001, round(LAST * 0.9, 1) - step)
            venue.clock.advance(500)
        query = {"category": "linear", "symbol": "BTCUSDT", "limit": 3}
        prices, pages = [], 0
        while True:
            reply = await exchange.private_get_v5_order_realtime(query)
            prices += [float(row["price"]) for row in reply["result"]["list"]]
            pages += 1
            if not (cursor := reply["result"]["nextPageCursor"]):
                break
            query["cursor"] = cursor
        assert pages == 3 and prices == sorted(prices) and len(prices) == 7

    play(scene)


def test_orders_go_through_the_order_stream_too() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        # The order stream is timed by ccxt's other clock; past its bars the venue would not trade.
        exchange.milliseconds = venue.clock.now_ms
        price = round(float((await exchange.fetch_ticker(BTC))["last"]) * 0.9, 1)
        order = await exchange.create_order_ws(BTC, "limit", "buy", 0.01, price)
        await exchange.edit_order_ws(order["id"], BTC, "limit", "buy", 0.02, price)
        (waiting,) = await exchange.fetch_open_orders(BTC)
        assert (waiting["id"], waiting["amount"]) == (order["id"], 0.02)
        await exchange.cancel_order_ws(order["id"], BTC)
        assert await exchange.fetch_open_orders(BTC) == []
        with pytest.raises(ccxt.OrderNotFound, match="110001"):
            await exchange.cancel_order_ws(order["id"], BTC)

    play(scene, pro=True)
