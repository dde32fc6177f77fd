"""Fills: what the fill of an order changes.

Theory. The broker decides that an order fills and where the price stands, `admission` how much of
it may, `slippage` how far market and stop fills slip. One fill pays one commission, shared by
quantity between what it closes and what it opens. Closing ends the exits of entries that have
nothing left to close; opening makes an entry and gives it its legs of the brackets in force; either
may reach a cap of the day.

Forced closes. Margin calls and the caps of the day look at each point of the path. Liquidation and
the largest drawdown close where their level lies (`forced`); both cancel everything that waits, and
after the drawdown nothing is entered any more. `guard_down` and `guard_up` are the nearest prices
at which any of these may act: a bar within them needs no look.
"""

import math
from typing import NamedTuple

from engines.account import Account
from engines.admission import Admission
from engines.book import EXIT_KINDS, Book
from engines.caps import DRAWDOWN_NAME, FILLS_CAP_NAME, LOSS_CAP_NAME, DayCaps
from engines.costs import Costs
from engines.forced import ForcedLevels
from engines.funding import Settlement
from engines.instrument import Instrument
from engines.klines import Klines
from engines.liquidation import LIQUIDATION_NAME
from engines.orders import Entry, Names, Order, OrderKind
from engines.plan import CloseRule, Plan
from engines.position import ExitPoint, Lot, Position
from engines.slippage import Slippage
from engines.trades import OPEN_AT_END, ExitReason, Fill, FundingPayment, Side, Trade
from engines.types import F64_1D

MARGIN_CALL_NAME = "Margin call"


class Forced(NamedTuple):
    """What a close that no order asked for is called, and why it happens."""

    name: str
    reason: ExitReason


class Deal(NamedTuple):
    """What a fill is done at: its price and the slippage in it, in quote, its name and why."""

    price: float
    slip: float
    name: str
    reason: ExitReason


MARGIN_CALL = Forced(MARGIN_CALL_NAME, ExitReason.MARGIN_CALL)
LIQUIDATION = Forced(LIQUIDATION_NAME, ExitReason.LIQUIDATION)
DRAWDOWN = Forced(DRAWDOWN_NAME, ExitReason.MAX_DRAWDOWN)


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
        self.payments: list[FundingPayment] = []
        self.slippage = Slippage(costs, klines, instrument)
        self.admission = Admission(plan, self.account)
        self.bar_index = -1  # before the first bar
        self.rate = 1.0
        self.price = math.nan
        self.path_high = self.path_low = math.nan
        self.is_at_open = False
        self.fresh_lots: list[Lot] = []
        self.guard_down = -math.inf
        self.guard_up = math.inf
        self.forced = ForcedLevels(plan, instrument, self.account)
        self._is_watched = rates is not None or plan.exits.drawdown_ratio_max is not None

    def move_to(self, bar_index: int, price: float) -> None:
        """Stand at the first price of a bar."""
        self.bar_index = bar_index
        self.rate = self.account.rate(bar_index)
        self.price = self.path_high = self.path_low = price
        self.fresh_lots = []
        if bar_index and self.forced.drawdown_ratio is not None:
            close, rate = self.closes[bar_index - 1], self.account.rate(bar_index - 1)
            self.forced.raise_peak(self.account.equity_quote(close, rate))
        if self.is_watched:
            self._refresh_guards()

    @property
    def is_watched(self) -> bool:
        """Return whether each close moves the guards: by the currency rate or equity's peak."""
        return self._is_watched and self.position.signed_steps != 0

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
        asked = self.admission.asked_steps(order) if self.slippage.is_sized else 0
        fill_price, slip = self._slipped(price, order.side, asked, slips)
        closing, opening = self.admission.steps(order, fill_price, self.rate, self.is_at_open)
        if order.with_position and not order.is_bound:  # at market, without a position to add to
            closing = opening = 0
            self.admission.refusals["rungs without a position"] += 1
        if closing + opening > 0:
            if reason is None:
                is_entry = order.kind is OrderKind.ENTRY
                reason = ExitReason.REVERSAL if is_entry else order.reason
            deal = Deal(fill_price, slip, name or order.names.plain, reason)
            self._transact(order, closing, opening, deal)
            if order.oca_name:
                self.book.apply_oca(order, closing + opening)
            if self.caps.count_fill():
                self._stop_day(fill_price, FILLS_CAP_NAME, slips=False)
        elif self.admission.suspends_exits(order):
            # TradingView, measured: they come back when the strategy issues them again.
            self.book.suspend_exits()
        self._check_flat_loss(fill_price)
        if not opening and order.kind not in EXIT_KINDS:
            self.book.is_stale = True  # A bracket that waited for this order waits in vain.
        if self.book.has_rungs:
            self.book.drop_lost_rungs(self.position.signed_steps)
        self._refresh_guards()

    def check_limits(self) -> None:
        """Call margin, stop the day and force closes where the price now demands it."""
        if self.forced.is_used:
            self.force(self.price)
        self._call_margin(self.account.margin_call_steps(self.price, self.rate))
        if self.caps.is_loss_reached(self.account.equity_quote(self.price, self.rate)):
            self._stop_day(self.price, LOSS_CAP_NAME, slips=True)
        self._refresh_guards()

    def force(self, price: float) -> None:
        """Liquidate, or end trading for its drawdown, if `price` is at such a level."""
        forced = self.forced
        if forced.down < price < forced.up:
            return
        if not forced.is_marked and forced.is_liquidated(price):
            self._liquidate()
        else:
            self._end_trading()

    def judge_mark(self, mark_price: float) -> None:
        """Liquidate if the mark price is at the liquidation price or beyond."""
        if self.forced.is_liquidated(mark_price):
            self._liquidate()

    def pay_funding(self, settlements: list[Settlement]) -> None:
        """Settle funding with what is held now."""
        for settlement in settlements if self.position.signed_steps else ():
            qty, mark_price = self.position.signed_qty, settlement.mark_price
            value_quote = qty * mark_price * self.instrument.point_value * self.rate
            paid_quote = value_quote * settlement.rate
            self.position.pay_funding(paid_quote)
            self.payments.append(
                FundingPayment(
                    self.bar_index, settlement.time_ms, settlement.rate, mark_price, qty, paid_quote
                )
            )
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
        return gross - position.fees_open_quote - position.funding_open_quote - fee_quote

    def exit_point(self, deal: Deal, is_open: bool = False) -> ExitPoint:
        """Return the point at which lots would close now."""
        bar_index = self.bar_index
        return ExitPoint(
            bar_index, self.times[bar_index], deal.price, deal.name, self.rate, self.path_high,
            self.path_low, is_open, deal.reason, deal.slip,
        )  # fmt: skip # in the order of its fields

    def open_trades(self, price: float) -> list[Trade]:
        """Return the open lots as trades valued at `price`, now."""
        deal = Deal(price, 0.0, OPEN_AT_END, ExitReason.END_OF_DATA)
        point = self.exit_point(deal, is_open=True)
        return self.position.open_trades(point, lambda steps: self._fee_quote(steps, price))

    def _fee_quote(self, steps: int, price: float) -> float:
        notional_quote = self.account.notional_quote(steps, price, self.rate)
        return self.costs.fee(self.instrument.qty_of(steps), notional_quote)

    def _slipped(self, price: float, side: Side, steps: int, slips: bool) -> tuple[float, float]:
        """Return the price of a fill that is due at `price`, and the slippage in it."""
        instrument = self.instrument
        due = max(1, instrument.ticks_nearest(price))
        due_price = instrument.price_of(due)
        if not slips or self.slippage.is_free:
            return due_price, 0.0
        qty = instrument.qty_of(steps)
        ticks = self.slippage.slipped_ticks(due, side, qty, self.bar_index)
        fill_price = instrument.price_of(ticks)
        return fill_price, (fill_price - due_price) * side

    def _transact(self, order: Order, closing: int, opening: int, deal: Deal) -> None:
        """Book one fill: close, then open, the commission shared by quantity."""
        total, price, instrument = closing + opening, deal.price, self.instrument
        qty, fee_quote = instrument.qty_of(total), self._fee_quote(total, price)
        if deal.reason is ExitReason.LIQUIDATION:
            value_quote = self.account.notional_quote(total, price, self.rate)
            fee_quote = self.costs.liquidation_fee(qty, value_quote)
        self.fills.append(
            Fill(
                bar_index=self.bar_index,
                time_ms=self.times[self.bar_index],
                order_id=order.id,
                name=deal.name,
                side=order.side,
                qty=qty,
                price=price,
                fee_quote=fee_quote,
                slippage_quote=deal.slip * qty * instrument.point_value * self.rate,
            )
        )
        if closing:
            point = self.exit_point(deal)
            self.position.reduce(
                closing, fee_quote * closing / total, point, self.admission.bound(order)
            )
            if self.book.resting:
                self.book.drop_spent_legs()
            if not self.position.signed_steps:
                if self.book.has_rungs:
                    self.book.drop_rungs(order.side.opposite)
                self.book.forget_unbound(order if opening else None, is_flat=True)
        if opening:
            self._open(order, opening, deal, fee_quote * opening / total)
        if order.bracket is not None:
            order.bracket.is_live = False  # Later entries need a new command.

    def _open(self, order: Order, steps: int, deal: Deal, fee_quote: float) -> None:
        price = deal.price
        entry = Entry(order.id, order.side, price, self.bar_index, steps, steps)
        lot = Lot(
            entry=entry,
            name=deal.name,
            side=order.side,
            steps=steps,
            price=price,
            fee_quote=fee_quote,
            rate=self.rate,
            bar_index=self.bar_index,
            time_ms=self.times[self.bar_index],
            high=price,
            low=price,
            slip=deal.slip,
        )
        self.position.add(lot)
        self.fresh_lots.append(lot)
        for bracket in self.book.brackets.values():
            if bracket.is_live and bracket.from_entry in ("", entry.id):
                base = self.position.base_price(bracket.spec.basis, entry)
                self.book.attach(entry, bracket, base)
        if self.book.has_bases:
            self.book.move_legs(self.position.bases)
        if self.book.has_rungs:
            self.book.bind_rungs(order.side)

    def _check_flat_loss(self, price: float) -> None:
        """Stop the day, or trading, when what was realised reaches a limit and nothing is held."""
        if self.position.signed_steps:
            return
        if self.caps.is_used:
            equity_quote = self.account.equity_quote(price, self.rate)
            if self.caps.is_loss_reached(equity_quote):
                self.book.clear()
        if self.forced.is_used and self.account.settled_quote <= self.forced.floor_quote:
            self._end_trading()

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
        fill_price, slip = self._slipped(price, side, steps, slips)
        kind = OrderKind.RAW if entry is None else OrderKind.EXIT
        order = Order(kind, "", side, steps, Names(cause.name), self.bar_index, entry=entry)
        self._transact(order, steps, 0, Deal(fill_price, slip, *cause))

    def _refresh_guards(self) -> None:
        self.guard_down, self.guard_up = self.account.guard_prices(self.rate, self.caps.equity_min)
        if self.forced.is_used:
            self.forced.refresh(self.rate)
            self.guard_down = max(self.guard_down, self.forced.guard_down)
            self.guard_up = min(self.guard_up, self.forced.guard_up)

    def _liquidate(self) -> None:
        """Let the venue take the position over; whatever waits is cancelled."""
        self.book.clear()
        price = self.forced.closing_price(self.price)
        steps = abs(self.position.signed_steps)
        self._force_close(steps, price, LIQUIDATION, slips=not self.forced.is_isolated)
        self._check_flat_loss(price)
        self._refresh_guards()

    def _end_trading(self) -> None:
        """Cancel everything, close the position and enter nothing any more."""
        self.book.clear()
        self.caps.end()
        steps = abs(self.position.signed_steps)
        if steps:
            self._force_close(steps, self.forced.worse_tick(self.price), DRAWDOWN, slips=True)
        self._refresh_guards()
