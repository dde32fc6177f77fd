"""What a strategy may say at a close: the commands, checked, sized and put into the book.

Theory. The names and rules are Pine's `strategy.*`. Every command acts on what is expected to be
true at the next open: the position now, changed by the market orders queued earlier in the same
pass (a queued close counts as flat, a queued entry as a position). An entry is judged against the
pyramiding limit here and, if it is refused, refused for good; the pending order of its id is gone
either way. A quantity that is not a number above zero is the strategy's mistake and stops the run;
a quantity below one step is not an order at all and is counted among the refusals.
"""

import math

from engines.book import Bracket
from engines.broker import Broker
from engines.errors import OrderFault
from engines.klines import time_text
from engines.orders import NAN, BracketSpec, ExitTerms, Names, OcaKind, Order, OrderKind
from engines.plan import CloseRule, member
from engines.trades import Side


class Desk:
    """Commands of one strategy to one broker, at the close of `bar_index`."""

    def __init__(self, broker: Broker) -> None:
        self.bar_index = 0
        self._execution = broker.execution
        self._book = broker.book
        self._instrument = broker.execution.instrument
        self._closes = broker.closes

    def entry(
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
    ) -> bool:
        """Open or add to a position on `side`, reversing an opposite one; return if it was placed.

        `qty` in contracts (None: the plan's sizing). `limit` and `stop` in quote; both make a
        stop-limit; NaN counts as not given, so an undefined level makes a market order.
        Raises: OrderFault for a quantity that is no positive number.
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
        order = self._order(OrderKind.ENTRY, id, side, qty, limit, stop, comment)
        if oca_name:
            order.oca_name, order.oca_kind = oca_name, member("oca_kind", OcaKind, oca_kind)
        # Issued again in one pass, an entry is modified: TradingView gives it no flip.
        order.flips = not is_repeated
        opposite = abs(expected) if expected * side < 0 and order.flips else 0
        if self._lacks_funds(order):
            self._refuse("entries that the account cannot pay")
            order.is_closing_only = True
            if not (order.is_market and opposite):
                self._withdraw(id)
                return False
        if not order.is_market:
            order.flip_steps = opposite
        return self._place(order)

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
            order.oca_name, order.oca_kind = oca_name, member("oca_kind", OcaKind, oca_kind)
        self._place(order)

    def exit(
        self,
        id: str,
        from_entry: str = "",
        *,
        qty: float | None = None,
        qty_ratio: float | None = None,
        limit: float | None = None,
        stop: float | None = None,
        profit_ticks: float | None = None,
        loss_ticks: float | None = None,
        profit_ratio: float | None = None,
        loss_ratio: float | None = None,
        trail_price: float | None = None,
        trail_points: float | None = None,
        trail_offset: float | None = None,
        oca_name: str = "",
        comment: str = "",
        comment_profit: str = "",
        comment_loss: str = "",
        comment_trailing: str = "",
    ) -> None:
        """Keep an exit bracket on the entries named `from_entry` ("": on all of them).

        Prices in quote; `*_ticks`, `trail_points` and `trail_offset` in ticks and `*_ratio` of
        price from the price of each entry. `qty` in contracts or `qty_ratio` of the entry; neither
        takes all that no earlier exit reserved. The command lives until it is replaced, cancelled
        or used up; it is ignored when no such entry is open or waiting.
        Raises: OrderFault for a quantity that is no positive number or a ratio above 1.
        """
        names = Names(
            comment or id,
            comment_profit or comment or id,
            comment_loss or comment or id,
            comment_trailing or comment or id,
        )
        levels = (limit, stop, profit_ticks, loss_ticks, profit_ratio, loss_ratio)
        trail = (trail_price, trail_points, trail_offset)
        self._keep_bracket(
            ExitTerms(id, from_entry, qty, qty_ratio, levels, trail, oca_name, names)
        )

    def _keep_bracket(self, terms: ExitTerms) -> None:
        """Put an exit command in force, or renew it, for the entries that it covers."""
        key = (terms.id, terms.from_entry)
        bracket = self._book.brackets.get(key)
        if bracket is not None and bracket.is_live and bracket.terms == terms:
            return
        # A command that is wrong is refused even where it would do nothing.
        spec = bracket.spec if bracket and bracket.terms == terms else self._spec(terms)
        position = self._execution.position
        entries = [entry for entry in position.entries if terms.from_entry in ("", entry.id)]
        if not entries and not self._is_pending(terms.from_entry):
            return
        if bracket is None or bracket.terms != terms:
            bracket = Bracket(spec, terms, is_bound=position.signed_steps != 0)
            self._book.brackets[key] = bracket
        bracket.is_live = True
        for entry in entries:
            self._book.attach(entry, bracket, self._closes[self.bar_index])

    def _spec(self, terms: ExitTerms) -> BracketSpec:
        """Return the checked form of an exit command."""
        self._require_id(terms.id)
        for distance in (*terms.levels[2:], *terms.trail[1:]):
            if distance is not None and distance < 0:
                raise OrderFault(f"distance of {terms.id}", "zero or more", repr(distance))
        return BracketSpec(
            terms.id,
            terms.from_entry,
            terms.names,
            terms.oca_name,
            None if terms.qty is None else self._steps(f"exit {terms.id}", terms.qty),
            self._ratio(terms.id, terms.qty_ratio),
            *[
                NAN if level is None else self._level(terms.id, level)
                for level in (*terms.levels, *terms.trail)
            ],
        )

    def close_entry(
        self,
        entry_id: str,
        *,
        qty: float | None = None,
        qty_ratio: float | None = None,
        immediately: bool = False,
        comment: str = "",
    ) -> None:
        """Close the entries named `entry_id` at market, at this close if `immediately`.

        `qty` in contracts or `qty_ratio` of what is open under the name; neither: all of it.
        Ignored when nothing is open under the name now.
        """
        self._require_id(entry_id)
        wanted = None if qty is None else self._steps(f"close {entry_id}", qty)
        ratio = self._ratio(entry_id, qty_ratio)
        named = [e for e in self._execution.position.entries if e.id == entry_id]
        steps = sum(entry.bound_steps for entry in named)
        if not steps:
            return
        if wanted is not None:
            steps = min(steps, wanted or steps)
        elif ratio is not None:
            whole = steps
            if self._execution.plan.close_rule is CloseRule.ANY:
                whole = sum(entry.steps for entry in named)  # TradingView: of the original size
            steps = min(steps, max(1, math.floor(whole * ratio + 1e-9)))
        self._reduce(entry_id, steps, immediately, comment or f"Close entry(s) order {entry_id}")

    def close_all(self, *, immediately: bool = False, comment: str = "") -> None:
        """Close the whole position at market, at this close if `immediately`."""
        steps = abs(self._execution.position.signed_steps)
        if steps:
            self._reduce("", steps, immediately, comment or "Close position order")

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
    ) -> Order:
        """Return a checked, rounded and sized order."""
        down, up = self._instrument.round_price_down, self._instrument.round_price_up
        order = Order(kind, id, Side(side), 0, Names(comment or id), self.bar_index)
        if not math.isnan(limit := self._level(id, limit)):
            order.limit = down(limit) if side > 0 else up(limit)
        if not math.isnan(stop := self._level(id, stop)):
            order.stop = up(stop) if side > 0 else down(stop)
        order.is_market = limit != limit and stop != stop  # both NaN
        if order.limit <= 0 or order.stop <= 0:
            raise OrderFault(f"level of {id}", "a price above zero", f"{limit:g} / {stop:g}")
        if qty is not None:
            order.steps = self._steps(f"{kind.value} {id}", qty)
            return order
        account, close = self._execution.account, self._closes[self.bar_index]
        order.budget_rate = account.rate(self.bar_index)
        budget_quote = account.budget_quote(account.equity_quote(close, order.budget_rate))
        if not order.is_market:
            order.budget_quote = budget_quote
        price = self._sizing_price(order, close)
        order.steps = account.steps_for(budget_quote, price, order.budget_rate)
        return order

    def _sizing_price(self, order: Order, close: float) -> float:
        """Return what an order without a size would execute at if it could now."""
        worse = max if order.side > 0 else min
        if order.is_market:
            return close + self._slip(order.side)
        if math.isnan(order.stop):
            return min(order.limit, close) if order.side > 0 else max(order.limit, close)
        price = worse(order.stop, close)
        if math.isnan(order.limit):
            return price + self._slip(order.side)
        return min(price, order.limit) if order.side > 0 else max(price, order.limit)

    def _slip(self, side: Side) -> float:
        return side * self._instrument.tick_size * self._execution.costs.slippage_ticks

    def _place(self, order: Order) -> bool:
        """Put `order` into the book in place of the one with its id; return if it is there."""
        old = self._book.pending(order.id)
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

    def _reduce(self, entry_id: str, steps: int, immediately: bool, name: str) -> None:
        position = self._execution.position
        side = Side.SELL if position.signed_steps > 0 else Side.BUY
        order = Order(OrderKind.CLOSE, entry_id, side, steps, Names(name), self.bar_index)
        (self._book.immediate if immediately else self._book.market).append(order)

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

    def _is_full(self, side: Side) -> bool:
        """Return whether the expected position takes no further entry of its side."""
        admission, held = self._execution.admission, self._execution.position.signed_steps
        if held * side > 0:
            return admission.is_pyramid_full()
        queued = [o for o in self._book.market if o.kind is OrderKind.ENTRY and o.side is side]
        return len(queued) >= max(1, self._execution.plan.pyramiding)

    def _lacks_funds(self, order: Order) -> bool:
        account, close = self._execution.account, self._closes[self.bar_index]
        price = close + self._slip(order.side) if order.is_market else close
        rate = account.rate(self.bar_index)
        equity = account.equity_quote(close, rate)
        return account.lacks_funds(order.steps, order.side, price, equity, rate)

    def _is_pending(self, from_entry: str) -> bool:
        if from_entry:
            return self._book.pending(from_entry) is not None
        waiting = (*self._book.resting, *self._book.market)
        return any(o.kind in (OrderKind.ENTRY, OrderKind.RAW) for o in waiting)

    def _steps(self, what: str, qty: float) -> int:
        if not (math.isfinite(qty) and qty > 0):
            raise OrderFault(
                f"quantity of {what} at {time_text(self._execution.times[self.bar_index])}",
                "a number above zero",
                repr(qty),
            )
        return self._instrument.steps_down(qty)

    def _ratio(self, id: str, ratio: float | None) -> float | None:
        if ratio is not None and not 0 < ratio <= 1:
            raise OrderFault(f"qty_ratio of {id}", "above 0 and at most 1", repr(ratio))
        return ratio

    def _level(self, id: str, level: float | None) -> float:
        """Return a level or distance, NaN where none is given."""
        if level is None or level != level:
            return NAN  # The one NaN, so that equal terms compare equal.
        if math.isinf(level):
            raise OrderFault(f"level of {id}", "a finite number, or NaN for none", repr(level))
        return level

    def _require_id(self, id: str) -> None:
        if not id:
            raise OrderFault("id of an order", "a name", "an empty text, which means all of them")

    def _refuse(self, reason: str) -> None:
        self._execution.admission.refusals[reason] += 1


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
        and _same(old.limit, new.limit)
        and _same(old.stop, new.stop)
        and _same(old.budget_quote, new.budget_quote)
    )
