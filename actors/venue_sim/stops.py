"""A position's take profit, stop loss and trailing stop: orders that the venue keeps for it.

Theory. Each is a conditional order against the position. In Full mode there is one of a kind,
its quantity follows the position and a new level moves it. In Partial mode each request adds a
pair of its own size, and the one that is triggered cancels the other. A trailing stop is armed at
once, or where its active price is reached; its trigger then follows the best print at its distance.
When the position is flat they are all cancelled (CancelByTpSlTsClear).
Source: Bybit v5, "Set Trading Stop"; enums stopOrderType, createType, cancelType.
"""

from decimal import Decimal

from actors.venue_sim.account import Account
from actors.venue_sim.orders import BUY, LIMIT, MARKET, SELL, Order, Status
from actors.venue_sim.positions import STOP_LOSS, TAKE_PROFIT, TRAILING, Position

PARTIAL = {TAKE_PROFIT: "PartialTakeProfit", STOP_LOSS: "PartialStopLoss"}
CANCELS = {
    "PartialTakeProfit": "CancelByOCOSlCanceledByTpTriggered",
    "PartialStopLoss": "CancelByOCOTpCanceledBySlTriggered",
}


def of_kind(account: Account, position: Position, kind: str) -> Order | None:
    """Return the order that the venue keeps for a whole position, None without one."""
    for order in account.open_orders(position.listed):
        if order.position_idx == position.index and order.stop_order_type == kind:
            return order
    return None


def set_whole(
    account: Account,
    position: Position,
    kind: str,
    level: Decimal,
    now_ms: int,
    trigger_by: str = "LastPrice",
) -> None:
    """Set, move or (level 0) cancel the one take profit or stop loss of a position."""
    order = of_kind(account, position, kind)
    if level == 0:
        if order is not None:
            account.finish(order, now_ms, "CancelByUser")
        return
    if order is None:
        order = _new(account, position, kind, now_ms)
        order.covers_position = True
        order.tpsl_mode = "Full"
        _aim(order, position, kind, level, trigger_by)
        account.book(order)
        return
    _aim(order, position, kind, level, trigger_by)
    order.updated_ms = now_ms
    account.tell(order)


def add_pair(
    account: Account,
    position: Position,
    levels: dict[str, Decimal],
    limits: dict[str, Decimal | None],
    triggers: dict[str, str],
    qty: Decimal,
    now_ms: int,
) -> None:
    """Add a take profit, a stop loss or both for a part of a position."""
    pair_id = account.new_id("p") if len(levels) == 2 else ""
    for kind, level in levels.items():
        order = _new(account, position, PARTIAL[kind], now_ms)
        order.qty, order.pair_id, order.tpsl_mode = qty, pair_id, "Partial"
        limit = limits.get(kind)
        if limit is not None:
            order.order_type, order.price, order.time_in_force = LIMIT, limit, "GTC"
        _aim(order, position, kind, level, triggers.get(kind, "LastPrice"))
        account.book(order)


def set_trailing(
    account: Account,
    position: Position,
    distance: Decimal,
    active: Decimal | None,
    last: Decimal,
    now_ms: int,
) -> None:
    """Set, move or (distance 0) cancel a position's trailing stop."""
    position.trailing, position.trailing_from = distance, active
    position.best = last if active is None and distance else None
    order = of_kind(account, position, TRAILING)
    if distance == 0:
        if order is not None:
            account.finish(order, now_ms, "CancelByUser")
        return
    is_new = order is None
    order = order or _new(account, position, TRAILING, now_ms)
    order.covers_position = True
    order.trigger_by = "LastPrice"
    order.trigger_direction = 2 if position.signed_qty > 0 else 1
    order.trigger_price = _behind(position, active or last)
    if is_new:
        account.book(order)
    else:
        account.tell(order)


def trail(account: Account, position: Position, price: Decimal) -> None:
    """Let a position's trailing stop follow a print."""
    if position.trailing == 0 or position.signed_qty == 0:
        return
    side = 1 if position.signed_qty > 0 else -1
    if position.best is None:
        active = position.trailing_from
        if active is not None and (price - active) * side < 0:
            return
        position.best = price
    elif (price - position.best) * side > 0:
        position.best = price
    order = of_kind(account, position, TRAILING)
    if order is not None:
        order.trigger_price = _behind(position, position.best)


def is_reached(order: Order, position: Position, price: Decimal) -> bool:
    """Return whether a conditional order is released by the price that it watches."""
    if order.stop_order_type == TRAILING and position.best is None:
        return False
    assert order.trigger_price is not None, "a conditional order has a trigger"
    distance = price - order.trigger_price
    return distance >= 0 if order.trigger_direction == 1 else distance <= 0


def release(account: Account, order: Order, position: Position, now_ms: int) -> None:
    """Turn a conditional order whose trigger is reached into a live one."""
    if order.covers_position:
        order.qty = position.size
    if order.pair_id:
        for other in account.open_orders(order.listed):
            if other is not order and other.pair_id == order.pair_id:
                account.finish(other, now_ms, CANCELS[order.stop_order_type])
    order.status, order.updated_ms = Status.TRIGGERED, now_ms
    account.tell(order)
    order.status = Status.NEW
    if order.order_type == LIMIT:
        account.tell(order)


def follow(account: Account, position: Position) -> None:
    """Let the stops that cover a whole position show its present size."""
    for order in account.open_orders(position.listed):
        if order.covers_position and order.position_idx == position.index and order.is_conditional:
            order.qty = position.size


def blank(account: Account, position: Position, now_ms: int) -> Order:
    """Return a market order of the venue's own that would close a position."""
    return Order(
        order_id=account.new_id("o"),
        listed=position.listed,
        side=SELL if position.signed_qty > 0 else BUY,
        order_type=MARKET,
        qty=position.size,
        created_ms=now_ms,
        updated_ms=now_ms,
        time_in_force="IOC",
        position_idx=position.index,
        reduce_only=True,
        fee_coin=position.listed.quote,
    )


def _new(account: Account, position: Position, kind: str, now_ms: int) -> Order:
    order = blank(account, position, now_ms)
    order.close_on_trigger = True
    order.status = Status.UNTRIGGERED
    order.stop_order_type, order.create_type = kind, f"CreateBy{kind}"
    return order


def _aim(order: Order, position: Position, kind: str, level: Decimal, trigger_by: str) -> None:
    is_long = position.signed_qty > 0
    order.trigger_price, order.trigger_by = level, trigger_by
    order.trigger_direction = 1 if (kind == TAKE_PROFIT) == is_long else 2


def _behind(position: Position, best: Decimal) -> Decimal:
    return best - position.trailing if position.signed_qty > 0 else best + position.trailing
