"""Bars in which nothing can happen to an account, so that their prints need not be played.

Theory. A bar that reaches no waiting level, in which no funding falls due, and at whose worst mark
price the account is above maintenance, leaves the account as it is, whatever its path. The
judgement is only ever too careful: what it cannot bound (several positions, a trailing stop, a
trigger on another price, a bar that is still forming) is not quiet.
"""

from decimal import Decimal

import numpy as np

from actors.venue_sim.account import Account
from actors.venue_sim.listing import LINEAR, Listed
from actors.venue_sim.orders import ZERO, Order, decimal
from actors.venue_sim.tape import Bar


def is_quiet(account: Account, listed: Listed, bar: Bar) -> bool:
    """Return whether a bar of the account's only market changes nothing."""
    if not bar.is_closed:
        return False
    low, high = decimal(bar.low), decimal(bar.high)
    if any(_is_reached(order, low, high) for order in account.open_orders(listed)):
        return False
    if listed.category != LINEAR:
        return True
    holdings = account.holdings()
    if any(position.trailing for position in holdings) or len(holdings) > 1:
        return False
    if holdings and _settles(listed, bar):
        return False
    return not holdings or _is_covered(account, listed, bar)


def _is_reached(order: Order, low: Decimal, high: Decimal) -> bool:
    if order.is_conditional:
        assert order.trigger_price is not None, "a conditional order has a trigger"
        watches_last = order.trigger_by == "LastPrice"
        passes = high if order.trigger_direction == 1 else low
        side = 1 if order.trigger_direction == 1 else -1
        return not watches_last or (passes - order.trigger_price) * side >= 0
    assert order.price is not None, "market orders do not rest"
    return low <= order.price if order.sign > 0 else high >= order.price


def _settles(listed: Listed, bar: Bar) -> bool:
    """Return whether funding falls due up to the bar's last print; too early rather than late."""
    funding = listed.listing.funding
    if funding is None:
        return False
    edges = (bar.open_time_ms - (bar.end_ms - bar.open_time_ms), bar.end_ms)
    first, stop = np.searchsorted(funding.time_ms, edges)
    return bool(stop > first)


def _is_covered(account: Account, listed: Listed, bar: Bar) -> bool:
    """Return whether equity stays above maintenance at the worst mark price of the bar."""
    (position,) = account.holdings()
    worst = _worst_mark(listed, bar, position.signed_qty > 0)
    coin = listed.quote
    equity = account.coins.get(coin, ZERO) + position.pnl_open(worst)
    return equity > position.margin_maintenance(worst)


def _worst_mark(listed: Listed, bar: Bar, is_long: bool) -> Decimal:
    tape = listed.mark_tape
    first = max(int(np.searchsorted(tape.open_ms, bar.open_time_ms, side="right")) - 1, 0)
    stop = max(int(np.searchsorted(tape.open_ms, bar.end_ms)), first + 1)
    _, highs, lows, *_ = tape.columns
    column = lows if is_long else highs
    reached = column[first:stop].min() if is_long else column[first:stop].max()
    return decimal(float(reached))
