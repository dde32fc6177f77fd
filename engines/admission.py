"""How much of an order may fill: flips, pyramiding, direction, maximum position and funds.

Theory. An order first closes, up to the opposite position, and then opens. What an entry closes
beyond its own quantity is its flip: fixed at issue for a priced order, read from the position for a
market order and for every entry of a plan (*strict*, below), so that it opens its own quantity and
no more; an entry issued again in the same pass carries no flip and only nets, as do rungs. Exits
and closes never open. The opening part then passes the gates: allowed direction, maximum position,
what the leverage may open under the instrument's margin tiers, and funds.

Funds (TradingView's, measured): an order whose position the account cannot carry is refused whole,
its closing part too. Entries are judged at an open by the equity of the close before, raw orders
wherever they fill. If fills before it in the same bar have changed the position, an order that
would have fitted the bar's start fills all the same, as does an entry after the opposite position
was closed, and the margin call trims them; but a position opened at this same open is reversed only
by an order whose margin fits beside its own. Every refusal is counted by its reason.

Strict admission is that of a plan that trades signals, whose entries rest longer than a bar. Every
entry, rungs too, is judged wherever it fills, and none opens once equity is gone. Where no margin
call trims what was too much (leverage, hedge mode, spot) there is no leniency either: the whole
position that would result, and the other side's in hedge mode, must fit the equity at the fill
price, and isolated margins what has been earned for good (`account`).
"""

import math
from collections import Counter
from collections.abc import Sequence

from engines.account import Account
from engines.book import EXIT_KINDS
from engines.liquidation import is_isolated, is_liquidable, notional_max
from engines.orders import Entry, Order, OrderKind
from engines.plan import CloseRule, Direction, Market, Plan
from engines.trades import Side


class Admission:
    """The gates of one run, at one bar; `is_strict` where a plan trades signals."""

    def __init__(self, plan: Plan, account: Account) -> None:
        self.refusals: Counter[str] = Counter()
        self.is_strict = False
        self._plan = plan
        self._is_exact = is_liquidable(plan) or plan.market is Market.SPOT
        self._is_isolated = is_isolated(plan)
        self._account = account
        self._position = account.position
        self._value_max = notional_max(plan, account.instrument)
        self._start_steps = 0
        self._start_equity_quote = plan.capital_quote

    def start_bar(self, last_close: float, rate: float) -> None:
        """Note the position that a bar starts with, and its equity at the close before."""
        self._start_steps = self._position.signed_steps
        self._start_equity_quote = self._account.equity_quote(last_close, rate)

    def is_pyramid_full(self) -> bool:
        """Return whether the position takes no further entry of its side."""
        return len(self._position.entries) >= max(1, self._plan.pyramiding)

    def bound(self, order: Order) -> Sequence[Entry]:
        """Return the entries that `order` may reduce (none: it is bound to no entry)."""
        if order.kind is OrderKind.EXIT:
            return (order.entry,) if order.entry is not None else ()
        if order.kind is OrderKind.CLOSE:
            return [entry for entry in self._position.entries if order.id in ("", entry.id)]
        return ()

    def steps(self, order: Order, price: float, rate: float, is_at_open: bool) -> tuple[int, int]:
        """Return how many steps `order` may close and open at `price`."""
        held = self._position.signed_steps
        opposite = abs(held) if held * order.side < 0 else 0
        if order.kind in EXIT_KINDS:
            return self._reducible(order, opposite), 0
        total = self._own_steps(order, price, is_at_open) + order.flip_steps
        if order.kind is OrderKind.ENTRY and self._reads_flip(order):
            if held * order.side > 0 and self.is_pyramid_full():
                self.refusals["entries beyond the pyramiding limit"] += 1
                return 0, 0
            total += opposite if order.flips else 0
        closing = min(total, opposite)
        if order.is_closing_only or total == closing:
            return closing, 0
        opening = self._allowed(order, total - closing)
        if opening and self._value_max < math.inf and self._is_too_large(order, opening, price):
            self.refusals["orders beyond what the leverage may open"] += 1
            return closing, 0
        is_judged = order.kind is OrderKind.RAW or is_at_open or self.is_strict
        if (
            opening
            and is_judged
            and self._lacks_funds(order.side, opening, price, rate, is_at_open)
        ):
            self.refusals["orders that the account could not pay"] += 1
            return 0, 0
        return closing, opening

    def suspends_exits(self, refused: Order) -> bool:
        """Return whether a refused reversal takes the exits of the old position with it.

        Those of a plan stay: it issues them once.
        """
        is_reversal = self._position.signed_steps * refused.side < 0
        return refused.kind is OrderKind.ENTRY and is_reversal and not self.is_strict

    def asked_steps(self, order: Order) -> int:
        """Return what an order asks for, its own quantity and what it reverses."""
        held = self._position.signed_steps
        opposite = abs(held) if held * order.side < 0 else 0
        if order.kind in EXIT_KINDS:
            is_all = self._plan.close_rule is CloseRule.ALL
            return opposite if is_all else min(order.steps, opposite)
        flips = order.kind is OrderKind.ENTRY and self._reads_flip(order) and order.flips
        return order.steps + (opposite if flips else order.flip_steps)

    def _reads_flip(self, order: Order) -> bool:
        """Return whether an entry looks at the position when it fills, not when it was issued."""
        return order.is_market or self.is_strict

    def _own_steps(self, order: Order, price: float, is_at_open: bool) -> int:
        """Return the order's own quantity; one sized by money is sized where it fills.

        A stop that gaps and a stop-limit keep the size of the price they were issued at.
        """
        if order.budget_quote != order.budget_quote:  # NaN: it has a size
            return order.steps
        has_stop, has_limit = not math.isnan(order.stop), not math.isnan(order.limit)
        if has_stop and (has_limit or is_at_open):
            return order.steps
        return self._account.steps_for(order.budget_quote, price, order.budget_rate)

    def _allowed(self, order: Order, steps: int) -> int:
        """Return how much of `steps` direction and maximum position let open."""
        allowed = self._plan.direction
        if allowed is not Direction.BOTH and (allowed is Direction.LONG) != (order.side > 0):
            self.refusals["entries against the allowed direction"] += 1
            return 0
        if self._plan.position_qty_max is None:
            return steps
        held = self._position.signed_steps
        room = self._account.instrument.steps_down(self._plan.position_qty_max)
        room -= abs(held) if held * order.side > 0 else 0
        if steps > room:
            self.refusals["orders cut to the maximum position"] += 1
        return min(steps, max(0, room))

    def _is_too_large(self, order: Order, opening: int, price: float) -> bool:
        """Return whether the position would be worth more than its leverage allows."""
        held = self._position.signed_steps
        steps = opening + (abs(held) if held * order.side > 0 else 0)
        return self._account.notional_quote(steps, price, 1.0) > self._value_max

    def _lacks_funds(
        self, side: Side, opening: int, price: float, rate: float, is_at_open: bool
    ) -> bool:
        account, held, start = self._account, self._position.signed_steps, self._start_steps
        if self.is_strict:
            equity = account.equity_quote(price, rate)
            if equity <= 0:
                return True
            if self._is_exact:
                return self._lacks_margin(side, opening, price, equity, rate)
        if held * side >= 0 and start * side < 0:
            return False  # After a close at this bar the opposite entry fills, and may be trimmed.
        is_unchanged = held == start
        equity = self._start_equity_quote
        if not (is_unchanged and is_at_open):
            equity = account.equity_quote(price, rate)
        if held * side < 0 and start * held <= 0:
            # The opposite position was opened at this same open: both margins are needed at once.
            return account.lacks_funds(abs(held) + opening, side, price, equity, rate)
        same = abs(held) if held * side > 0 else 0
        if not account.lacks_funds(same + opening, side, price, equity, rate):
            return False
        if is_unchanged:
            return True
        before = abs(start) if start * side > 0 else 0
        return account.lacks_funds(before + opening, side, price, self._start_equity_quote, rate)

    def _lacks_margin(
        self, side: Side, opening: int, price: float, equity: float, rate: float
    ) -> bool:
        """Return whether the position that would result needs more than the account has."""
        held, account = self._position.signed_steps, self._account
        steps = opening + (abs(held) if held * side > 0 else 0)
        if account.lacks_funds(steps, side, price, equity, rate):
            return True
        return self._is_isolated and account.lacks_isolated_margin(opening, side, price, rate)

    def _reducible(self, order: Order, opposite: int) -> int:
        if self._plan.close_rule is CloseRule.ALL:
            return opposite
        if order.kind is OrderKind.EXIT and order.entry is not None:
            return min(order.steps, order.entry.bound_steps, opposite)
        bound = sum(entry.bound_steps for entry in self.bound(order))
        return min(order.steps, bound, opposite)
