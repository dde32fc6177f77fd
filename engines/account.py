"""The money of one run: what is owned, what an order may cost, and when the broker must step in.

Theory. equity = capital + net result of closed lots - commission of the open ones and the funding
they have paid + gross result of the open ones at a price. Everything the broker enforces is linear
in that price, so each rule has one price from which on it holds: `guard_prices` returns them, and a
bar that reaches none of them needs no check. Money is in account currency; `rates` [T] converts
quote into it (None: the same).

Sizing (TradingView's, measured): the money of an order that names no size is fixed when it is
issued, at the deciding close, and rounded to ten significant digits; the quantity is truncated to
whole steps. A share of equity is the margin of the entry together with its commission: it buys a
notional n with n / leverage + commission(n) = share x equity. With one unit of leverage that is
TradingView's percent of equity.

Leverage divides the margin that each position needs. Above 1, and in hedge mode, positions are
liquidated (`liquidation`) and there are no margin calls.
"""

import math

from engines.costs import CommissionKind, Costs
from engines.errors import PlanFault
from engines.instrument import Instrument
from engines.plan import Plan, SizingKind
from engines.position import Position
from engines.trades import Side

# A funds shortfall below this share of equity is float noise, not a lack of money.
FUNDS_NOISE = 1e-11
# TradingView liquidates four times what would restore the margin, so that calls do not cascade.
MARGIN_CALL_MULTIPLE = 4


class Account:
    """Capital, results and margin of one instrument's position, beside a peer in hedge mode."""

    def __init__(
        self,
        plan: Plan,
        costs: Costs,
        instrument: Instrument,
        position: Position,
        rates: list[float] | None,
    ) -> None:
        self.plan = plan
        self.costs = costs
        self.instrument = instrument
        self.position = position
        self.rates = rates
        self._margin_ratios = (
            plan.margin_long_ratio / plan.leverage, plan.margin_short_ratio / plan.leverage
        )  # fmt: skip # long, short
        self._calls_margin = not (plan.is_leveraged or plan.is_hedged)

    def rate(self, bar_index: int) -> float:
        """Return account currency per quote at a bar."""
        return 1.0 if self.rates is None else self.rates[bar_index]

    @property
    def settled_quote(self) -> float:
        """Return the capital and all that was earned and paid, open positions left out."""
        return self.plan.capital_quote + self.position.earned_quote

    def equity_quote(self, price: float, rate: float) -> float:
        """Return the equity with what is open valued at `price`."""
        position = self.position
        equity, peer = self.plan.capital_quote + position.earned_quote, position.peer
        if position.signed_steps:
            equity += position.pnl_open_quote(price) * rate
        if peer is not None and peer.signed_steps:
            equity += peer.pnl_open_quote(price) * rate
        return equity

    def margin_ratio(self, side: Side) -> float:
        """Return the share of a position's notional that equity must cover."""
        return self._margin_ratios[0 if side is Side.BUY else 1]

    def notional_quote(self, steps: int, price: float, rate: float) -> float:
        """Return the value of `steps` at `price` in account currency."""
        return self.instrument.qty_of(steps) * price * self.instrument.point_value * rate

    def budget_quote(self, equity_quote: float, equity_ratio: float | None = None) -> float:
        """Return the money an order without a size may spend (NaN: sizing is by quantity).

        `equity_ratio` is the share of equity that this entry spends instead of the plan's sizing;
        the kinds whose share changes from entry to entry have no other.
        Raises: PlanFault if the plan sizes each entry by such a share and none is given.
        """
        sizing = self.plan.sizing
        if equity_ratio is None:
            if sizing.kind is SizingKind.QTY:
                return math.nan
            if sizing.kind is SizingKind.CASH:
                return sizing.value
            if sizing.kind is not SizingKind.EQUITY_RATIO:
                expected = "a size or a share of equity with every order"
                raise PlanFault(f"sizing by {sizing.kind}", expected, "an order with neither")
            equity_ratio = sizing.value
        money = equity_ratio * equity_quote * self.plan.leverage
        if self.costs.commission_kind is CommissionKind.PER_ORDER:
            money = max(0.0, money - self.costs.commission * self.plan.leverage)
        return float(f"{money:.10g}")

    def steps_for(self, budget_quote: float, price: float, rate: float) -> int:
        """Return the whole steps that `budget_quote` buys at `price`.

        A share of equity pays the commission too; under a plan of fixed cash nothing does.
        """
        if math.isnan(budget_quote):
            return self.instrument.steps_down(self.plan.sizing.value)
        unit = price * self.instrument.point_value * rate
        if self.plan.sizing.kind is not SizingKind.CASH:
            commission = self.costs.commission * self.plan.leverage
            if self.costs.commission_kind is CommissionKind.RATIO:
                unit *= 1 + commission
            elif self.costs.commission_kind is CommissionKind.PER_CONTRACT:
                unit += commission
        return self.instrument.steps_truncated(max(0.0, budget_quote) / unit)

    def lacks_funds(self, steps: int, side: Side, price: float, equity: float, rate: float) -> bool:
        """Return whether equity cannot cover the margin of a position of `steps`.

        In hedge mode the margin of the other side's position must be covered beside it.
        """
        needed = self.notional_quote(steps, price, rate) * self.margin_ratio(side)
        if self.position.peer is not None:
            other = abs(self.position.peer.signed_steps)
            needed += self.notional_quote(other, price, rate) * self.margin_ratio(side.opposite)
        return needed - equity > FUNDS_NOISE * abs(equity)

    def lacks_isolated_margin(self, opening: int, side: Side, price: float, rate: float) -> bool:
        """Return whether `opening` steps at `price` need more margin than has been earned for good.

        An isolated position can lose its entry value / leverage. What all positions of the account
        can lose then must not be more than the capital and what was realised: a paper profit is
        nobody's margin. A reversed position counts as closed at `price`.
        """
        position, peer = self.position, self.position.peer
        value, settled = self.notional_quote(opening, price, rate), self.settled_quote
        if position.signed_steps * side > 0:
            value += self._entry_value_quote(position, rate)
        elif position.signed_steps:
            settled += position.pnl_open_quote(price) * rate
        if peer is not None:
            value += self._entry_value_quote(peer, rate)
        return value / self.plan.leverage - settled > FUNDS_NOISE * abs(settled)

    def _entry_value_quote(self, position: Position, rate: float) -> float:
        return self.notional_quote(abs(position.signed_steps), position.price_avg, rate)

    def margin_call_steps(self, price: float, rate: float) -> int:
        """Return how many steps a margin call sells at `price`, 0 when none is due."""
        held = abs(self.position.signed_steps)
        side = Side.BUY if self.position.signed_steps > 0 else Side.SELL
        ratio = self.margin_ratio(side)
        if not held or ratio == 0 or not self._calls_margin:
            return 0
        equity = self.equity_quote(price, rate)
        if not self.lacks_funds(held, side, price, equity, rate):
            return 0
        missing = self.notional_quote(held, price, rate) * ratio - equity
        unit = price * self.instrument.point_value * rate * ratio
        if missing >= abs(self.position.signed_qty) * unit:
            return held  # The quotient may be beyond all numbers where the ratio is next to none.
        cover = self.instrument.steps_truncated(missing / unit)
        if not cover:
            # Less than a step is missing: TradingView sells one contract, or one step if coarser.
            return min(held, max(1, self.instrument.steps_down(1.0)))
        return min(held, MARGIN_CALL_MULTIPLE * cover)

    def price_at_equity(self, equity_quote: float, rate: float) -> float:
        """Return the price at which the open position leaves this equity."""
        position = self.position
        unit = position.signed_qty * self.instrument.point_value * rate
        return position.price_avg + (equity_quote - self.settled_quote) / unit

    def guard_prices(self, rate: float, equity_min: float) -> tuple[float, float]:
        """Return (down, up): prices at or beyond which a margin call or loss cap may be due.

        `equity_min` is the equity at which the intraday loss cap closes the position (-inf: none).
        """
        held = self.position.signed_steps
        if not held:
            return -math.inf, math.inf
        settled = self.settled_quote
        unit = abs(self.position.signed_qty) * self.instrument.point_value * rate
        cost = unit * self.position.price_avg
        ratio = self.margin_ratio(Side.BUY if held > 0 else Side.SELL) * self._calls_margin
        if held < 0:
            call = math.inf if ratio == 0 else (settled + cost) / (unit * (1 + ratio))
            return -math.inf, min(call, (settled + cost - equity_min) / unit)
        loss = (equity_min - settled + cost) / unit
        if ratio == 0:
            return loss, math.inf
        if ratio == 1:
            # Value and margin move together: the price cannot cause or cure the call.
            return (math.inf if cost > settled else loss), math.inf
        return max(loss, (cost - settled) / (unit * (1 - ratio))), math.inf
