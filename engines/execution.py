"""Fills: what the fill of an order changes.

Theory. The broker decides that an order fills and where the price stands, `admission` how much of
it may. One fill pays one commission, shared by quantity between what it closes and what it opens.
Closing ends the exits of entries that have nothing left to close; opening makes an entry and gives
it its legs of the brackets in force; either may reach a cap of the day.
"""

import math
from typing import NamedTuple

from engines.account import Account
from engines.admission import Admission
from engines.book import EXIT_KINDS, Book
from engines.caps import FILLS_CAP_NAME, LOSS_CAP_NAME, DayCaps
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import Klines
from engines.orders import Entry, Names, Order, OrderKind
from engines.plan import CloseRule, Plan
from engines.position import ExitPoint, Lot, Position
from engines.trades import OPEN_AT_END, ExitReason, Fill, Side, Trade
from engines.types import F64_1D

MARGIN_CALL_NAME = "Margin call"


class Forced(NamedTuple):
    """What a close that no order asked for is called, and why it happens."""

    name: str
    reason: ExitReason


MARGIN_CALL = Forced(MARGIN_CALL_NAME, ExitReason.MARGIN_CALL)


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
        self.admission = Admission(plan, self.account)
        self.bar_index = -1  # before the first bar
        self.rate = 1.0
        self.price = math.nan
        self.path_high = self.path_low = math.nan
        self.is_at_open = False
        self.fresh_lots: list[Lot] = []
        self.guard_down = -math.inf
        self.guard_up = math.inf

    def move_to(self, bar_index: int, price: float) -> None:
        """Stand at the first price of a bar."""
        self.bar_index = bar_index
        self.rate = self.account.rate(bar_index)
        self.price = self.path_high = self.path_low = price
        self.fresh_lots = []
        if self.is_rate_exposed:
            self._refresh_guards()

    @property
    def is_rate_exposed(self) -> bool:
        """Return whether a change of the currency rate alone may call margin or reach a cap."""
        return self.account.rates is not None and self.position.signed_steps != 0

    def fill(
        self,
        order: Order,
        price: float,
        slips: bool,
        name: str = "",
        reason: ExitReason | None = None,
    ) -> None:
        """Execute `order` at `price`, or drop it where a rule forbids it.

        `reason` is that of the trades it closes (None: a reversal by an entry, otherwise
        what the order says).
        """
        self.book.drop(order)
        ticks = self.instrument.ticks_nearest(price)
        if slips:
            ticks += order.side * self.costs.slippage_ticks
        fill_price = self.instrument.price_of(max(1, ticks))  # No slippage makes a price vanish.
        closing, opening = self.admission.steps(order, fill_price, self.rate, self.is_at_open)
        if closing + opening > 0:
            if reason is None:
                is_entry = order.kind is OrderKind.ENTRY
                reason = ExitReason.REVERSAL if is_entry else order.reason
            self._transact(order, closing, opening, fill_price, name or order.names.plain, reason)
            if order.oca_name:
                self.book.apply_oca(order, closing + opening)
            if self.caps.count_fill():
                self._stop_day(fill_price, FILLS_CAP_NAME, slips=False)
        elif order.kind is OrderKind.ENTRY and self.position.signed_steps * order.side < 0:
            # A reversal refused at its open takes the old position's exits with it (TradingView,
            # measured): they come back when the strategy issues them again.
            self.book.suspend_exits()
        self._check_flat_loss(fill_price)
        if not opening and order.kind not in EXIT_KINDS:
            self.book.is_stale = True  # A bracket that waited for this order waits in vain.
        if self.book.has_rungs:
            self.book.drop_lost_rungs(self.position.signed_steps)
        self._refresh_guards()

    def check_limits(self) -> None:
        """Call margin and stop the day where the price now demands it."""
        self._call_margin(self.account.margin_call_steps(self.price, self.rate))
        if self.caps.is_loss_reached(self.account.equity_quote(self.price, self.rate)):
            self._stop_day(self.price, LOSS_CAP_NAME, slips=True)
        self._refresh_guards()

    def start_day(self, equity_quote: float) -> None:
        """Begin a trading day of the caps."""
        self.caps.start_day(equity_quote)
        self._refresh_guards()

    def result_if_closed(self, bar_index: int) -> float:
        """Return the result of the position if it closed at this bar's close, costs taken off."""
        position, price = self.position, self.closes[bar_index]
        gross = position.pnl_open_quote(price) * self.account.rate(bar_index)
        fee_quote = self._fee_quote(abs(position.signed_steps), price)
        return gross - position.fees_open_quote - fee_quote

    def exit_point(
        self, price: float, name: str, reason: ExitReason, is_open: bool = False
    ) -> ExitPoint:
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
            reason=reason,
        )

    def open_trades(self, price: float) -> list[Trade]:
        """Return the open lots as trades valued at `price`, now."""
        point = self.exit_point(price, OPEN_AT_END, ExitReason.END_OF_DATA, is_open=True)
        return self.position.open_trades(point, lambda steps: self._fee_quote(steps, price))

    def _fee_quote(self, steps: int, price: float) -> float:
        notional_quote = self.account.notional_quote(steps, price, self.rate)
        return self.costs.fee(self.instrument.qty_of(steps), notional_quote)

    def _transact(
        self,
        order: Order,
        closing: int,
        opening: int,
        price: float,
        name: str,
        reason: ExitReason,
    ) -> None:
        """Book one fill: close, then open, the commission shared by quantity."""
        total = closing + opening
        qty, fee_quote = self.instrument.qty_of(total), self._fee_quote(total, price)
        time_ms = self.times[self.bar_index]
        self.fills.append(
            Fill(self.bar_index, time_ms, order.id, name, order.side, qty, price, fee_quote)
        )
        if closing:
            point = self.exit_point(price, name, reason)
            self.position.reduce(
                closing, fee_quote * closing / total, point, self.admission.bound(order)
            )
            if self.book.resting:
                self.book.drop_spent_legs()
            if not self.position.signed_steps:
                self.book.forget_unbound(order if opening else None, is_flat=True)
                if self.book.has_rungs:
                    self.book.drop_rungs(order.side.opposite)
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
                base = self.position.base_price(bracket.spec.basis, entry)
                self.book.attach(entry, bracket, base)
        if self.book.has_bases:
            self.book.move_legs(self.position.bases)
        if self.book.has_rungs:
            self.book.bind_rungs(order.side)

    def _check_flat_loss(self, price: float) -> None:
        """Stop the day when what was realised reaches its loss cap and nothing is held."""
        if self.caps.is_used and not self.position.signed_steps:
            equity_quote = self.account.equity_quote(price, self.rate)
            if self.caps.is_loss_reached(equity_quote):
                self.book.clear()

    def _call_margin(self, steps: int) -> None:
        """Sell `steps` of the position; under the close rule ANY, of every entry (measured)."""
        if self.plan.close_rule is CloseRule.ANY:
            for entry in list(self.position.entries if steps else ()):
                part = min(steps, entry.bound_steps)
                self._force_close(part, self.price, MARGIN_CALL, slips=True, entry=entry)
        else:
            self._force_close(steps, self.price, MARGIN_CALL, slips=True)

    def _stop_day(self, price: float, name: str, slips: bool) -> None:
        """Cancel everything and close the position; the caps let nothing in until tomorrow."""
        self.book.clear()
        cause = Forced(name, ExitReason.RISK_RULE)
        self._force_close(abs(self.position.signed_steps), price, cause, slips)

    def _force_close(
        self, steps: int, price: float, cause: Forced, slips: bool, entry: Entry | None = None
    ) -> None:
        if not steps:
            return
        side = Side.SELL if self.position.signed_steps > 0 else Side.BUY
        ticks = self.instrument.ticks_nearest(price)
        ticks = max(1, ticks + side * self.costs.slippage_ticks * slips)
        kind = OrderKind.RAW if entry is None else OrderKind.EXIT
        order = Order(kind, "", side, steps, Names(cause.name), self.bar_index, entry=entry)
        self._transact(order, steps, 0, self.instrument.price_of(ticks), *cause)

    def _refresh_guards(self) -> None:
        self.guard_down, self.guard_up = self.account.guard_prices(self.rate, self.caps.equity_min)
