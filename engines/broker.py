"""TradingView's broker emulator: how one bar is played against the orders that wait.

Theory of operation. A bar is a path of four prices: open, the extreme nearer to the open, the other
extreme, close; the high comes first when high - open < open - low, compared as floats (TradingView
does, and on bars with both equally near it is the float noise that decides there too). With the
magnifier the path is that of the lower-interval bars, one after the other. The strategy decides
only at a close, so a bar is played in this order:

1. A new trading day resets the caps (`caps`). Funding settled at the open is paid by what is held
   (`funding`); a position that opens beyond its liquidation price is liquidated (`liquidation`).
2. At the open, market orders fill in the order in which they were issued.
3. Resting orders that the open has already passed fill at the open: entries and raw orders before
   exits; entries from the lower level up and at one level the buying side first, exits from the
   one issued last.
   Then funding settled inside the bar is paid.
4. The price moves along the path; whichever level it meets first fills there, orders at one level
   by their slot. What a fill brings to life (a bracket, the rest of a group) takes part from that
   price on; a level that is already behind the price when it comes to life fills at once.
   A liquidation price or the level of the largest drawdown is one of these, behind orders.
5. At the open and at each further point of the path the margin and the intraday loss are checked.
6. At the close, entries of an order strategy that the account could no longer carry are cancelled;
   what a plan makes of signals is judged where it fills instead (`admission`). Then the strategy
   decides; immediate closes fill, and with `process_on_close` so does what was issued just now.

Fills (`execution`): market and stop orders slip against themselves, limits never do; every price
lies on a tick. An entry reverses: it first closes an opposite position and then opens. A priced
entry has fixed when it was issued how much it needs for the first part; a market entry looks when
it fills, and so does every entry of a plan. Exits and closes only ever reduce: a reducing order
never flips. (TradingView has a corner where an exit that gaps together with a reversing stop entry
opens a position under the exit's own id; here it does not.)
"""

import math

from engines.book import EXIT_KINDS
from engines.brackets import arm_on, ratchet_on
from engines.costs import Costs
from engines.execution import Execution
from engines.funding import Funding, settlements_of
from engines.instrument import Instrument
from engines.klines import Klines
from engines.liquidation import MarkPath, is_liquidable
from engines.magnifier import sub_bars
from engines.meeting import first_passed, next_met
from engines.orders import Moves, Order, OrderKind
from engines.plan import Plan
from engines.trades import ExitReason, Side, Trade
from engines.types import F64_1D


class Broker:
    """The emulator of one run over `klines`.

    `magnifier` holds the lower-interval bars of the path from `start_bar` on, `rates` [T] account
    currency per quote, `funding` the settlements and `mark` the bars of the mark price.
    """

    def __init__(
        self,
        klines: Klines,
        instrument: Instrument,
        plan: Plan,
        costs: Costs,
        magnifier: Klines | None = None,
        rates: F64_1D | None = None,
        start_bar: int = 0,
        funding: Funding | None = None,
        mark: Klines | None = None,
    ) -> None:
        self.execution = Execution(klines, instrument, plan, costs, rates)
        self.book = self.execution.book
        self.opens, self.highs = self.execution.opens, self.execution.highs
        self.lows, self.closes = self.execution.lows, self.execution.closes
        self.settles = plan.process_on_close
        self._magnified = (
            None
            if magnifier is None
            else sub_bars(klines, magnifier, start_bar, instrument.tick_size)
        )

        self._settlements = settlements_of(plan, klines, funding, mark)
        self._marks = None
        if is_liquidable(plan) and magnifier is None and mark is not None:
            self._marks = MarkPath.of(klines, mark)
        self._reach_highs, self._reach_lows = self.highs, self.lows
        if self._marks is not None:
            self.execution.forced.is_marked = True
            self._reach_highs, self._reach_lows = self._marks.reach(self.highs, self.lows)

    def is_quiet(self, bar_index: int) -> bool:
        """Return whether nothing waits for this bar, so that playing it would change nothing."""
        book, execution = self.book, self.execution
        high, low = self._reach_highs[bar_index], self._reach_lows[bar_index]
        return not (
            book.market
            or book.is_stale
            or high >= book.up
            or low <= book.down
            or book.is_trailing
            or low <= execution.guard_down
            or high >= execution.guard_up
            or execution.caps.is_new_day(bar_index)
            or execution.is_watched
            or (
                self._settlements is not None
                and execution.position.signed_steps
                and bar_index in self._settlements
            )
        )

    def next_busy(self, start: int, stop: int) -> int:
        """Return the first bar from `start` on that is not quiet, `stop` if all before it are."""
        book, execution = self.book, self.execution
        if self._settlements is not None and execution.position.signed_steps:
            stop = self._settlements.next_bar(start, stop)
        if (
            book.market
            or book.is_stale
            or book.is_trailing
            or execution.caps.is_used
            or execution.is_watched
        ):
            while start < stop and self.is_quiet(start):
                start += 1
            return start
        up, down = min(book.up, execution.guard_up), max(book.down, execution.guard_down)
        if up == math.inf and down == -math.inf:
            return stop
        highs, lows = self._reach_highs[start:stop], self._reach_lows[start:stop]
        for high, low in zip(highs, lows, strict=True):
            if high >= up or low <= down:
                break
            start += 1
        return start

    def play(self, bar_index: int) -> None:
        """Let the market move through one bar: steps 1 to 5 of the theory."""
        execution, open_price = self.execution, self.opens[bar_index]
        execution.move_to(bar_index, open_price)
        if execution.caps.is_new_day(bar_index):
            before = execution.account.equity_quote(self._close_before(bar_index), execution.rate)
            execution.start_day(before)
        if self._settlements is not None:
            execution.pay_funding(self._settlements.of(bar_index, is_before_open=True))
        execution.admission.start_bar(self._close_before(bar_index), execution.rate)
        if self._marks is not None:
            execution.judge_mark(self._marks.opens[bar_index])
        execution.force(open_price)
        if self.book.is_stale:
            if self.book.has_rungs:
                self.book.drop_lost_rungs(execution.position.signed_steps)
            self.book.forget_unbound()
        execution.is_at_open = True
        if self.book.market:
            for order in list(self.book.market):
                if not order.is_done:
                    execution.fill(order, open_price, slips=True)
        self._jump(open_price)
        execution.is_at_open = False
        if self._settlements is not None:
            execution.pay_funding(self._settlements.of(bar_index, is_before_open=False))
            self._check_limits()
        high, low, close = self.highs[bar_index], self.lows[bar_index], self.closes[bar_index]
        if self._is_untouched(self._reach_highs[bar_index], self._reach_lows[bar_index]):
            self._pass(high, low, close)
            return
        if self._magnified is None:
            self._walk(open_price, high, low, close)
            return
        columns, starts = self._magnified
        first, stop = starts[bar_index], starts[bar_index + 1]
        for index in range(first, stop):
            if index > first:
                self._jump(columns[0][index])
            self._walk(*(column[index] for column in columns))

    def settle(self, bar_index: int) -> None:
        """Fill at the close what the strategy's decision at it asks to be filled there."""
        if not self.book.immediate and not self.settles:
            return
        execution, close = self.execution, self.closes[bar_index]
        if execution.bar_index != bar_index:
            self._arrive(bar_index)
        execution.price = close
        execution.fresh_lots = []
        for order in list(self.book.immediate):
            if not order.is_done:
                execution.fill(order, close, slips=True)
        if self.settles:
            for order in list(self.book.market):
                if not order.is_done:
                    execution.fill(order, close, slips=True)
            self._fill_passed(close)

    def drop_unpayable(self, bar_index: int) -> None:
        """Cancel resting entries whose own part the account could not carry at this close."""
        execution, close = self.execution, self.closes[bar_index]
        rate = execution.account.rate(bar_index)
        equity = execution.account.equity_quote(close, rate)
        for order in [o for o in self.book.resting if o.kind is OrderKind.ENTRY]:
            if execution.account.lacks_funds(order.steps, order.side, close, equity, rate):
                execution.admission.refusals["resting entries beyond the account"] += 1
                self.book.drop(order)

    def open_trades(self) -> list[Trade]:
        """Return the position still open after the last bar as trades valued at its close."""
        last = len(self.closes) - 1
        if self.execution.bar_index != last:
            self._arrive(last)
        return self.execution.open_trades(self.closes[last])

    def _close_before(self, bar_index: int) -> float:
        return self.closes[max(0, bar_index - 1)]

    def _arrive(self, bar_index: int) -> None:
        """Stand at the close of a bar that was quiet."""
        execution = self.execution
        execution.move_to(bar_index, self.opens[bar_index])
        execution.admission.start_bar(self._close_before(bar_index), execution.rate)
        execution.price = self.closes[bar_index]
        execution.path_high = self.highs[bar_index]
        execution.path_low = self.lows[bar_index]

    # The path.

    def _is_untouched(self, high: float, low: float) -> bool:
        """Return whether the rest of the bar meets no level, now that its open has filled."""
        book, execution = self.book, self.execution
        return (
            high < book.up
            and low > book.down
            and not book.is_trailing
            and high < execution.guard_up
            and low > execution.guard_down
        )

    def _is_idle(self) -> bool:
        """Return whether nothing is held and nothing waits, so that the path no longer matters."""
        return not (self.execution.position.signed_steps or self.book.resting)

    def _pass(self, high: float, low: float, close: float) -> None:
        """Go through the rest of a bar that meets no level."""
        execution = self.execution
        execution.path_high, execution.path_low, execution.price = high, low, close
        for lot in execution.fresh_lots:
            lot.high, lot.low = high, low

    def _walk(self, open_price: float, high: float, low: float, close: float) -> None:
        is_high_first = high - open_price < open_price - low
        targets = (high, low, close) if is_high_first else (low, high, close)
        marks = (
            ()
            if self._marks is None
            else self._marks.after_open(self.execution.bar_index, is_high_first)
        )
        for point, target in enumerate(targets):
            self._move(target)
            if marks:
                self.execution.judge_mark(marks[point])
            self._check_limits()
            if self._is_idle():
                return

    def _jump(self, price: float) -> None:
        """Open at `price`: what it has passed fills there."""
        if price != self.execution.price or self.book.is_trailing:
            self._advance(price)
        self.execution.force(price)
        self._fill_passed(price)
        self._check_limits()

    def _check_limits(self) -> None:
        execution = self.execution
        if not execution.guard_down < execution.price < execution.guard_up:
            execution.check_limits()

    def _fill_passed(self, price: float) -> None:
        """Fill at `price` every resting order whose level it has passed."""
        if self.book.up > price > self.book.down:
            return
        while (order := first_passed(self.book, price)) is not None:
            # A leg with both its levels behind the price fills as a limit.
            is_selling = order.side is Side.SELL
            rises = order.up <= price if is_selling else order.down < price
            self._touch(order, price, rises, limit_price=price)

    def _move(self, target: float) -> None:
        """Move the price to `target`, acting on each level that it meets."""
        execution, forced = self.execution, self.execution.forced
        while True:
            # Orders up to a forced level fill first, and what they fill may move it.
            if forced.down < target < forced.up:
                if self._travel(target):
                    return
                continue
            price = execution.price
            down, up = min(price, forced.down), max(price, forced.up)
            if self._travel(down if target <= forced.down else up):
                execution.force(execution.price)

    def _travel(self, target: float) -> bool:
        """Move the price to `target`, filling the orders on the way; return whether it came there.

        It does not where a fill has brought a forced level to this side of it.
        """
        forced = self.execution.forced
        while (met := next_met(self.book, self.execution.price, target)) is not None:
            order, level, rises = met
            self._advance(level)
            self._touch(order, level, rises)
            if not forced.down <= target <= forced.up:
                return False
        self._advance(target)
        return True

    def _advance(self, price: float) -> None:
        """Record that the price has come to `price`; trailing stops follow."""
        execution = self.execution
        execution.price = price
        if price > execution.path_high:
            execution.path_high = price
        elif price < execution.path_low:
            execution.path_low = price
        for lot in execution.fresh_lots:
            if price > lot.high:
                lot.high = price
            elif price < lot.low:
                lot.low = price
        if self.book.is_trailing:
            for order in self.book.resting:
                if order.moves is not None and order.moves.is_trailing:
                    arm_on(order, order.moves, price, execution.instrument)
            self.book.refresh()

    def _limit_price(self, order: Order, price: float) -> float:
        """Return what a limit fills at: its own price, or the better one the market offered."""
        if (order.limit_trigger - price) * order.side > 0:
            return price
        # With ticks to verify, the bar may have opened between the limit and its trigger.
        if order.side is Side.BUY:
            return min(order.limit, self.execution.path_high)
        return max(order.limit, self.execution.path_low)

    # What a level does.

    def _touch(
        self, order: Order, price: float, rises: bool, limit_price: float = math.nan
    ) -> None:
        """Let `price`, come from below if `rises`, act on `order`: arm, trigger or fill it.

        A limit fills at its own price on the way, and at `limit_price` where the market opens
        beyond it.
        """
        if math.isnan(limit_price):
            limit_price = self._limit_price(order, price)
        is_favourable = rises == (order.side is Side.SELL)
        if order.kind not in EXIT_KINDS:
            self._touch_entry(order, price, is_favourable, limit_price)
        elif not is_favourable:
            self._stop_out(order, price, order.stop_reason)
        elif order.moves is None or not self._has_moved(order, order.moves, price):
            assert order.bracket is not None
            self.execution.fill(
                order, limit_price, False, order.names.profit, order.bracket.spec.profit_reason
            )

    def _stop_out(self, leg: Order, price: float, reason: ExitReason) -> None:
        is_trailing = reason is ExitReason.TRAILING_STOP
        name = leg.names.trailing if is_trailing else leg.names.loss
        self.execution.fill(leg, price, True, name, reason)

    def _has_moved(self, leg: Order, moves: Moves, price: float) -> bool:
        """Let a favourable `price` move the stop of `leg`; return whether it did."""
        if not ratchet_on(leg, moves, price):
            if not _arms_first(leg, moves):
                return False
            arm_on(leg, moves, price, self.execution.instrument)
            if moves.trail_ticks == 0:
                self._stop_out(leg, price, ExitReason.TRAILING_STOP)
        self.book.refresh()
        return True

    def _touch_entry(
        self, order: Order, price: float, is_favourable: bool, limit_price: float
    ) -> None:
        if order.is_triggered or (is_favourable and math.isnan(order.stop)):
            self.execution.fill(order, limit_price, slips=False)
        elif math.isnan(order.limit):
            self.execution.fill(order, price, slips=True)
        else:
            order.is_triggered = True
            order.refresh()
            self.book.refresh()


def _arms_first(leg: Order, moves: Moves) -> bool:
    """Return whether the trailing part of a leg is armed before its limit is met."""
    if moves.is_trailing or moves.arm_price != moves.arm_price:  # NaN
        return False
    return leg.limit != leg.limit or (leg.limit - moves.arm_price) * -leg.side >= 0
