"""Positions, their stops, funding and liquidation: unmodified ccxt against the local Bybit."""

import asyncio
from typing import Any

import ccxt
import pytest

from actors.venue_sim.server import VenueServer
from tests.contract.venue_bench import (
    BTC,
    ETH,
    QUARTER_MS,
    at_venue,
    made_up,
    made_up_funding,
    standing,
)
from tests.patience import PATIENCE_S

AT = 100
KLINES = made_up(BTC)
LAST = float(KLINES.open[AT])  # the price at which every scene begins
TICK = 0.1


def play(scene: Any, *, pro: bool = False, at: float = AT) -> None:
    at_venue(scene, clock=standing(at), signed=True, pro=pro)


async def position(exchange: Any, symbol: str = BTC) -> dict[str, Any]:
    (found,) = await exchange.fetch_positions([symbol])
    return dict(found)


def test_closing_realises_the_difference_and_fees() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.create_order(BTC, "market", "buy", 0.1)
        venue.clock.advance(5 * QUARTER_MS)
        await exchange.create_order(BTC, "market", "sell", 0.1, None, {"reduceOnly": True})
        close, opened = await exchange.fetch_my_trades(BTC)
        if close["side"] == "buy":
            close, opened = opened, close
        gross = 0.1 * (close["price"] - opened["price"])
        fees = close["fee"]["cost"] + opened["fee"]["cost"]
        balance = await exchange.fetch_balance()
        assert balance["USDT"]["total"] == pytest.approx(10_000 + gross - fees, abs=1e-6)
        assert float(close["info"]["closedSize"]) == 0.1
        held = await position(exchange)
        assert held["contracts"] == 0.0
        assert float(held["info"]["cumRealisedPnl"]) == pytest.approx(gross - fees, abs=1e-6)

    play(scene)


def test_an_opposite_order_flips_but_a_reducing_one_never_does() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        with pytest.raises(ccxt.InvalidOrder, match="110017"):
            await exchange.create_order(BTC, "market", "sell", 0.1, None, {"reduceOnly": True})
        await exchange.create_order(BTC, "market", "buy", 0.1)
        with pytest.raises(ccxt.InvalidOrder, match="110017"):
            await exchange.create_order(BTC, "market", "buy", 0.1, None, {"reduceOnly": True})
        await exchange.create_order(BTC, "market", "sell", 0.3, None, {"reduceOnly": True})
        assert (await position(exchange))["contracts"] == 0.0
        await exchange.create_order(BTC, "market", "buy", 0.1)
        await exchange.create_order(BTC, "market", "sell", 0.3)
        held = await position(exchange)
        assert (held["side"], held["contracts"]) == ("short", pytest.approx(0.2))

    play(scene)


def test_take_profit_and_stop_loss_of_an_order_guard_its_position() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        high, low = float(KLINES.high[AT]), float(KLINES.low[AT])
        far = {"takeProfit": {"triggerPrice": round(high * 1.2, 1)}}
        near = {"stopLoss": {"triggerPrice": round(low + 1, 1)}}
        await exchange.create_order(BTC, "market", "buy", 0.05, None, far | near)
        stops = await exchange.fetch_open_orders(BTC, params={"trigger": True})
        kinds = {order["info"]["stopOrderType"] for order in stops}
        assert kinds == {"TakeProfit", "StopLoss"}
        held = await position(exchange)
        assert (held["stopLossPrice"], held["takeProfitPrice"]) == (
            round(low + 1, 1),
            round(high * 1.2, 1),
        )
        venue.clock.advance(QUARTER_MS)
        assert (await position(exchange))["contracts"] == 0.0
        assert await exchange.fetch_open_orders(BTC, params={"trigger": True}) == []
        closed = await exchange.fetch_canceled_and_closed_orders(BTC)
        why = {order["info"]["stopOrderType"]: order["info"]["cancelType"] for order in closed}
        assert why["TakeProfit"] == "CancelByTpSlTsClear" and why["StopLoss"] == "UNKNOWN"

    play(scene)


def test_trading_stop_sets_moves_and_cancels_levels() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        query = {"category": "linear", "symbol": "BTCUSDT", "tpslMode": "Full", "positionIdx": 0}
        stop = exchange.private_post_v5_position_trading_stop
        with pytest.raises(ccxt.BadRequest, match="zero position"):
            await stop(query | {"stopLoss": str(round(LAST * 0.9, 1))})
        await exchange.create_order(BTC, "market", "buy", 0.05)
        for level in (round(LAST * 0.9, 1), round(LAST * 0.95, 1)):
            await stop(query | {"stopLoss": str(level)})
            (order,) = await exchange.fetch_open_orders(BTC, params={"trigger": True})
            assert order["triggerPrice"] == level and order["amount"] == 0.05
        await exchange.create_order(BTC, "market", "buy", 0.05)
        (order,) = await exchange.fetch_open_orders(BTC, params={"trigger": True})
        assert order["amount"] == 0.1
        with pytest.raises(ccxt.ExchangeError, match="34040"):
            await stop(query | {"stopLoss": str(round(LAST * 0.95, 1))})
        with pytest.raises(ccxt.BadRequest, match="should be lower"):
            await stop(query | {"stopLoss": str(round(LAST * 1.1, 1))})
        await stop(query | {"stopLoss": "0"})
        assert await exchange.fetch_open_orders(BTC, params={"trigger": True}) == []

    play(scene)


def test_of_a_partial_pair_the_triggered_one_cancels_the_other() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.create_order(BTC, "market", "buy", 0.1)
        levels = {
            "takeProfit": str(round(LAST * 1.3, 1)),
            "stopLoss": str(round(float(KLINES.low[AT]) + 1, 1)),
        }
        await exchange.private_post_v5_position_trading_stop(
            {"category": "linear", "symbol": "BTCUSDT", "tpslMode": "Partial", "positionIdx": 0}
            | levels
            | {"tpSize": "0.04", "slSize": "0.04"}
        )
        assert len(await exchange.fetch_open_orders(BTC, params={"trigger": True})) == 2
        venue.clock.advance(QUARTER_MS)
        assert (await position(exchange))["contracts"] == pytest.approx(0.06)
        closed = await exchange.fetch_canceled_and_closed_orders(BTC)
        why = {order["info"]["stopOrderType"]: order["info"]["cancelType"] for order in closed}
        assert why["PartialTakeProfit"] == "CancelByOCOTpCanceledBySlTriggered"

    play(scene)


def test_a_trailing_stop_follows_the_best_price() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.create_order(BTC, "market", "buy", 0.05)
        await exchange.private_post_v5_position_trading_stop(
            {"category": "linear", "symbol": "BTCUSDT", "tpslMode": "Full", "positionIdx": 0}
            | {"trailingStop": "300"}
        )
        best, bars = LAST, 0
        while (await position(exchange))["contracts"] and bars < 50:
            venue.clock.advance(QUARTER_MS)
            bars += 1
        highs = [float(high) for high in KLINES.high[AT : AT + bars]]
        exit_trade = max(await exchange.fetch_my_trades(BTC), key=lambda one: one["timestamp"])
        best = max([best, *highs])
        assert 0 < bars < 50 and exit_trade["side"] == "sell"
        assert best - 700 < exit_trade["price"] <= best - 300 + TICK

    play(scene)


def test_leverage_and_position_mode_are_set_once() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.set_leverage(20, BTC)
        assert (await exchange.fetch_leverage(BTC))["longLeverage"] == 20
        with pytest.raises(ccxt.ExchangeError, match="110043"):
            await exchange.set_leverage(20, BTC)
        with pytest.raises(ccxt.BadRequest, match="leverage invalid"):
            await exchange.set_leverage(101, BTC)
        await exchange.create_order(ETH, "market", "buy", 30)
        with pytest.raises(ccxt.ExchangeError, match="110044"):
            await exchange.set_leverage(5, ETH)
        await exchange.create_order(ETH, "market", "sell", 30)
        await exchange.set_position_mode(True, BTC)
        with pytest.raises(ccxt.ExchangeError, match="110025"):
            await exchange.set_position_mode(True, BTC)
        with pytest.raises(ccxt.BadRequest, match="position idx not match"):
            await exchange.create_order(BTC, "market", "buy", 0.01)
        for side, index in (("buy", 1), ("sell", 2)):
            order = (BTC, "market", side, 0.01, None, {"positionIdx": index})
            await exchange.create_order(*order)
        both = await exchange.fetch_positions([BTC])
        assert {one["side"] for one in both} == {"long", "short"}
        with pytest.raises(ccxt.ExchangeError, match="110024"):
            await exchange.set_position_mode(False, BTC)

    play(scene)


def test_funding_is_paid_at_its_hour_and_listed() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.create_order(BTC, "market", "buy", 0.1)
        before = (await exchange.fetch_balance())["USDT"]["total"]
        venue.clock.set(standing(4 * 32 + 1).now_ms())
        query = {"category": "linear", "execType": "Funding"}
        reply = await exchange.private_get_v5_execution_list(query)
        (paid,) = reply["result"]["list"]
        rate = float(made_up_funding().rate[4])
        assert float(paid["feeRate"]) == pytest.approx(rate)
        owed = 0.1 * float(paid["execPrice"]) * rate
        assert float(paid["execFee"]) == pytest.approx(owed, abs=1e-6)
        after = (await exchange.fetch_balance())["USDT"]["total"]
        assert after == pytest.approx(before - owed, abs=1e-6)

    play(scene, at=4 * 32 - 1)


def test_an_account_below_maintenance_is_liquidated() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.set_leverage(100, BTC)
        # 9.5 BTC bought with 10,000 USDT of margin are gone after a fall of about one percent.
        await exchange.create_order(BTC, "market", "buy", 9.5)
        held = await position(exchange)
        assert 0.98 * LAST < held["liquidationPrice"] < LAST
        far = round(LAST * 0.5, 1)
        await exchange.create_order(BTC, "limit", "buy", 0.001, far)
        for _ in range(400):
            venue.clock.advance(QUARTER_MS)
            if not (await position(exchange))["contracts"]:
                break
        query = {"category": "linear", "execType": "BustTrade"}
        reply = await exchange.private_get_v5_execution_list(query)
        (bust,) = reply["result"]["list"]
        assert float(bust["execQty"]) == 9.5
        assert float(bust["markPrice"]) <= held["liquidationPrice"] * 1.002
        assert await exchange.fetch_open_orders(BTC) == []
        assert 0 <= (await exchange.fetch_balance())["USDT"]["total"] < 9_000

    play(scene)


def test_private_streams_tell_orders_fills_positions_and_wallet() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        exchange.options["watchPositions"]["fetchPositionsSnapshot"] = False
        watching = [
            asyncio.ensure_future(watch())
            for watch in (
                exchange.watch_orders,
                exchange.watch_my_trades,
                exchange.watch_positions,
                exchange.watch_balance,
            )
        ]
        while sum(len(one.topics) for one in venue.core.private.sessions.values()) < 4:
            await asyncio.sleep(0.01)
        await exchange.create_order(BTC, "market", "buy", 0.02, None, {"clientOrderId": "told"})
        told = await asyncio.wait_for(asyncio.gather(*watching), PATIENCE_S)
        orders, trades, positions, balance = told
        assert orders[-1]["clientOrderId"] == "told"
        assert (trades[-1]["amount"], trades[-1]["side"]) == (0.02, "buy")
        assert positions[-1]["contracts"] == 0.02
        assert balance["USDT"]["total"] == pytest.approx(10_000, abs=5)
        await venue.settled()
        while exchange.orders[-1]["status"] != "closed":
            await asyncio.wait_for(exchange.watch_orders(), PATIENCE_S)

    play(scene, pro=True)
