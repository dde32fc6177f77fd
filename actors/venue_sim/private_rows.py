"""Orders, fills, positions and the wallet as the venue's replies and private streams write them."""

from decimal import Decimal

from actors.venue_sim.account import CENT, Execution
from actors.venue_sim.listing import SPOT
from actors.venue_sim.orders import ZERO, Order, text
from actors.venue_sim.positions import Position
from actors.venue_sim.valuation import Valuation
from actors.venue_sim.wire import Payload, number_text

UNKNOWN = "UNKNOWN"


def money(value: Decimal) -> str:
    """Return an amount in the venue's eight decimals."""
    return text(value.quantize(CENT))


def order_row(order: Order) -> Payload:
    """Return an order as `order/realtime` and `order/history` list it."""
    is_linear = order.listed.category != SPOT
    return {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "blockTradeId": "",
        "symbol": order.listed.name,
        "price": text(order.price or ZERO),
        "qty": text(order.qty if order.value_max is None else order.value_max),
        "side": order.side,
        "isLeverage": "" if is_linear else "0",
        "positionIdx": order.position_idx,
        "orderStatus": str(order.status),
        "createType": order.create_type,
        "cancelType": order.cancel_type,
        "rejectReason": order.reject_reason,
        **_progress(order),
        "timeInForce": order.time_in_force,
        "orderType": order.order_type,
        "stopOrderType": order.stop_order_type,
        **_levels(order),
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": order.close_on_trigger,
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "placeType": "",
        "slippageToleranceType": UNKNOWN,
        "slippageTolerance": "",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
        "extraFees": "",
        "cumFeeDetail": {order.fee_coin: money(order.cum_fee)} if order.cum_qty else {},
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
    }


def _progress(order: Order) -> Payload:
    price = order.price or ZERO
    average = order.cum_value / order.cum_qty if order.cum_qty else None
    return {
        "avgPrice": "" if average is None else money(average),
        "leavesQty": text(order.leaves),
        "leavesValue": text(order.leaves * price),
        "cumExecQty": text(order.cum_qty),
        "cumExecValue": money(order.cum_value),
        "cumExecFee": money(order.cum_fee),
    }


def _levels(order: Order) -> Payload:
    return {
        "orderIv": "",
        "triggerPrice": text(order.trigger_price),
        "takeProfit": text(order.take_profit),
        "stopLoss": text(order.stop_loss),
        "tpTriggerBy": order.tp_trigger_by,
        "slTriggerBy": order.sl_trigger_by,
        "triggerDirection": order.trigger_direction,
        "triggerBy": order.trigger_by,
        "lastPriceOnCreated": text(order.last_price_on_created),
        "tpslMode": order.tpsl_mode,
        "tpLimitPrice": text(order.tp_limit_price),
        "slLimitPrice": text(order.sl_limit_price),
    }


def order_news(order: Order) -> Payload:
    """Return an order as the `order` stream tells it."""
    row = order_row(order)
    del row["slippageToleranceType"], row["slippageTolerance"], row["extraFees"]
    return row | {
        "category": order.listed.category,
        "closedPnl": money(order.closed_pnl),
        "feeCurrency": order.fee_coin if order.listed.category == SPOT else "",
    }


def execution_row(one: Execution) -> Payload:
    """Return a fill as `execution/list` lists it."""
    order = one.order
    return {
        "symbol": order.listed.name,
        "orderType": order.order_type if one.match.kind == "Trade" else UNKNOWN,
        "underlyingPrice": "",
        "orderLinkId": order.link_id,
        "side": order.side,
        "indexPrice": "",
        "orderId": order.order_id,
        "stopOrderType": order.stop_order_type or UNKNOWN,
        "leavesQty": text(one.leaves),
        "execTime": str(one.match.time_ms),
        "feeCurrency": order.fee_coin if order.listed.category == SPOT else "",
        "isMaker": one.match.is_maker,
        "execFee": money(one.fee),
        "feeRate": text(one.fee_rate),
        "execId": one.exec_id,
        "tradeIv": "",
        "blockTradeId": "",
        "markPrice": text(one.match.mark),
        "execPrice": text(one.match.price),
        "markIv": "",
        "orderQty": text(order.qty),
        "orderPrice": text(order.price or ZERO),
        "execValue": money(one.match.qty * one.match.price),
        "execType": one.match.kind,
        "execQty": text(one.match.qty),
        "closedSize": text(one.closed_size),
        "extraFees": "",
        "seq": one.match.sequence,
    }


def execution_news(one: Execution) -> Payload:
    """Return a fill as the `execution` stream tells it."""
    return execution_row(one) | {
        "category": one.order.listed.category,
        "isLeverage": "0",
        "marketUnit": "",
        "execPnl": money(one.pnl),
        "createType": one.order.create_type,
        "extraFees": [],
        "feeCurrency": one.order.fee_coin,
    }


def execution_fast_news(one: Execution) -> Payload:
    """Return a fill as the `execution.fast` stream tells it."""
    row = execution_news(one)
    names = ("category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker")
    return {name: row[name] for name in (*names, "orderLinkId", "side", "execTime", "seq")}


def position_row(one: Position, worth: Valuation) -> Payload:
    """Return a position as `position/list` lists it."""
    mark = worth.mark(one.listed)
    tier = one.tier(mark)
    return {
        "positionIdx": one.index,
        "riskId": one.listed.tiers.index(tier) + 1,
        "riskLimitValue": number_text(tier.notional_max),
        "symbol": one.listed.name,
        "side": one.side,
        "size": text(one.size),
        "avgPrice": money(one.entry_price),
        "positionValue": money(one.entry_value),
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 0 if one.signed_qty == 0 else 2,
        "leverage": text(one.leverage),
        "breakEvenPrice": money(one.entry_price),
        **_cover(one, worth),
        "tpslMode": "Full",
        "takeProfit": text(one.take_profit) if one.take_profit else "",
        "stopLoss": text(one.stop_loss) if one.stop_loss else "",
        "trailingStop": text(one.trailing),
        "unrealisedPnl": money(one.pnl_open(mark)) if one.signed_qty else "",
        "curRealisedPnl": money(one.pnl_here),
        "cumRealisedPnl": money(one.pnl_ever),
        "seq": one.sequence,
        "isReduceOnly": False,
        "mmrSysUpdateTime": "",
        "leverageSysUpdatedTime": "",
        "sessionAvgPrice": "",
        "createdTime": str(one.created_ms),
        "updatedTime": str(one.updated_ms),
        "openTime": one.opened_ms,
    }


def _cover(one: Position, worth: Valuation) -> Payload:
    mark = worth.mark(one.listed)
    margin, maintenance = money(one.margin_initial(mark)), money(one.margin_maintenance(mark))
    return {
        "positionBalance": margin,
        "markPrice": text(mark),
        "liqPrice": text(worth.price_liquidation(one)),
        "bustPrice": "",
        "positionMM": maintenance,
        "positionMMByMp": maintenance,
        "positionIM": margin,
        "positionIMByMp": margin,
    }


def position_news(one: Position, worth: Valuation) -> Payload:
    """Return a position as the `position` stream tells it."""
    row = position_row(one, worth)
    row["entryPrice"] = row.pop("avgPrice")
    row["mmrSysUpdatedTime"] = row.pop("mmrSysUpdateTime")
    row["category"] = one.listed.category
    for name in ("takeProfit", "stopLoss", "unrealisedPnl", "liqPrice", "sessionAvgPrice"):
        row[name] = row[name] or "0"
    return row


def wallet_row(worth: Valuation, coins: frozenset[str] | None = None) -> Payload:
    """Return the wallet as `wallet-balance` and the `wallet` stream write it.

    `coins` None: those that are not zero.
    """
    account = worth.account
    listed = [coin for coin, amount in account.coins.items() if amount or coin in (coins or ())]
    listed = [coin for coin in listed if coins is None or coin in coins]
    total_wallet = sum((account.coins[c] * worth.usd(c) for c in account.coins), ZERO)
    settled = [coin for coin in account.coins if coin in ("USDT", "USDC")]
    total_pnl = sum((worth.pnl_open(coin) for coin in settled), ZERO)
    initial = sum((worth.margin_positions(c) + worth.margin_orders(c) for c in settled), ZERO)
    maintenance = sum((worth.margin_maintenance(coin) for coin in settled), ZERO)
    margin_balance = total_wallet + total_pnl
    locked = sum((account.locked(coin) * worth.usd(coin) for coin in account.coins), ZERO)
    initial_rate = initial / margin_balance if margin_balance else ZERO
    maintenance_rate = maintenance / margin_balance if margin_balance else ZERO
    return {
        "totalEquity": money(margin_balance),
        "accountIMRate": text(round(initial_rate, 4)),
        "accountIMRateByMp": text(round(initial_rate, 4)),
        "totalMarginBalance": money(margin_balance),
        "totalInitialMargin": money(initial),
        "totalInitialMarginByMp": money(initial),
        "accountType": "UNIFIED",
        "totalAvailableBalance": money(margin_balance - initial - locked),
        "accountMMRate": text(round(maintenance_rate, 4)),
        "accountMMRateByMp": text(round(maintenance_rate, 4)),
        "totalPerpUPL": money(total_pnl),
        "totalWalletBalance": money(total_wallet),
        "accountLTV": "0",
        "totalMaintenanceMargin": money(maintenance),
        "totalMaintenanceMarginByMp": money(maintenance),
        "coin": [_coin_row(worth, coin) for coin in listed],
    }


def _coin_row(worth: Valuation, coin: str) -> Payload:
    account = worth.account
    equity = worth.equity(coin)
    return {
        "availableToBorrow": "",
        "bonus": "0",
        "accruedInterest": "0",
        "availableToWithdraw": "",
        "totalOrderIM": money(worth.margin_orders(coin)),
        "equity": money(equity),
        "totalPositionMM": money(worth.margin_maintenance(coin)),
        "usdValue": money(equity * worth.usd(coin)),
        "spotHedgingQty": "0",
        "unrealisedPnl": money(worth.pnl_open(coin)),
        "collateralSwitch": True,
        "borrowAmount": "0",
        "totalPositionIM": money(worth.margin_positions(coin)),
        "walletBalance": money(account.coins[coin]),
        "cumRealisedPnl": money(account.pnl_ever.get(coin, ZERO)),
        "locked": money(account.locked(coin)),
        "marginCollateral": True,
        "coin": coin,
        "spotBorrow": "0",
    }
