"""What a strategy may say at a close: the commands, checked, sized and put into the book.

Here are the entries and raw orders; what reduces a position is in `exit_desk`.

Theory. The names and rules are Pine's `strategy.*`. Every command acts on what is expected to be
true at the next open: the position now, changed by the market orders queued earlier in the same
pass (a queued close counts as flat, a queued entry as a position). An entry is judged against the
pyramiding limit here and, if it is refused, refused for good; the pending order of its id is gone
either way. A quantity that is not a number above zero is the strategy's mistake and stops the run;
a quantity below one step is not an order at all and is counted among the refusals.
"""

import math

from engines.errors import OrderFault
from engines.exit_desk import ExitDesk, finite_level
from engines.orders import Names, OcaKind, Order, OrderKind
from engines.plan import member
from engines.trades import Side


class Desk(ExitDesk):
    """Commands of one strategy to one broker, at the close of `bar_index`."""

    def entry(
        self, id: str, side: Side, *,
        qty: float | None = None, equity_ratio: float | None = None,
        limit: float | None = None, stop: float | None = None,
        with_position: bool = False,
        oca_name: str = "", oca_kind: OcaKind = OcaKind.NONE,
        comment: str = "",
    ) -> bool:  # fmt: skip # what belongs together stands together
        """Open or add to a position on `side`, reversing an opposite one; return if it was placed.

        `qty` in contracts, or `equity_ratio` of equity as margin (neither: the plan's sizing).
        `limit` and `stop` in quote; both make a stop-limit; NaN counts as not given, so an
        undefined level makes a market order. `with_position` makes it a rung: it only adds to a
        position of its side, waits for one if its entry is yet to fill, and goes with it.
        Raises: OrderFault for a quantity or share that is no positive number, or both at once.
        """
        self._require_id(id)
        if self._execution.caps.is_halted:
            self._refuse("entries after a cap of the day")
            return False
        expected = self._expected_steps()
        repeated = self._book.pending(id)
        is_repeated = repeated is not None and repeated.bar_index == self.bar_index
        if not is_repeated and expected * side > 0 and self._is_full(side):
            self._refuse("entries beyond the pyramiding limit")
            self._withdraw(id)
            return False
        order = self._order(OrderKind.ENTRY, id, side, qty, limit, stop, comment, equity_ratio)
        # Issued again in one pass, an entry is modified: TradingView gives it no flip.
        order.flips = not is_repeated
        if with_position:
            self._make_rung(order)
        if oca_name:
            _group(order, oca_name, oca_kind)
        opposite = abs(expected) if expected * side < 0 and order.flips else 0
        if self._lacks_funds(order):
            self._refuse("entries that the account cannot pay")
            order.is_closing_only = True
            if not (order.is_market and opposite):
                self._withdraw(id)
                return False
        if not (order.is_market or self._execution.admission.is_strict):
            order.flip_steps = opposite
        return self._place(order, repeated)

    def order(
        self,
        id: str,
        side: Side,
        *,
        qty: float | None = None,
        limit: float | None = None,
        stop: float | None = None,
        oca_name: str = "",
        oca_kind: OcaKind = OcaKind.NONE,
        comment: str = "",
    ) -> None:
        """Buy or sell without any position rule: it nets against whatever is open.

        Arguments and errors as for `entry`.
        """
        self._require_id(id)
        if self._execution.caps.is_halted:
            self._refuse("entries after a cap of the day")
            return
        order = self._order(OrderKind.RAW, id, side, qty, limit, stop, comment)
        if oca_name:
            _group(order, oca_name, oca_kind)
        self._place(order, self._book.pending(id))

    def cancel(self, id: str) -> None:
        """Cancel the waiting orders and the exit bracket of this id."""
        self._book.cancel(id)

    def cancel_all(self) -> None:
        """Cancel every waiting order, closes included."""
        self._book.clear()

    def _order(
        self,
        kind: OrderKind,
        id: str,
        side: Side,
        qty: float | None,
        limit: float | None,
        stop: float | None,
        comment: str,
        equity_ratio: float | None = None,
    ) -> Order:
        """Return a checked, rounded and sized order."""
        down, up = self._instrument.round_price_down, self._instrument.round_price_up
        side = side if type(side) is Side else Side(side)
        order = Order(kind, id, side, 0, Names(comment or id), self.bar_index)
        if limit is not None and (limit := finite_level(id, limit)) == limit:  # not NaN
            order.limit, order.is_market = down(limit) if side > 0 else up(limit), False
        if stop is not None and (stop := finite_level(id, stop)) == stop:
            order.stop, order.is_market = up(stop) if side > 0 else down(stop), False
        if order.limit <= 0 or order.stop <= 0:
            found = f"{order.limit:g} / {order.stop:g}"
            raise OrderFault(f"level of {id}", "a price above zero", found)
        if equity_ratio is not None and not (qty is None and 0 < equity_ratio < math.inf):
            found = f"{equity_ratio!r} with qty {qty!r}"
            raise OrderFault(f"equity_ratio of {id}", "above 0 and without qty", found)
        if qty is not None:
            order.steps = self._steps(f"{kind.value} {id}", qty)
            return order
        account, close = self._execution.account, self._closes[self.bar_index]
        order.budget_rate = account.rate(self.bar_index)
        budget_quote = account.budget_quote(
            account.equity_quote(close, order.budget_rate), equity_ratio
        )
        if not order.is_market:
            order.budget_quote = budget_quote
        price = self._sizing_price(order, close)
        order.steps = account.steps_for(budget_quote, price, order.budget_rate)
        return order

    def _sizing_price(self, order: Order, close: float) -> float:
        """Return what an order without a size would execute at if it could now."""
        worse = max if order.side > 0 else min
        if order.is_market:
            return close + self._slip(order.side, close)
        if math.isnan(order.stop):
            return min(order.limit, close) if order.side > 0 else max(order.limit, close)
        price = worse(order.stop, close)
        if math.isnan(order.limit):
            return price + self._slip(order.side, price)
        return min(price, order.limit) if order.side > 0 else max(price, order.limit)

    def _slip(self, side: Side, price: float) -> float:
        """Return what sizing at `price` reckons with; a tick is left of it, as of a fill."""
        slip = self._execution.slippage.expected(side, price, self.bar_index)
        return max(slip, self._instrument.tick_size - price)

    def _place(self, order: Order, old: Order | None) -> bool:
        """Put `order` into the book in place of the `old` one of its id; return if it is there."""
        if old is not None and _asks_the_same(old, order):
            old.names, old.bar_index = order.names, order.bar_index
            return True
        if old is not None:
            self._book.drop(old)
        # A market entry too small to open anything may still close what is open.
        if not self._is_large_enough(order):
            if not (order.is_market and self._execution.position.signed_steps):
                return False
            order.steps = 0
        if order.is_market:
            self._book.market.append(order)
        else:
            self._book.rest(order)
        return True

    def _is_large_enough(self, order: Order) -> bool:
        """Return whether an order reaches one step and the instrument's minima; count it if not."""
        instrument, qty = self._instrument, self._instrument.qty_of(order.steps)
        notional_quote = qty * self._closes[self.bar_index] * instrument.point_value
        if not order.steps:
            self._refuse("orders smaller than one quantity step")
        elif qty < instrument.qty_min or notional_quote < instrument.notional_min:
            self._refuse("orders below the instrument's minimum")
        else:
            return True
        return False

    def _withdraw(self, id: str) -> None:
        pending = self._book.pending(id)
        if pending is not None:
            self._book.drop(pending)

    def _expected_steps(self) -> int:
        """Return the position after the market orders queued so far."""
        steps = self._execution.position.signed_steps
        for order in (*self._book.immediate, *self._book.market):
            if order.kind is OrderKind.CLOSE:
                steps += order.side * min(order.steps, abs(steps))
            elif order.kind is OrderKind.ENTRY and steps * order.side < 0:
                steps = order.side * order.steps
            else:
                steps += order.side * order.steps
        return steps

    def _make_rung(self, order: Order) -> None:
        order.with_position, order.is_bound = True, self._stays_open(order.side)
        order.flips = False  # It only ever adds.
        self._book.has_rungs = self._book.is_stale = True  # With nothing to wait for it goes.

    def _stays_open(self, side: Side) -> bool:
        """Return whether a position of `side` is open and nothing queued ends it."""
        steps = self._execution.position.signed_steps * side
        for order in (*self._book.immediate, *self._book.market):
            if order.side is not side:
                steps -= steps if order.kind is OrderKind.ENTRY else order.steps
        return steps > 0

    def _is_full(self, side: Side) -> bool:
        """Return whether the expected position takes no further entry of its side."""
        admission, held = self._execution.admission, self._execution.position.signed_steps
        if held * side > 0:
            return admission.is_pyramid_full()
        queued = [o for o in self._book.market if o.kind is OrderKind.ENTRY and o.side is side]
        return len(queued) >= max(1, self._execution.plan.pyramiding)

    def _lacks_funds(self, order: Order) -> bool:
        account, close = self._execution.account, self._closes[self.bar_index]
        price = close
        if order.is_market:
            price += self._slip(order.side, close)
        elif self._execution.admission.is_strict:  # Judged again where it fills.
            price = self._sizing_price(order, close)
        rate = account.rate(self.bar_index)
        equity = account.equity_quote(close, rate)
        return account.lacks_funds(order.steps, order.side, price, equity, rate)

    def _refuse(self, reason: str) -> None:
        self._execution.admission.refusals[reason] += 1


def _group(order: Order, name: str, kind: OcaKind) -> None:
    order.oca_name, order.oca_kind = name, member("oca_kind", OcaKind, kind)


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


def _asks_the_same(old: Order, new: Order) -> bool:
    """Return whether a re-issue changes nothing, so that the old order keeps its place."""
    return (
        not new.is_market
        and old.kind is new.kind
        and old.side is new.side
        and old.steps == new.steps
        and old.flip_steps == new.flip_steps
        and old.oca_name == new.oca_name
        and old.oca_kind is new.oca_kind
        and old.with_position is new.with_position
        and _same(old.limit, new.limit)
        and _same(old.stop, new.stop)
        and _same(old.budget_quote, new.budget_quote)
    )
