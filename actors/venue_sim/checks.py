"""What the state of the account and of the market forbids an order, new or changed.

Theory. `orders` judges a request by itself; here it is judged beside everything else that the
account holds. A waiting order that is amended is judged as if it were new: what it held before
counts as free. So what all orders together may spend is never more than there is.
Source: Bybit v5, "Place Order", "Amend Order"; error codes.
"""

from collections.abc import Mapping
from decimal import Decimal

from actors.venue_sim.account import ORDERS_MAX
from actors.venue_sim.listing import LINEAR, SPOT, Listed
from actors.venue_sim.orders import (
    BUY,
    PRICE_OUT_OF_RANGE,
    REDUCES_NOTHING,
    SELL,
    ZERO,
    Order,
    text,
)
from actors.venue_sim.positions import STOP_LOSS, TAKE_PROFIT
from actors.venue_sim.valuation import Valuation
from actors.venue_sim.wire import PARAMETER_ERROR, Refused

NO_BALANCE, SPOT_NO_BALANCE, NOT_LIVE, SPOT_REJECTED = 110007, 170131, 110074, 170210
TOO_MANY_ORDERS, TOO_MANY_STOPS, CONDITIONALS_MAX = 110020, 110009, 10
# priceLimitRatioY of the instrument: how far beyond mark an order's price may lie on its bad side.
PRICE_REACH = {LINEAR: Decimal("0.02"), SPOT: Decimal("0.01")}


def is_live(worth: Valuation, listed: Listed) -> None:
    """Raise Refused once a market's bars have ended: its prices would stand still for ever."""
    if worth.now_ms >= min(tape.end_ms[-1] for tape in (listed.base_tape, listed.mark_tape)):
        code = NOT_LIVE if listed.category == LINEAR else SPOT_REJECTED
        raise Refused(code, "This contract is not live: its bars or mark prices have ended")


def room(worth: Valuation, order: Order) -> None:
    """Raise Refused for more orders than a symbol, or all of spot, may have waiting."""
    listed = order.listed
    everyone = worth.account.open_orders(None if listed.category == SPOT else listed)
    same = [one for one in everyone if one.listed.category == listed.category]
    conditional = sum(one.stop_order_type == "Stop" for one in same)
    if order.is_conditional and conditional >= CONDITIONALS_MAX:
        message = "The number of stop orders exceeds the maximum allowable limit"
        raise Refused(TOO_MANY_STOPS, message)
    if sum(not one.is_conditional for one in same) >= ORDERS_MAX:
        raise Refused(TOO_MANY_ORDERS, f"Not allowed to have more than {ORDERS_MAX} active orders.")


def reduces(worth: Valuation, order: Order) -> None:
    """Raise Refused for a reduce-only order that finds nothing to reduce."""
    if not order.reduce_only or order.listed.category != LINEAR or order.is_conditional:
        return
    position = worth.account.position(order.listed, order.position_idx)
    if position.signed_qty == 0:
        message = "current position is zero, cannot fix reduce-only order qty"
        raise Refused(REDUCES_NOTHING, message)
    if position.signed_qty * order.sign > 0:
        raise Refused(REDUCES_NOTHING, "reduce-only order has same side with current position")


def attached(worth: Valuation, order: Order) -> None:
    """Raise Refused for a take profit or stop loss on the wrong side of where an order fills."""
    given = {TAKE_PROFIT: order.take_profit, STOP_LOSS: order.stop_loss}
    base = order.price or order.trigger_price or worth.last(order.listed)
    levels({kind: level for kind, level in given.items() if level}, order.sign, base)


def levels(given: Mapping[str, Decimal], sign: int, base: Decimal) -> None:
    """Raise Refused for a level on the wrong side of a long's (sign 1) or a short's price."""
    for kind, level in given.items():
        towards = sign if kind == TAKE_PROFIT else -sign
        if level and (level - base) * towards <= 0:
            side, word = BUY if sign > 0 else SELL, "higher" if towards > 0 else "lower"
            raise Refused(
                PARAMETER_ERROR,
                f"{kind}:{text(level)} set for {side} position should be {word} than "
                f"base_price:{text(base)}??LastPrice",
            )


def reach(worth: Valuation, order: Order) -> None:
    """Raise Refused for a price that lies too far beyond the mark price on its bad side."""
    if order.price is None:
        return
    mark = worth.mark(order.listed)
    if (order.price / mark - 1) * order.sign > PRICE_REACH[order.listed.category]:
        raise Refused(PRICE_OUT_OF_RANGE, "Order price exceeds the allowable range.")


def funds(worth: Valuation, order: Order) -> None:
    """Raise Refused for an order that the account cannot pay for beside all others."""
    account, listed = worth.account, order.listed
    price = order.price or worth.last(listed)
    if listed.category == SPOT:
        buys = order.sign > 0
        coin = listed.quote if buys else listed.base
        needed = order.leaves * price if buys else order.leaves
        free = account.coins.get(coin, ZERO) - account.locked(coin, order)
        free = min(free, worth.available(coin, order)) if buys else free
        if needed > free:
            raise Refused(SPOT_NO_BALANCE, "Insufficient balance.")
        return
    needed = worth.margin_of(order, price)
    # What binds nothing, a stop that is moved say, may be changed however short the margin is.
    if needed and needed > worth.available(listed.quote, order):
        raise Refused(NO_BALANCE, "ab not enough for new order")
