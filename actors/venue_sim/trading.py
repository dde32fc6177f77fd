"""The signed routes that change something: orders, leverage, position mode, trading stop.

Each takes the desk of an account (its state and its engine at a time) and the request's body, and
returns the `result`. An acknowledgement says that a request was accepted; what became of the order
is told by the streams and the lists.
Source: Bybit v5, the pages under "Trade" and "Position".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from actors.venue_sim import checks, stops
from actors.venue_sim.account import Account
from actors.venue_sim.keyring import ApiKey
from actors.venue_sim.listing import LINEAR, SPOT, Listed, Market, category_of
from actors.venue_sim.lists import is_asked
from actors.venue_sim.matching import Matching
from actors.venue_sim.orders import (
    LINK_ID_TWICE,
    MARKET,
    TRIGGER_PRICES,
    Order,
    check_size,
    check_trigger_side,
    number,
    on_tick,
    one_of,
    order_of,
    position_idx_of,
)
from actors.venue_sim.positions import STOP_LOSS, TAKE_PROFIT, Position
from actors.venue_sim.valuation import Valuation
from actors.venue_sim.wire import PARAMETER_ERROR, Payload, Refused, required

Body = Mapping[str, Any]

NO_ORDER, QTY_BELOW_FILLED, SPOT_NO_ORDER, SPOT_LINK_ID_TWICE = 110001, 110064, 170213, 170141
MODE_SAME, HAS_POSITION, HAS_ORDERS, LEVERAGE_SAME = 110025, 110024, 110028, 110043
LEVERAGE_TOO_HIGH, LEVELS_SAME = 110013, 34040
MARGIN_TOO_SMALL = 110044
LEVERAGE_MAX = Decimal(100)
AMENDABLE = ("qty", "price", "trigger_price", "take_profit", "stop_loss")


@dataclass(slots=True)
class Desk:
    """An account, its engine and the time at which it is asked."""

    account: Account
    engine: Matching
    market: Market
    now_ms: int
    key: ApiKey | None = None

    @property
    def worth(self) -> Valuation:
        """Return what the account is worth now."""
        return self.engine.at(self.now_ms)


def create(desk: Desk, body: Body) -> Payload:
    """Place an order."""
    listed = _market_of(desk, body)
    checks.is_live(desk.worth, listed)
    last = desk.worth.last(listed)
    order = order_of(body, listed, desk.account.new_id("o"), last, desk.now_ms)
    if order.link_id in desk.account.link_ids:
        code = LINK_ID_TWICE if listed.category == LINEAR else SPOT_LINK_ID_TWICE
        raise Refused(code, "OrderLinkedID is duplicate")
    checks.room(desk.worth, order)
    if listed.category == LINEAR:
        _check_index(desk.account, listed, order.position_idx)
    checks.reduces(desk.worth, order)
    checks.attached(desk.worth, order)
    checks.reach(desk.worth, order)
    checks.funds(desk.worth, order)
    desk.engine.accept(order, desk.now_ms)
    return _acknowledged(desk, order)


def amend(desk: Desk, body: Body) -> Payload:
    """Change quantity, price, trigger or levels of an open order."""
    order = _open_order(desk, body)
    checks.is_live(desk.worth, order.listed)
    before = {name: getattr(order, name) for name in AMENDABLE}
    try:
        _change(desk, order, body)
    except Refused:
        for name, value in before.items():
            setattr(order, name, value)
        raise
    order.updated_ms = desk.now_ms
    desk.account.tell(order)
    if not order.is_conditional:
        desk.engine.take(order, desk.now_ms)
    return _acknowledged(desk, order)


def _change(desk: Desk, order: Order, body: Body) -> None:
    """Put what a request asks for into an open order, and judge the outcome as a new one."""
    last = desk.worth.last(order.listed)
    qty = number(body, "qty")
    if qty is not None:
        if qty <= order.cum_qty:
            message = "the modified quantity must be above the filled one"
            raise Refused(QTY_BELOW_FILLED, message)
        order.qty = qty
    price = on_tick(order.listed, number(body, "price"), "price")
    if price is not None and order.order_type != MARKET:
        order.price = price
    trigger = on_tick(order.listed, number(body, "triggerPrice"), "triggerPrice")
    if trigger is not None and order.is_conditional:
        check_trigger_side(trigger, order.trigger_direction, last)
        order.trigger_price = trigger
    order.take_profit = _amended(body, "takeProfit", order.take_profit, order.listed)
    order.stop_loss = _amended(body, "stopLoss", order.stop_loss, order.listed)
    check_size(order, order.price or last)
    checks.attached(desk.worth, order)
    checks.reach(desk.worth, order)
    checks.funds(desk.worth, order)


def cancel(desk: Desk, body: Body) -> Payload:
    """Cancel an open order."""
    order = _open_order(desk, body)
    desk.account.finish(order, desk.now_ms, "CancelByUser", "EC_PerCancelRequest")
    return _acknowledged(desk, order)


def cancel_all(desk: Desk, body: Body) -> Payload:
    """Cancel the open orders of a symbol, a base coin or a settlement coin."""
    category = category_of(body, (LINEAR, SPOT))
    names = ("symbol", "baseCoin", "settleCoin")
    if category == LINEAR and not any(body.get(name) for name in names):
        raise Refused(PARAMETER_ERROR, "params error: symbol, baseCoin or settleCoin is required")
    if body.get("symbol"):
        desk.market.find(category, str(body["symbol"]))
    kinds = one_of(body, "orderFilter", ("", "Order", "StopOrder", "tpslOrder"), "")
    # stopOrderType=Stop spares the stops of positions.
    own = one_of(body, "stopOrderType", ("", "Stop"), "")
    found = [
        order
        for order in desk.account.open_orders()
        if order.listed.category == category
        and is_asked(body, order.listed)
        and (not kinds or order.is_stop == (kinds != "Order"))
        and (kinds != "StopOrder" or own in ("", order.stop_order_type))
    ]
    for order in found:
        desk.account.finish(order, desk.now_ms, "CancelByUser", "EC_PerCancelRequest")
    return {"list": [_acknowledged(desk, order) for order in found], "success": "1"}


def set_leverage(desk: Desk, body: Body) -> Payload:
    """Set a perpetual's leverage, the same for both sides (cross margin)."""
    listed = _market_of(desk, body, (LINEAR,))
    buy, sell = required(body, "buyLeverage"), required(body, "sellLeverage")
    leverage, other = number(body, "buyLeverage"), number(body, "sellLeverage")
    if buy != sell or leverage is None or leverage != other or not 1 <= leverage <= LEVERAGE_MAX:
        raise Refused(PARAMETER_ERROR, "leverage invalid")
    position = desk.account.position(listed, desk.account.indexes(listed)[0])
    if leverage == position.leverage:
        raise Refused(LEVERAGE_SAME, "leverage not modified")
    mark = desk.worth.mark(listed)
    if leverage > Decimal(repr(position.tier(mark).leverage_max)):
        raise Refused(LEVERAGE_TOO_HIGH, "cannot set leverage due to risk limit level")
    sides = [desk.account.position(listed, index) for index in desk.account.indexes(listed)]
    before = position.leverage
    for side in sides:
        side.leverage = leverage
    if leverage < before and desk.worth.available(listed.quote) < 0:
        for side in sides:
            side.leverage = before
        raise Refused(MARGIN_TOO_SMALL, "available margin is insufficient")
    desk.account.leverage[listed.name] = leverage
    for side in sides:
        side.updated_ms = desk.now_ms
        desk.account.note(side)
    return {}


def switch_mode(desk: Desk, body: Body) -> Payload:
    """Switch perpetuals between one-way (0) and hedge mode (3): one symbol, or a coin's all."""
    category_of(body, (LINEAR,))
    mode = required(body, "mode")
    if mode not in ("0", "3"):
        raise Refused(PARAMETER_ERROR, "params error: mode invalid")
    if body.get("symbol"):
        chosen = [desk.market.find(LINEAR, str(body["symbol"]))]
    else:
        coin = required(body, "coin")
        chosen = [one for one in desk.market.of(LINEAR) if one.quote == coin]
    for listed in chosen:
        if reason := _mode_refusal(desk.account, listed, mode == "3"):
            if body.get("symbol"):
                raise reason
            continue
        toggle = desk.account.hedged.add if mode == "3" else desk.account.hedged.discard
        toggle(listed.name)
    return {}


def trading_stop(desk: Desk, body: Body) -> Payload:
    """Set, move or cancel the take profit, stop loss and trailing stop of a position."""
    listed = _market_of(desk, body, (LINEAR,))
    index = position_idx_of(body)
    _check_index(desk.account, listed, index)
    position = desk.account.position(listed, index)
    if position.signed_qty == 0:
        raise Refused(PARAMETER_ERROR, "can not set tp/sl/ts for zero position")
    mode = one_of(body, "tpslMode", ("Full", "Partial"), "Full")
    levels = {
        kind: level
        for kind, name in ((TAKE_PROFIT, "takeProfit"), (STOP_LOSS, "stopLoss"))
        if (level := on_tick(listed, number(body, name), name)) is not None
    }
    distance = on_tick(listed, number(body, "trailingStop"), "trailingStop")
    _check_levels(desk, position, levels, distance, mode)
    triggers = {
        TAKE_PROFIT: one_of(body, "tpTriggerBy", TRIGGER_PRICES, "LastPrice"),
        STOP_LOSS: one_of(body, "slTriggerBy", TRIGGER_PRICES, "LastPrice"),
    }
    if mode == "Partial" and levels:
        _add_partial(desk, position, body, levels, triggers)
    else:
        for kind, level in levels.items():
            stops.set_whole(desk.account, position, kind, level, desk.now_ms, triggers[kind])
    if distance is not None:
        active = on_tick(listed, number(body, "activePrice"), "activePrice") or None
        last = desk.worth.last(listed)
        stops.set_trailing(desk.account, position, distance, active, last, desk.now_ms)
    position.updated_ms = desk.now_ms
    desk.account.note(position)
    return {}


def _add_partial(
    desk: Desk,
    position: Position,
    body: Body,
    levels: dict[str, Decimal],
    triggers: dict[str, str],
) -> None:
    sizes = {number(body, name) for name in ("tpSize", "slSize")} - {None}
    if len(sizes) != 1:
        raise Refused(PARAMETER_ERROR, "tpSize and slSize must be given and equal")
    (size,) = sizes
    assert size is not None, "None was taken out"
    if not 0 < size <= position.size:
        raise Refused(PARAMETER_ERROR, "tpSize and slSize must not be above the position's size")
    limits = {
        TAKE_PROFIT: number(body, "tpLimitPrice") or None,
        STOP_LOSS: number(body, "slLimitPrice") or None,
    }
    stops.add_pair(desk.account, position, levels, limits, triggers, size, desk.now_ms)


def _check_levels(
    desk: Desk,
    position: Position,
    levels: dict[str, Decimal],
    distance: Decimal | None,
    mode: str,
) -> None:
    have = {TAKE_PROFIT: position.take_profit, STOP_LOSS: position.stop_loss}
    is_same = all(have[kind] == level for kind, level in levels.items())
    if mode == "Full" and is_same and distance in (None, position.trailing):
        raise Refused(LEVELS_SAME, "not modified")
    sign = 1 if position.signed_qty > 0 else -1
    checks.levels(levels, sign, desk.worth.last(position.listed))


def _market_of(desk: Desk, body: Body, categories: tuple[str, ...] = (LINEAR, SPOT)) -> Listed:
    return desk.market.find(category_of(body, categories), required(body, "symbol"))


def _open_order(desk: Desk, body: Body) -> Order:
    listed = _market_of(desk, body)
    order_id, link_id = body.get("orderId"), body.get("orderLinkId")
    if not order_id and not link_id:
        raise Refused(PARAMETER_ERROR, "params error: orderId or orderLinkId is required")
    for order in desk.account.open_orders(listed):
        if order.order_id == order_id or (not order_id and order.link_id == link_id):
            return order
    code = NO_ORDER if listed.category == LINEAR else SPOT_NO_ORDER
    raise Refused(code, "order not exists or too late to cancel")


def _check_index(account: Account, listed: Listed, index: int) -> None:
    if index not in account.indexes(listed):
        raise Refused(PARAMETER_ERROR, "position idx not match position mode")


def _mode_refusal(account: Account, listed: Listed, to_hedge: bool) -> Refused | None:
    if (listed.name in account.hedged) == to_hedge:
        return Refused(MODE_SAME, "Position mode is not modified")
    if any(one.listed is listed for one in account.holdings()):
        return Refused(HAS_POSITION, "Position exists, so the position mode cannot be switched")
    if account.open_orders(listed):
        return Refused(HAS_ORDERS, "Open orders exist, so the position mode cannot be switched")
    return None


def _amended(body: Body, name: str, before: Decimal | None, listed: Listed) -> Decimal | None:
    level = on_tick(listed, number(body, name), name)
    return before if level is None else level or None


def _acknowledged(desk: Desk, order: Order) -> Payload:
    """Return an order's ids; its position is told again, changed or not, as the venue does."""
    if order.listed.category == LINEAR:
        desk.account.note(desk.account.position(order.listed, order.position_idx))
    return {"orderId": order.order_id, "orderLinkId": order.link_id}
