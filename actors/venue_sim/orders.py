"""An order of the venue's: what it is, what has become of it, and which requests make one.

Theory. Quantities and prices are decimals, as they come. A request is judged against the market's
rules before it becomes an order: a price off the tick, a quantity off the step or out of its range,
a worth below the least are refused with the venue's code. What happens to an order later (no
liquidity, post-only that would take) is a status and a reason of the order, never a refusal: the
acknowledgement says only that the request was accepted.

    conditional   Untriggered -> Triggered -> New
    otherwise                                New -> PartiallyFilled -> Filled
    any open one -> Cancelled (spot, after fills: PartiallyFilledCanceled)
    Untriggered -> Deactivated, if it is cancelled before it is triggered

Source: Bybit v5, "Place Order", "Amend Order", enums orderStatus, stopOrderType, cancelType.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from actors.venue_sim.listing import LINEAR, SPOT, Listed
from actors.venue_sim.rules import QTY_MAX_STEPS
from actors.venue_sim.wire import DIGITS_MAX, PARAMETER_ERROR, Refused, number_text, required

ZERO = Decimal(0)
BUY, SELL = "Buy", "Sell"
MARKET, LIMIT = "Market", "Limit"
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "PostOnly")
TRIGGER_PRICES = ("LastPrice", "MarkPrice", "IndexPrice")
LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
NOTIONAL_TOO_SMALL, REDUCES_NOTHING, LINK_ID_TWICE = 110094, 110017, 110072
PRICE_OUT_OF_RANGE, RISING_EXPECTED, FALLING_EXPECTED = 110003, 110092, 110093


class Status(StrEnum):
    """Where an order stands."""

    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    UNTRIGGERED = "Untriggered"
    REJECTED = "Rejected"
    PARTIALLY_FILLED_CANCELED = "PartiallyFilledCanceled"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    TRIGGERED = "Triggered"
    DEACTIVATED = "Deactivated"


OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED, Status.UNTRIGGERED})


@dataclass(slots=True, eq=False, kw_only=True)
class Order:
    """One order; `price` is None for a market order, `trigger_price` unless it is conditional.

    `qty` of a stop that covers the whole position follows it (`covers_position`). `value_max` is
    the quote that a spot market buy by value may spend.
    """

    order_id: str
    listed: Listed
    side: str
    order_type: str
    qty: Decimal
    created_ms: int
    link_id: str = ""
    price: Decimal | None = None
    time_in_force: str = "GTC"
    position_idx: int = 0
    reduce_only: bool = False
    close_on_trigger: bool = False
    status: Status = Status.NEW
    updated_ms: int = 0
    cancel_type: str = "UNKNOWN"
    reject_reason: str = "EC_NoError"
    create_type: str = "CreateByUser"
    trigger_price: Decimal | None = None
    trigger_direction: int = 0
    trigger_by: str = ""
    stop_order_type: str = ""
    covers_position: bool = False
    pair_id: str = ""
    value_max: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    tp_trigger_by: str = ""
    sl_trigger_by: str = ""
    tpsl_mode: str = ""
    tp_limit_price: Decimal | None = None
    sl_limit_price: Decimal | None = None
    last_price_on_created: Decimal = ZERO
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    cum_fee: Decimal = ZERO
    closed_pnl: Decimal = ZERO
    fee_coin: str = ""

    @property
    def is_open(self) -> bool:
        """Return whether the order can still be filled, amended or cancelled."""
        return self.status in OPEN

    @property
    def is_conditional(self) -> bool:
        """Return whether the order waits for its trigger."""
        return self.status is Status.UNTRIGGERED

    @property
    def is_stop(self) -> bool:
        """Return whether the venue files the order under StopOrder."""
        return self.stop_order_type != ""

    @property
    def leaves(self) -> Decimal:
        """Return what is left to fill; nothing once the order is closed."""
        is_waiting = self.is_open or self.status is Status.TRIGGERED
        return self.qty - self.cum_qty if is_waiting else ZERO

    @property
    def sign(self) -> int:
        """Return 1 for a buy, -1 for a sell."""
        return 1 if self.side == BUY else -1


def decimal(value: float) -> Decimal:
    """Return the decimal that a number is written as."""
    return Decimal(number_text(value))


def text(value: Decimal | None) -> str:
    """Return a decimal as the venue writes it, nothing for None."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    return format(value.normalize(), "f")


def number(body: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a number of a request, None if it was not sent.

    Raises: Refused if it is none, below zero or of more than `DIGITS_MAX` digits.
    """
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Refused(PARAMETER_ERROR, f"params error: {name} invalid") from None
    if not found.is_finite() or not 0 <= found < 10**DIGITS_MAX:
        raise Refused(PARAMETER_ERROR, f"params error: {name} invalid")
    return found


def one_of(body: Mapping[str, Any], name: str, values: tuple[str, ...], default: str) -> str:
    """Return a word of a request.

    Raises: Refused for a word that the venue does not know.
    """
    word = str(body.get(name) or default)
    if word not in values:
        raise Refused(PARAMETER_ERROR, f"params error: {name} invalid")
    return word


def flag(body: Mapping[str, Any], name: str) -> bool:
    """Return a yes or no of a request, no if it was not sent."""
    return body.get(name) in (True, "true", "True", 1, "1")


def order_of(
    body: Mapping[str, Any], listed: Listed, order_id: str, last: Decimal, now_ms: int
) -> Order:
    """Return the order that a request asks for.

    Raises: Refused for what the market's rules forbid.
    """
    side = one_of(body, "side", (BUY, SELL), "")
    order_type = one_of(body, "orderType", (MARKET, LIMIT), "")
    is_market = order_type == MARKET
    price = None if is_market else on_tick(listed, number(body, "price"), "price")
    if not is_market and price is None:
        raise Refused(PARAMETER_ERROR, "params error: price is required")
    time_in_force = "IOC" if is_market else one_of(body, "timeInForce", TIMES_IN_FORCE, "GTC")
    order = Order(
        order_id=order_id,
        listed=listed,
        side=side,
        order_type=order_type,
        qty=number(body, "qty") or ZERO,
        created_ms=now_ms,
        updated_ms=now_ms,
        link_id=link_id_of(body),
        price=price,
        time_in_force=time_in_force,
        position_idx=position_idx_of(body),
        reduce_only=flag(body, "reduceOnly"),
        close_on_trigger=flag(body, "closeOnTrigger"),
        last_price_on_created=last,
        fee_coin=listed.quote,
    )
    _condition(order, body, last)
    _attach(order, body)
    _size(order, body, last)
    return order


def _size(order: Order, body: Mapping[str, Any], last: Decimal) -> None:
    listed = order.listed
    required(body, "qty")
    if listed.category == SPOT:
        order.fee_coin = listed.base if order.side == BUY else listed.quote
        default = "quoteCoin" if order.side == BUY else "baseCoin"
        unit = one_of(body, "marketUnit", ("baseCoin", "quoteCoin"), default)
        if order.order_type == MARKET and unit == "quoteCoin":
            order.value_max = order.qty
            step = decimal(listed.instrument.qty_step)
            order.qty = order.qty / last // step * step
    check_size(order, order.price or last)


def check_size(order: Order, price: Decimal) -> None:
    """Raise Refused for a quantity or worth that the market does not take."""
    rules = order.listed.instrument
    if order.qty % decimal(rules.qty_step) or order.qty <= 0:
        raise Refused(PARAMETER_ERROR, "Qty invalid")
    if order.qty > decimal(rules.qty_of(QTY_MAX_STEPS)):
        raise Refused(PARAMETER_ERROR, "The number of contracts exceeds the maximum allowed")
    if order.qty < decimal(rules.qty_min):
        raise Refused(PARAMETER_ERROR, "The number of contracts is below the minimum allowed")
    if order.reduce_only:
        return
    if order.qty * price < decimal(rules.notional_min):
        least = f"{text(decimal(rules.notional_min))}{order.listed.quote}"
        raise Refused(NOTIONAL_TOO_SMALL, f"Order does not meet minimum order value {least}")


def _condition(order: Order, body: Mapping[str, Any], last: Decimal) -> None:
    """Make the order wait for its trigger, if it has one."""
    trigger = on_tick(order.listed, number(body, "triggerPrice"), "triggerPrice")
    if trigger is None or trigger == 0:
        return
    if order.listed.category != LINEAR:
        raise Refused(PARAMETER_ERROR, "conditional spot orders are not part of this venue")
    direction = str(body.get("triggerDirection") or "")
    if direction not in ("1", "2"):
        raise Refused(PARAMETER_ERROR, "params error: triggerDirection invalid")
    order.trigger_direction = int(direction)
    check_trigger_side(trigger, order.trigger_direction, last)
    order.trigger_price = trigger
    order.trigger_by = one_of(body, "triggerBy", TRIGGER_PRICES, "LastPrice")
    order.stop_order_type = "Stop"
    order.create_type = "CreateByStopOrder"
    order.status = Status.UNTRIGGERED


def check_trigger_side(trigger: Decimal, direction: int, last: Decimal) -> None:
    """Raise Refused for a trigger that the price has already passed."""
    if direction == 1 and trigger <= last:
        message = f"expect Rising, but trigger_price[{text(trigger)}] <= current[{text(last)}]"
        raise Refused(RISING_EXPECTED, f"{message}??LastPrice")
    if direction == 2 and trigger >= last:
        message = f"expect Falling, but trigger_price[{text(trigger)}] >= current[{text(last)}]"
        raise Refused(FALLING_EXPECTED, f"{message}??LastPrice")


def _attach(order: Order, body: Mapping[str, Any]) -> None:
    """Note the take profit and stop loss that the position is to get when the order fills."""
    order.take_profit = on_tick(order.listed, number(body, "takeProfit"), "takeProfit") or None
    order.stop_loss = on_tick(order.listed, number(body, "stopLoss"), "stopLoss") or None
    if order.take_profit is None and order.stop_loss is None:
        return
    if order.reduce_only or order.listed.category == SPOT:
        message = "take profit and stop loss need a derivatives order that is not reduce-only"
        raise Refused(PARAMETER_ERROR, message)
    order.tpsl_mode = one_of(body, "tpslMode", ("Full", "Partial"), "Full")
    if order.take_profit is not None:
        order.tp_trigger_by = one_of(body, "tpTriggerBy", TRIGGER_PRICES, "LastPrice")
    if order.stop_loss is not None:
        order.sl_trigger_by = one_of(body, "slTriggerBy", TRIGGER_PRICES, "LastPrice")
    order.tp_limit_price = number(body, "tpLimitPrice") or None
    order.sl_limit_price = number(body, "slLimitPrice") or None
    if order.tpsl_mode == "Full" and (order.tp_limit_price or order.sl_limit_price):
        raise Refused(PARAMETER_ERROR, "tpOrderType and slOrderType must be Market in Full mode")


def on_tick(listed: Listed, price: Decimal | None, name: str) -> Decimal | None:
    """Return a price that lies on the tick.

    Raises: Refused if it does not.
    """
    if price is not None and price % decimal(listed.instrument.tick_size):
        raise Refused(PARAMETER_ERROR, f"{name[:1].upper()}{name[1:]} invalid")
    return price


def link_id_of(body: Mapping[str, Any]) -> str:
    """Return the user's own id of an order, empty if it has none.

    Raises: Refused for one with other characters or more than 36 of them.
    """
    link_id = str(body.get("orderLinkId") or "")
    if link_id and not LINK_ID.fullmatch(link_id):
        raise Refused(PARAMETER_ERROR, "OrderLinkID invalid")
    return link_id


def position_idx_of(body: Mapping[str, Any]) -> int:
    """Return the position that a request means.

    Raises: Refused for other than 0, 1 and 2.
    """
    index = str(body.get("positionIdx") or "0")
    if index not in ("0", "1", "2"):
        raise Refused(PARAMETER_ERROR, "params error: positionIdx invalid")
    return int(index)
