"""Fills: what an order may do at a price, and what its fill changes.

Theory. The broker decides that an order fills and where the price stands; this module decides how
much of it fills and books the result. An order first closes (up to the opposite position), then
opens. An entry's closing part is its flip: fixed at issue for a priced order, read from the
position for a market order. Exits and closes never open. One fill pays one commission, shared by
quantity between what it closes and what it opens. Every refusal is counted by its reason.
"""

import math
from collections import Counter
from collections.abc import Sequence

from engines.account import Account
from engines.book import EXIT_KINDS, Book
from engines.caps import FILLS_CAP_NAME, LOSS_CAP_NAME, DayCaps
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import Klines
from engines.orders import Entry, Names, Order, OrderKind
from engines.plan import CloseRule, Direction, Plan
from engines.position import ExitPoint, Lot, Position
from engines.trades import OPEN_AT_END, Fill, Side, Trade
from engines.types import F64_1D

MARGIN_CALL_NAME = "Margin call"


class Execution:
    """Position, money and orders of one run, at one point (`bar_index`, `price`) of the path."""

    def __init__(
        self,
        klines: Klines,
        instrument: Instrument,
        plan: Plan,
        costs: Costs,
        rates: F64_1D | None,
    ) -> None:
        self.instrument = instrument
        self.plan = plan
        self.costs = costs
        self.times: list[int] = klines.open_time_ms.tolist()
        self.opens: list[float] = klines.open.tolist()
        self.highs: list[float] = klines.high.tolist()
        self.lows: list[float] = klines.low.tolist()
        self.closes: list[float] = klines.close.tolist()
        self.position = Position(klines, self.highs, self.lows, instrument, plan.close_rule, rates)
        rate_list = None if rates is None else rates.tolist()
        self.account = Account(plan, costs, instrument, self.position, rate_list)
        self.book = Book(instrument, plan.limit_verify_ticks)
        self.caps = DayCaps(plan, klines, instrument)
        self.fills: list[Fill] = []
        self.refusals: Counter[str] = Counter()
        self.bar_index = 0
        self.price = math.nan
        self.path_high = self.path_low = math.nan
        self.is_at_open = False
        self.fresh_lots: list[Lot] = []
        self.guard_down = -math.inf
        self.guard_up = math.inf

    @property
    def rate(self) -> float:
        """Return account currency per quote now."""
        return self.account.rate(self.bar_index)

    def fill(self, order: Order, price: float, slips: bool, name: str = "") -> None:
        """Execute `order` at `price`, or drop it where a rule forbids it."""
        self.book.drop(order)
        ticks = self.instrument.ticks_nearest(price)
        if slips:
            ticks += order.side * self.costs.slippage_ticks
        fill_price = self.instrument.price_of(ticks)
        closing, opening = self._steps(order, fill_price)
        if closing + opening > 0:
            self._transact(order, closing, opening, fill_price, name or order.names.plain)
            self.book.apply_oca(order, closing + opening)
            if self.caps.count_fill():
                self._stop_day(fill_price, FILLS_CAP_NAME, slips=False)
        self._refresh_guards()

    def check_limits(self) -> None:
        """Call margin and stop the day where the price now demands it."""
        if self.guard_down < self.price < self.guard_up:
            return
        steps = self.account.margin_call_steps(self.price, self.rate)
        self._force_close(steps, self.price, MARGIN_CALL_NAME, slips=True)
        if self.caps.is_loss_reached(self.account.equity_quote(self.price, self.rate)):
            self._stop_day(self.price, LOSS_CAP_NAME, slips=True)
        self._refresh_guards()

    def start_day(self, equity_quote: float) -> None:
        """Begin a trading day of the caps."""
        self.caps.start_day(equity_quote)
        self._refresh_guards()

    def exit_point(self, price: float, name: str, is_open: bool = False) -> ExitPoint:
        """Return the point at which lots would close now."""
        return ExitPoint(
            bar_index=self.bar_index,
            time_ms=self.times[self.bar_index],
            price=price,
            name=name,
            rate=self.rate,
            bar_high=self.path_high,
            bar_low=self.path_low,
            is_open=is_open,
        )

    def open_trades(self, price: float) -> list[Trade]:
        """Return the open lots as trades valued at `price`, now."""
        point = self.exit_point(price, OPEN_AT_END, is_open=True)
        return self.position.open_trades(point, lambda steps: self._fee_quote(steps, price))

    def _fee_quote(self, steps: int, price: float) -> float:
        notional_quote = self.account.notional_quote(steps, price, self.rate)
        return self.costs.fee(self.instrument.qty_of(steps), notional_quote)

    # What an order may do.

    def _steps(self, order: Order, price: float) -> tuple[int, int]:
        """Return how many steps `order` may close and open at `price`."""
        held = self.position.signed_steps
        opposite = abs(held) if held * order.side < 0 else 0
        if order.kind in EXIT_KINDS:
            return self._reducible(order, opposite), 0
        own = order.steps
        if not math.isnan(order.budget_quote):
            own = self.account.steps_for(order.budget_quote, price, order.budget_rate)
        total = own + order.flip_steps
        if order.kind is OrderKind.ENTRY and order.is_market:
            if held * order.side > 0 and self.is_pyramid_full:
                self.refusals["entries beyond the pyramiding limit"] += 1
                return 0, 0
            total = own + opposite
        closing = min(total, opposite)
        if order.is_closing_only or total == closing:
            return closing, 0
        return self._openable(order, closing, total - closing, price)

    @property
    def is_pyramid_full(self) -> bool:
        """Return whether the position takes no further entry of its side."""
        return len(self.position.entries) >= max(1, self.plan.pyramiding)

    def _openable(self, order: Order, closing: int, steps: int, price: float) -> tuple[int, int]:
        """Return (closing, opening) after the rules on positions: direction, maximum, funds."""
        allowed = self.plan.direction
        if allowed is not Direction.BOTH and (allowed is Direction.LONG) != (order.side > 0):
            self.refusals["entries against the allowed direction"] += 1
            return closing, 0
        held = self.position.signed_steps
        same = abs(held) if held * order.side > 0 else 0
        if self.plan.position_qty_max is not None:
            room = max(0, self.instrument.steps_down(self.plan.position_qty_max) - same)
            if steps > room:
                self.refusals["orders cut to the maximum position"] += 1
                steps = room
        if order.kind is OrderKind.ENTRY and self.is_at_open and steps:
            rate = self.rate
            equity = self.account.equity_quote(price, rate)
            if self.account.lacks_funds(same + steps, order.side, price, equity, rate):
                self.refusals["entries that the account could not pay at the open"] += 1
                return 0, 0
        return closing, steps

    def _reducible(self, order: Order, opposite: int) -> int:
        if self.plan.close_rule is CloseRule.ALL:
            return opposite
        bound = sum(entry.bound_steps for entry in self._bound(order))
        return min(order.steps, bound, opposite)

    def _bound(self, order: Order) -> Sequence[Entry]:
        """Return the entries that `order` may reduce (none: it is bound to no entry)."""
        if order.kind is OrderKind.EXIT:
            return (order.entry,) if order.entry is not None else ()
        if order.kind is OrderKind.CLOSE:
            return [entry for entry in self.position.entries if order.id in ("", entry.id)]
        return ()

    # What a fill changes.

    def _transact(self, order: Order, closing: int, opening: int, price: float, name: str) -> None:
        """Book one fill: close, then open, the commission shared by quantity."""
        total = closing + opening
        qty, fee_quote = self.instrument.qty_of(total), self._fee_quote(total, price)
        time_ms = self.times[self.bar_index]
        self.fills.append(
            Fill(self.bar_index, time_ms, order.id, name, order.side, qty, price, fee_quote)
        )
        if closing:
            point = self.exit_point(price, name)
            self.position.reduce(closing, fee_quote * closing / total, point, self._bound(order))
            for leg in [o for o in self.book.resting if o.entry and not o.entry.bound_steps]:
                self.book.drop(leg)
            if not self.position.signed_steps:
                self.book.forget_unbound(order, is_flat=True)
        if opening:
            self._open(order, opening, price, name, fee_quote * opening / total)
        if order.bracket is not None:
            self.book.retire(order.bracket)

    def _open(self, order: Order, steps: int, price: float, name: str, fee_quote: float) -> None:
        entry = Entry(order.id, order.side, price, self.bar_index, steps, steps)
        lot = Lot(
            entry=entry,
            name=name,
            side=order.side,
            steps=steps,
            price=price,
            fee_quote=fee_quote,
            rate=self.rate,
            bar_index=self.bar_index,
            time_ms=self.times[self.bar_index],
            high=price,
            low=price,
        )
        self.position.add(lot)
        self.fresh_lots.append(lot)
        for bracket in self.book.brackets.values():
            if bracket.is_live and bracket.spec.from_entry in ("", entry.id):
                self.book.attach(entry, bracket)

    def _stop_day(self, price: float, name: str, slips: bool) -> None:
        """Cancel everything and close the position; the caps let nothing in until tomorrow."""
        self.book.clear()
        self._force_close(abs(self.position.signed_steps), price, name, slips)

    def _force_close(self, steps: int, price: float, name: str, slips: bool) -> None:
        if not steps:
            return
        side = Side.SELL if self.position.signed_steps > 0 else Side.BUY
        ticks = self.instrument.ticks_nearest(price)
        ticks += side * self.costs.slippage_ticks * slips
        order = Order(OrderKind.RAW, "", side, steps, Names(name), self.bar_index)
        self._transact(order, steps, 0, self.instrument.price_of(ticks), name)

    def _refresh_guards(self) -> None:
        self.guard_down, self.guard_up = self.account.guard_prices(self.rate, self.caps.equity_min)
