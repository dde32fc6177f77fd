"""The matching engine: fills orders against the replayed tape and the book around it.

Theory. An account trades with the tape, never with another account, and moves no price. What is
accepted at a moment takes from the made-up book level by level, up to its limit price: a market
order may so fill at several prices, and the rest of it is cancelled where the book ends. What
rests is a maker: a print at its price fills at most the print's quantity, a print beyond it fills
it whole, at its own price. `play` walks the prints that have happened since it was last called, of
all markets in which the account has an interest, in the order of their times; at each one it

    1. pays funding that has fallen due,
    2. moves trailing stops and releases conditional orders whose trigger price is reached,
    3. fills resting orders,
    4. liquidates the account if its equity is below maintenance: orders are cancelled, positions
       taken over at the mark price, and what is lost beyond the balance is the insurance fund's.

Source: Bybit v5, "Place Order"; enums execType, createType, cancelType.
"""

import heapq
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import numpy as np

from actors.venue_sim import public, quiet, stops
from actors.venue_sim.account import Account, Match
from actors.venue_sim.listing import LINEAR, Listed, Market
from actors.venue_sim.orders import BUY, MARKET, SELL, ZERO, Order, decimal
from actors.venue_sim.positions import STOP_LOSS, TAKE_PROFIT, Position
from actors.venue_sim.tape import Print
from actors.venue_sim.valuation import Valuation

BOOK_LEVELS = 500
Event = tuple[int, str, Listed, Print]


class Matching:
    """The engine of one account."""

    def __init__(self, account: Account, market: Market, now_ms: int) -> None:
        self.account = account
        self.market = market
        self._played_ms = now_ms

    def at(self, now_ms: int) -> Valuation:
        """Return what the account is worth at a time."""
        return Valuation(self.account, self.market, now_ms)

    def accept(self, order: Order, now_ms: int) -> None:
        """Book an order and let it take what it crosses."""
        self.account.book(order)
        if not order.is_conditional:
            self.take(order, now_ms)

    def take(self, order: Order, now_ms: int) -> None:
        """Take from the book what an order crosses, and judge what is left of it."""
        levels = list(self._levels(order, now_ms))
        wanted = self._reducible(order, order.leaves)
        if order.time_in_force == "PostOnly":
            if levels:
                self.account.finish(order, now_ms, reason="EC_PostOnlyWillTakeLiquidity")
            return
        if wanted <= 0:
            self.account.finish(order, now_ms, "CancelByReduceOnly")
            return
        if order.time_in_force == "FOK" and sum(qty for _, qty in levels) < wanted:
            self.account.finish(order, now_ms, reason="EC_CancelForNoFullFill")
            return
        sequence = public.update_id(order.listed, now_ms)
        for price, there in levels:
            qty = min(wanted, there)
            if qty <= 0:
                break
            wanted -= qty
            self._fill(order, self._match(order, qty, price, now_ms, sequence))
        if order.is_open and (order.order_type == MARKET or order.time_in_force == "IOC"):
            self.account.finish(order, now_ms, reason="EC_NoImmediateQtyToFill")

    def play(self, now_ms: int) -> None:
        """Let everything happen that the time until now brings."""
        since_ms, self._played_ms = self._played_ms, now_ms
        markets = self._of_interest()
        # Markets bear on each other through the margin, so that only a lone one is skimmed.
        skims = len(markets) == 1
        streams = [self._prints(one, since_ms, now_ms, skims) for one in markets]
        for time_ms, _, listed, item in heapq.merge(*streams, key=lambda event: event[:2]):
            self._at_print(listed, item, time_ms)

    def _of_interest(self) -> list[Listed]:
        held = [one.listed for one in self.account.holdings()]
        waiting = [one.listed for one in self.account.orders.values()]
        return list({(one.category, one.name): one for one in held + waiting}.values())

    def _prints(self, listed: Listed, since_ms: int, now_ms: int, skims: bool) -> Iterator[Event]:
        """Yield a market's prints after one time and up to another, quiet bars left out."""
        tape = listed.base_tape
        for index in range(max(tape.visible(since_ms) - 1, 0), tape.visible(now_ms)):
            bar = tape.at(index, now_ms)
            if skims and quiet.is_quiet(self.account, listed, bar):
                continue
            for item in tape.prints(index, now_ms):
                if item.time_ms > since_ms:
                    yield item.time_ms, listed.category + listed.name, listed, item

    def _at_print(self, listed: Listed, item: Print, now_ms: int) -> None:
        price = decimal(item.price)
        if listed.category == LINEAR:
            self._settle(listed, now_ms)
            for index in self.account.indexes(listed):
                stops.trail(self.account, self.account.position(listed, index), price)
        for order in self.account.open_orders(listed):
            if order.is_conditional:
                self._maybe_release(order, price, now_ms)
        left = decimal(item.qty)
        for order in self.account.open_orders(listed):
            if order.is_open and not order.is_conditional and order.price is not None:
                left -= self._rest(order, price, left, now_ms, item.number)
        if listed.category == LINEAR:
            self._maybe_liquidate(listed, now_ms)

    def _maybe_release(self, order: Order, price: Decimal, now_ms: int) -> None:
        if not order.is_open:
            return
        position = self.account.position(order.listed, order.position_idx)
        worth = self.at(now_ms)
        watched = price if order.trigger_by == "LastPrice" else worth.mark(order.listed)
        if not stops.is_reached(order, position, watched):
            return
        stops.release(self.account, order, position, now_ms)
        needed = worth.margin_of(order, order.price or price)
        if needed and needed > worth.available(order.listed.quote, order):
            self.account.finish(order, now_ms, "CancelByCannotAffordOrderCost", "EC_Others")
            return
        self.take(order, now_ms)

    def _rest(
        self, order: Order, price: Decimal, left: Decimal, now_ms: int, sequence: int
    ) -> Decimal:
        """Fill a resting order by a print; return what this used of the print's quantity."""
        assert order.price is not None, "market orders do not rest"
        beyond = (order.price - price) * order.sign
        if beyond < 0:
            return ZERO
        allowed = self._reducible(order, order.leaves)
        if allowed <= 0:
            self.account.finish(order, now_ms, "CancelByReduceOnly")
            return ZERO
        qty = allowed if beyond > 0 else min(allowed, left)
        if qty <= 0:
            return ZERO
        match = self._match(order, qty, order.price, now_ms, sequence)
        self._fill(order, replace(match, is_maker=True))
        return ZERO if beyond > 0 else qty

    def _levels(self, order: Order, now_ms: int) -> Iterator[tuple[Decimal, Decimal]]:
        """Yield the book's prices and quantities that an order crosses, best first."""
        last = float(self.at(now_ms).last(order.listed))
        for level in range(BOOK_LEVELS):
            price, qty = map(decimal, public.book_level(order.listed, last, level, order.sign))
            if price <= 0 or (order.price is not None and (price - order.price) * order.sign > 0):
                return
            yield price, qty

    def _reducible(self, order: Order, qty: Decimal) -> Decimal:
        """Return how much of a quantity an order may fill: a reducing one never flips."""
        if order.listed.category != LINEAR:
            return qty
        position = self.account.position(order.listed, order.position_idx)
        opens_by = BUY if order.position_idx == 1 else SELL
        closes_side = order.position_idx != 0 and order.side != opens_by
        if not (order.reduce_only or order.close_on_trigger or closes_side):
            return qty
        return min(qty, position.size) if position.signed_qty * order.sign < 0 else ZERO

    def _match(
        self, order: Order, qty: Decimal, price: Decimal, now_ms: int, sequence: int
    ) -> Match:
        mark = self.at(now_ms).mark(order.listed)
        return Match(qty=qty, price=price, time_ms=now_ms, mark=mark, sequence=sequence)

    def _fill(self, order: Order, match: Match) -> None:
        if order.listed.category != LINEAR:
            self.account.fill(order, match)
            return
        before = self.account.position(order.listed, order.position_idx).signed_qty
        self.account.fill(order, match)
        position = self.account.position(order.listed, order.position_idx)
        if before * position.signed_qty <= 0 and before:
            self._clear(position, match.time_ms)
        # What only reduced the other side gives that side no levels of its own.
        if position.signed_qty * order.sign > 0 and (order.take_profit or order.stop_loss):
            opened = min(match.qty, position.size)
            self._attach(order, position, opened, match.time_ms)
        stops.follow(self.account, position)

    def _attach(self, order: Order, position: Position, qty: Decimal, now_ms: int) -> None:
        """Give a position the take profit and stop loss of the order that has just filled."""
        levels = {TAKE_PROFIT: order.take_profit, STOP_LOSS: order.stop_loss}
        triggers = {TAKE_PROFIT: order.tp_trigger_by, STOP_LOSS: order.sl_trigger_by}
        given = {kind: level for kind, level in levels.items() if level}
        if order.tpsl_mode == "Partial":
            limits = {
                TAKE_PROFIT: order.tp_limit_price,
                STOP_LOSS: order.sl_limit_price,
            }
            stops.add_pair(self.account, position, given, limits, triggers, qty, now_ms)
            return
        for kind, level in given.items():
            stops.set_whole(self.account, position, kind, level, now_ms, triggers[kind])

    def _clear(self, position: Position, now_ms: int) -> None:
        """Tidy up after a position went flat or over: its stops and what only reduced it go."""
        for order in self.account.open_orders(position.listed):
            is_of_it = order.position_idx == position.index and order.reduce_only
            # A conditional order of the user's own waits on, whatever it will then find.
            if is_of_it and order.is_open and order.stop_order_type != "Stop":
                why = "CancelByTpSlTsClear" if order.is_stop else "CancelByReduceOnly"
                self.account.finish(order, now_ms, why)

    def _settle(self, listed: Listed, now_ms: int) -> None:
        """Pay the funding that has fallen due since the market's last print."""
        funding = listed.listing.funding
        if funding is None:
            return
        for index in self.account.indexes(listed):
            position = self.account.position(listed, index)
            if position.signed_qty == 0:
                continue
            since_ms = max(position.funded_ms, position.opened_ms)
            first, stop = np.searchsorted(funding.time_ms, (since_ms, now_ms), side="right")
            for place in range(int(first), int(stop)):
                position.funded_ms = int(funding.time_ms[place])
                self._pay(position, decimal(float(funding.rate[place])), position.funded_ms)

    def _pay(self, position: Position, rate: Decimal, time_ms: int) -> None:
        mark = self.at(time_ms).mark(position.listed)
        match = Match(
            qty=position.size,
            price=mark,
            time_ms=time_ms,
            mark=mark,
            sequence=position.sequence,
            kind="Funding",
        )
        self.account.settle(position, stops.blank(self.account, position, time_ms), match, rate)

    def _maybe_liquidate(self, listed: Listed, now_ms: int) -> None:
        coin = listed.quote
        holdings = [one for one in self.account.holdings() if one.listed.quote == coin]
        worth = self.at(now_ms)
        if not holdings or worth.equity(coin) > worth.margin_maintenance(coin):
            return
        for order in self.account.open_orders():
            if order.listed.quote == coin and order.is_open:
                self.account.finish(order, now_ms, "CancelAllBeforeLiq")
        for position in holdings:
            order = stops.blank(self.account, position, now_ms)
            order.create_type = "CreateByTakeOver_PassThrough"
            self.account.book(order)
            mark = worth.mark(position.listed)
            match = self._match(order, order.qty, mark, now_ms, position.sequence)
            self._fill(order, replace(match, kind="BustTrade"))
        if self.account.coins[coin] < 0:
            self.account.coins[coin] = ZERO
