"""What a strategy may say to reduce its position: exit brackets and closes.

Theory. An exit command is kept in the words it was given in: said again in the same words it
changes nothing, which is the usual case at every close after the first. Only new words are checked
and become a `BracketSpec`, which the same words for another entry use again; what its levels mean
is told in `brackets`. A close is a market order that reduces, sized at once by what is open.
"""

import math
from collections.abc import Sequence

from engines.broker import Broker
from engines.errors import OrderFault
from engines.klines import time_text
from engines.orders import (
    NAN,
    PRICED_KINDS,
    Bracket,
    BracketSpec,
    ExitTerms,
    Level,
    Names,
    Order,
    OrderKind,
    Ratchets,
    Unit,
)
from engines.plan import Basis, CloseRule, member
from engines.trades import ExitReason, Side

DISTANCES = (Unit.TICKS, Unit.RATIO, Unit.QUOTE)
NOT_GIVEN = (None, None)
SPECS_MAX = 64  # checked commands kept, by id


class ExitDesk:
    """The reducing commands of one strategy to one broker, at the close of `bar_index`."""

    def __init__(self, broker: Broker) -> None:
        self.bar_index = 0
        self._execution = broker.execution
        self._book = broker.book
        self._instrument = broker.execution.instrument
        self._closes = broker.closes
        self._specs: dict[str, tuple[ExitTerms, BracketSpec]] = {}

    def exit(
        self, id: str, from_entry: str = "", *,
        qty: float | None = None, qty_ratio: float | None = None,
        limit: float | None = None, stop: float | None = None,
        profit_ticks: float | None = None, loss_ticks: float | None = None,
        profit_ratio: float | None = None, loss_ratio: float | None = None,
        trail_price: float | None = None,
        trail_points: float | None = None, trail_offset: float | None = None,
        trail_activation_ratio: float | None = None, trail_distance_ratio: float | None = None,
        trail_activation_quote: float | None = None, trail_distance_quote: float | None = None,
        ratchets: Ratchets = (), basis: Basis = Basis.ENTRY, oca_name: str = "",
        comment: str = "", comment_profit: str = "", comment_loss: str = "",
        comment_trailing: str = "", stop_reason: ExitReason = ExitReason.STOP_LOSS,
        profit_reason: ExitReason = ExitReason.TAKE_PROFIT,
    ) -> None:  # fmt: skip # what belongs together stands together
        """Keep an exit bracket on the entries named `from_entry` ("": on all of them).

        Prices in quote; distances from the base price (`basis`): `*_ticks`, `trail_points` and
        `trail_offset` in ticks, `*_quote` in quote, `*_ratio` of it. A trailing stop arms at
        `trail_price` or `trail_points` and follows at `trail_offset`, or at the activation and
        the distance of one of the two other units. Each of `ratchets` is (trigger, stop) in ratios
        of profit, ascending: once price has gained the trigger, the stop moves to the other (below
        zero: behind the base price). `qty` in contracts or `qty_ratio` of the entry; neither takes
        all that no earlier exit reserved. The command lives until it is replaced, cancelled or used
        up; it is ignored when no such entry is open or waiting. A stop that a ratchet has moved
        gives BREAKEVEN_SL, a trailing one TRAILING_STOP as the trade's exit reason.
        Raises: OrderFault for a quantity that is no positive number, a ratio above 1, a distance
        below zero, two units of trailing at once or ratchets in disorder.
        """
        arms = (trail_price, trail_points, trail_activation_ratio, trail_activation_quote)
        distances = (trail_offset, trail_distance_ratio, trail_distance_quote)
        self._keep_bracket(
            from_entry,
            ExitTerms(
                id, qty, qty_ratio, (limit, profit_ticks, profit_ratio),
                (stop, loss_ticks, loss_ratio), arms, distances, ratchets, basis, oca_name,
                (comment, comment_profit, comment_loss, comment_trailing),
                stop_reason, profit_reason,
            )
        )  # fmt: skip # as above

    def close_entry(
        self,
        entry_id: str,
        *,
        qty: float | None = None,
        qty_ratio: float | None = None,
        immediately: bool = False,
        comment: str = "",
        reason: ExitReason = ExitReason.SIGNAL,
    ) -> None:
        """Close the entries named `entry_id` at market, at this close if `immediately`.

        `qty` in contracts or `qty_ratio` of what is open under the name; neither: all of it.
        `reason` is the exit reason of the trades. Ignored when nothing is open under the name now.
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
        name = comment or f"Close entry(s) order {entry_id}"
        self._reduce(entry_id, steps, immediately, name, reason)

    def close_all(
        self,
        *,
        immediately: bool = False,
        comment: str = "",
        reason: ExitReason = ExitReason.SIGNAL,
    ) -> None:
        """Close the whole position at market, at this close if `immediately`.

        `reason` is the exit reason of the trades.
        """
        steps = abs(self._execution.position.signed_steps)
        if steps:
            self._reduce("", steps, immediately, comment or "Close position order", reason)

    def _reduce(
        self, entry_id: str, steps: int, immediately: bool, name: str, reason: ExitReason
    ) -> None:
        position = self._execution.position
        side = Side.SELL if position.signed_steps > 0 else Side.BUY
        order = Order(OrderKind.CLOSE, entry_id, side, steps, Names(name), self.bar_index)
        order.reason = _reason(reason)
        (self._book.immediate if immediately else self._book.market).append(order)

    def _keep_bracket(self, from_entry: str, terms: ExitTerms) -> None:
        """Put an exit command in force, or renew it, for the entries that it covers."""
        book, key = self._book, (terms.id, from_entry)
        bracket = book.brackets.get(key)
        is_same = bracket is not None and bracket.terms == terms
        if bracket is not None and is_same and bracket.is_live:
            return
        # A command that is wrong is refused even where it would do nothing.
        spec = self._spec(terms)
        position = self._execution.position
        entries = [entry for entry in position.entries if from_entry in ("", entry.id)]
        if not entries and not self._is_pending(from_entry):
            return
        if bracket is None or not is_same:
            bracket = Bracket(spec, terms, from_entry, is_bound=position.signed_steps != 0)
            book.brackets[key] = bracket
            book.has_bases = book.has_bases or spec.basis is not Basis.ENTRY
        bracket.is_live = True
        for entry in entries:
            base = position.base_price(spec.basis, entry)
            book.attach(entry, bracket, base, self._closes[self.bar_index])

    def _spec(self, terms: ExitTerms) -> BracketSpec:
        """Return the checked form of an exit command, the last one of its id if it is the same."""
        last = self._specs.get(terms.id)
        if last is not None and last[0] == terms:
            return last[1]
        spec = self._checked(terms)
        if len(self._specs) >= SPECS_MAX:
            self._specs.clear()
        self._specs[terms.id] = terms, spec
        return spec

    def _checked(self, terms: ExitTerms) -> BracketSpec:
        """Return the checked form of an exit command."""
        id, (plain, profit, loss, trailing) = terms.id, terms.comments
        self._require_id(id)
        plain = plain or id
        return BracketSpec(
            id,
            Names(plain, profit or plain, loss or plain, trailing or plain),
            terms.oca_name,
            None if terms.qty is None else self._steps(f"exit {id}", terms.qty),
            self._ratio(id, terms.qty_ratio),
            _levels(id, *terms.gains),
            _levels(id, *terms.losses),
            *_trail(id, terms.arms, terms.distances),
            terms.ratchets and _ratchets(id, terms.ratchets),
            terms.basis if type(terms.basis) is Basis else member("basis", Basis, terms.basis),
            _reason(terms.stop_reason),
            _reason(terms.profit_reason),
        )

    def _is_pending(self, from_entry: str) -> bool:
        if from_entry:
            return self._book.pending(from_entry) is not None
        waiting = (*self._book.resting, *self._book.market)
        return any(order.kind in PRICED_KINDS for order in waiting)

    # Checks of what is said.

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

    def _require_id(self, id: str) -> None:
        if not id:
            raise OrderFault("id of an order", "a name", "an empty text, which means all of them")


def finite_level(id: str, level: float | None) -> float:
    """Return a level or distance, NaN where none is given.

    Raises: OrderFault if it is infinite.
    """
    if level is None or level != level:  # NaN
        return NAN
    if math.isinf(level):
        raise OrderFault(f"level of {id}", "a finite number, or NaN for none", repr(level))
    return level


def _levels(id: str, price: float | None, *distances: float | None) -> tuple[Level, ...]:
    """Return the ways in which one level is given: a price, then distances in `DISTANCES`."""
    levels = []
    if price is not None and price == price:
        levels.append((Unit.PRICE, finite_level(id, price)))
    for unit, distance in zip(DISTANCES, distances, strict=False):
        if distance is not None and distance == distance:
            if distance < 0:
                raise OrderFault(f"distance of {id}", "zero or more", repr(distance))
            levels.append((unit, finite_level(id, distance)))
    return tuple(levels)


def _trail(
    id: str, arms: Sequence[float | None], distances: Sequence[float | None]
) -> tuple[tuple[Level, ...], Level]:
    """Return how the arming level of a trailing stop is given, and its distance."""
    by_ratio, by_quote = (arms[2], distances[1]), (arms[3], distances[2])
    said = [pair for pair in (by_ratio, by_quote) if pair != NOT_GIVEN]
    if said and (len(said) > 1 or None in said[0] or (*arms[:2], distances[0]) != (None,) * 3):
        raise OrderFault(
            f"trailing stop of {id}",
            "an activation and a distance in one unit",
            f"{said} beside ticks {(*arms[:2], distances[0])}",
        )
    levels = _levels(id, *arms)
    offsets = _levels(id, None, *distances)
    if not offsets and not said:
        return levels, (Unit.TICKS, 0.0)  # Pine: an offset that is not given is none.
    return (levels, offsets[0]) if offsets else ((), (Unit.TICKS, 0.0))


def _ratchets(id: str, ratchets: Ratchets) -> Ratchets:
    """Return ratchets whose triggers ascend, each with its stop behind it."""
    last = 0.0
    for trigger, stop in ratchets:
        if not (last < trigger < math.inf and -1 <= stop < trigger):
            raise OrderFault(
                f"ratchets of {id}",
                "triggers above zero, each above the one before and above its own stop",
                repr(ratchets),
            )
        last = trigger
    return tuple((trigger, stop) for trigger, stop in ratchets)


def _reason(reason: ExitReason) -> ExitReason:
    return reason if type(reason) is ExitReason else member("exit reason", ExitReason, reason)
