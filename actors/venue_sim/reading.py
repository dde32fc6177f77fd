"""The signed routes that only read: orders, fills, positions, the wallet, and who the key is.

Source: Bybit v5, the pages under "Trade", "Position", "Account", "User" and "Asset".
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from actors.venue_sim import private_rows
from actors.venue_sim.account import MAKER, TAKER, Execution
from actors.venue_sim.listing import LINEAR, OPTION, SPOT, category_of
from actors.venue_sim.lists import is_asked, page, time_range
from actors.venue_sim.orders import ZERO, Order, one_of, text
from actors.venue_sim.positions import Position
from actors.venue_sim.trading import Desk
from actors.venue_sim.wire import PARAMETER_ERROR, Payload, Refused
from engines.klines import DAY_MS

Query = Mapping[str, str]
ORDER_KINDS = ("", "Order", "StopOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder")
# Of orders that ended without a fill the history keeps a day.
UNFILLED_KEPT_MS = DAY_MS


def realtime(desk: Desk, query: Query) -> Payload:
    """Return open orders, newest first; with `openOnly` 1, or an id, the recent closed ones too."""
    category = category_of(query)
    names = ("symbol", "baseCoin", "settleCoin", "orderId", "orderLinkId")
    if category == LINEAR and not any(query.get(name) for name in names):
        message = "params error: symbol, baseCoin or settleCoin is required"
        raise Refused(PARAMETER_ERROR, message)
    orders = desk.account.open_orders()
    if query.get("openOnly", "0") in ("1", "2"):
        orders = list(desk.account.closed)[-500:]
    elif query.get("orderId") or query.get("orderLinkId"):
        orders = list(desk.account.closed)[-500:] + orders
    return _order_page(orders, query, category)


def history(desk: Desk, query: Query) -> Payload:
    """Return closed orders, newest first; those without a fill for a day only."""
    category = category_of(query)
    start_ms, end_ms = time_range(query, desk.now_ms)
    kept = [
        order
        for order in desk.account.closed
        if start_ms <= order.created_ms <= end_ms
        and (order.cum_qty or order.updated_ms > desk.now_ms - UNFILLED_KEPT_MS)
        and query.get("orderStatus", str(order.status)) == order.status
    ]
    return _order_page(kept, query, category)


def _order_page(orders: Iterable[Order], query: Query, category: str) -> Payload:
    kind = one_of(query, "orderFilter", ORDER_KINDS, "")
    chosen = [
        order
        for order in orders
        if order.listed.category == category
        and _is_named(order, query)
        and (not kind or order.is_stop == (kind != "Order"))
    ]
    chosen.sort(key=lambda order: (order.created_ms, order.order_id), reverse=True)
    part, cursor = page(chosen, lambda order: order.order_id, query, default=20, highest=50)
    rows = [private_rows.order_row(order) for order in part]
    return {"list": rows, "nextPageCursor": cursor, "category": category}


def _is_named(order: Order, query: Query) -> bool:
    """Return whether an order is asked for: by its id, the user's id, or its market."""
    if order_id := query.get("orderId"):
        return order.order_id == order_id
    if link_id := query.get("orderLinkId"):
        return order.link_id == link_id
    return is_asked(query, order.listed)


def executions(desk: Desk, query: Query) -> Payload:
    """Return fills and funding payments, newest first."""
    category = category_of(query)
    start_ms, end_ms = time_range(query, desk.now_ms)
    kind = query.get("execType")
    chosen: list[Execution] = [
        one
        for one in reversed(desk.account.executions)
        if one.order.listed.category == category
        and start_ms <= one.match.time_ms <= end_ms
        and (not kind or one.match.kind == kind)
        and _is_named(one.order, query)
    ]
    part, cursor = page(chosen, lambda one: one.exec_id, query, default=50, highest=100)
    rows = [private_rows.execution_row(one) for one in part]
    return {"nextPageCursor": cursor, "category": category, "list": rows}


def positions(desk: Desk, query: Query) -> Payload:
    """Return positions: all of a symbol's, flat ones too, or the open ones of a coin."""
    category = category_of(query, (LINEAR, "inverse", OPTION))
    chosen: list[Position] = []
    if category == LINEAR:
        if symbol := query.get("symbol"):
            listed = desk.market.find(category, symbol)
            chosen = [desk.account.position(listed, i) for i in desk.account.indexes(listed)]
        elif query.get("settleCoin") or query.get("baseCoin"):
            chosen = [one for one in desk.account.holdings() if is_asked(query, one.listed)]
        else:
            raise Refused(PARAMETER_ERROR, "params error: symbol or settleCoin is required")
    part, cursor = page(
        chosen, lambda one: f"{one.listed.name}-{one.index}", query, default=20, highest=200
    )
    worth = desk.worth
    rows = [private_rows.position_row(one, worth) for one in part]
    return {"list": rows, "nextPageCursor": cursor, "category": category}


def wallet(desk: Desk, query: Query) -> Payload:
    """Return the wallet of the unified account."""
    if query.get("accountType") != "UNIFIED":
        raise Refused(PARAMETER_ERROR, "accountType only support UNIFIED.")
    asked = query.get("coin")
    coins = frozenset(asked.split(",")) if asked else None
    for coin in coins or ():
        desk.account.coins.setdefault(coin, ZERO)
    return {"list": [private_rows.wallet_row(desk.worth, coins)]}


def fee_rates(desk: Desk, query: Query) -> Payload:
    """Return what fills cost."""
    category = category_of(query, (LINEAR, SPOT))
    listed = desk.market.of(category)
    if symbol := query.get("symbol"):
        listed = [desk.market.find(category, symbol)]
    rates = {"takerFeeRate": text(TAKER[category]), "makerFeeRate": text(MAKER[category])}
    return {"list": [{"symbol": one.name, **rates} for one in listed]}


def account_modes(desk: Desk, query: Query) -> Payload:
    """Return the account's modes: unified, cross margin."""
    return {
        "marginMode": "REGULAR_MARGIN",
        "updatedTime": str(desk.now_ms),
        "unifiedMarginStatus": 6,
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def key_terms(desk: Desk, query: Query) -> Payload:
    """Return what the key that asks may do."""
    key = desk.key
    assert key is not None, "a signed request has a key"
    created = datetime.fromtimestamp(desk.now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": str(key.uid),
        "note": "practice",
        "apiKey": key.key,
        "readOnly": int(key.is_read_only),
        "secret": "",
        "permissions": {
            "ContractTrade": ["Order", "Position"],
            "Spot": ["SpotTrade"],
            "Wallet": ["AccountTransfer"],
            "Options": [],
            "Derivatives": ["DerivativesTrade"],
            "Exchange": [],
        },
        "ips": list(key.ips) or ["*"],
        "type": 1,
        "deadlineDay": 90,
        "expiredAt": created,
        "createdAt": created,
        "unified": 0,
        "uta": 1,
        "userID": key.uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": True,
    }


def coins(desk: Desk, query: Query) -> Payload:
    """Return the coins that the listed markets trade; none can be moved in or out."""
    listed = desk.market.listed.values()
    names = sorted({coin for one in listed for coin in (one.base, one.quote)})
    if asked := query.get("coin"):
        names = [name for name in names if name == asked]
    rows = [
        {
            "name": name,
            "coin": name,
            "remainAmount": "0",
            "chains": [],
        }
        for name in names
    ]
    return {"rows": rows}
