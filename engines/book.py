"""The orders that wait: queues of market orders, resting orders, and the exit brackets.

Theory. A market order waits for the next open, an immediate one for the end of the pass that issued
it; everything else rests until a level is met. An order
is known by its id: a new one of the same id takes its place, and keeps its slot in the queue only
when it asks for the same thing. `up` and `down` are the nearest levels over all resting orders: a
bar whose high stays below `up` and whose low stays above `down` touches nothing in the book.

A bracket is an exit command that lives on. It has one leg for every entry it covers; a leg's
quantity is reserved from the entry's original quantity in the order in which the brackets came,
and a leg that has fired stays as a mark that this exit was used up for this entry. A live bracket
covers entries that fill later under its `from_entry`; once a leg fired, only a new command does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from engines.instrument import Instrument
from engines.orders import INF, NAN, BracketSpec, Entry, ExitTerms, OcaKind, Order, OrderKind
from engines.trades import Side

EXIT_KINDS = (OrderKind.EXIT, OrderKind.CLOSE)


@dataclass(slots=True, eq=False)
class Bracket:
    """An exit command in force; `terms` identify what it asks for.

    `is_bound` once it belongs to a position: it then ends with that position.
    """

    spec: BracketSpec
    terms: ExitTerms
    is_bound: bool = False
    is_live: bool = True


class Book:
    """Working orders of one instrument."""

    def __init__(self, instrument: Instrument, limit_verify_ticks: int) -> None:
        self.instrument = instrument
        self._verify_ticks = limit_verify_ticks
        self.immediate: list[Order] = []
        self.market: list[Order] = []
        self.resting: list[Order] = []
        self.brackets: dict[tuple[str, str], Bracket] = {}
        self.up = INF
        self.down = -INF
        self.is_trailing = False
        self.is_stale = False
        self.entries_resting = 0
        self._slot = 0

    def refresh(self) -> None:
        """Recompute the nearest levels after the resting orders have changed."""
        up, down = INF, -INF
        trailing = False
        entries = 0
        for order in self.resting:
            if order.up < up:
                up = order.up
            if order.down > down:
                down = order.down
            trailing = trailing or order.is_trailing
            entries += order.kind is OrderKind.ENTRY
        self.up, self.down = up, down
        self.is_trailing = trailing
        self.entries_resting = entries

    def rest(self, order: Order) -> None:
        """Let `order` wait for its level, behind all that rest already."""
        self._slot += 1
        order.slot = self._slot
        order.limit_trigger = order.limit
        if self._verify_ticks and not math.isnan(order.limit):
            ticks = self.instrument.ticks_nearest(order.limit) - order.side * self._verify_ticks
            order.limit_trigger = self.instrument.price_of(ticks)
        order.refresh()
        self.resting.append(order)
        self.up, self.down = min(self.up, order.up), max(self.down, order.down)
        self.is_trailing = self.is_trailing or order.is_trailing
        self.entries_resting += order.kind is OrderKind.ENTRY

    def drop(self, order: Order) -> None:
        """Take `order` out, filled or not."""
        order.is_done = True
        if order in self.market:
            self.market.remove(order)
        elif order in self.immediate:
            self.immediate.remove(order)
        elif order in self.resting:
            self.resting.remove(order)
            self.refresh()

    def pending(self, id: str) -> Order | None:
        """Return the entry or raw order that waits under `id`."""
        for orders in (self.resting, self.market):
            for order in orders:
                if order.id == id and order.kind not in EXIT_KINDS:
                    return order
        return None

    def cancel(self, id: str) -> None:
        """Take out every order under `id`: entries, raw orders and exits."""
        for order in [order for order in (*self.resting, *self.market) if order.id == id]:
            if order.kind is not OrderKind.CLOSE:
                self._withdraw(order)
        for key in [key for key in self.brackets if key[0] == id]:
            del self.brackets[key]
        self.is_stale = True

    def clear(self) -> None:
        """Take out everything."""
        for order in (*self.resting, *self.market, *self.immediate):
            self._withdraw(order)
        self.brackets.clear()

    def drop_spent_legs(self) -> None:
        """Drop the exits of entries that have nothing left to close."""
        for leg in [o for o in self.resting if o.entry and not o.entry.bound_steps]:
            self.drop(leg)

    def suspend_exits(self) -> None:
        """Withdraw every bracket's legs until the bracket is issued again."""
        for order in [order for order in self.resting if order.bracket is not None]:
            self._withdraw(order)
        for bracket in self.brackets.values():
            bracket.is_live = False

    def _withdraw(self, order: Order) -> None:
        """Drop an order that was not used up: a leg may come back with a new command."""
        self.drop(order)
        if order.entry is not None:
            order.entry.legs.remove(order)

    def forget_unbound(self, filling: Order | None = None, is_flat: bool = False) -> None:
        """Drop brackets that nothing can bind any more.

        Cancelling an entry leaves its brackets until the next open, for another of its id to take.
        A bracket stays while it has a leg, or while an entry that it names waits (`filling` counts
        as waiting). A bracket for all entries waits for whichever comes next, but once it belonged
        to a position it ends when that goes flat.
        """
        self.is_stale = False
        if not self.brackets:
            return
        waiting = [*self.resting, *self.market, *([filling] if filling else [])]
        ids = {order.id for order in waiting if order.kind not in EXIT_KINDS}
        bound = {order.bracket.id for order in self.resting if order.bracket}
        for key, bracket in list(self.brackets.items()):
            from_entry = bracket.spec.from_entry
            if from_entry:
                waits = from_entry in ids
            elif is_flat:
                waits = bool(ids) and not bracket.is_bound
            else:
                waits = True  # A bracket for all entries waits for the next one, whatever its name.
            if not waits and (is_flat or key[0] not in bound):
                del self.brackets[key]

    def apply_oca(self, filled: Order, steps: int) -> None:
        """Cancel or reduce the others of the group of `filled`, which has executed `steps`."""
        for order in [*self.resting, *self.market]:
            if order is filled or order.oca_name != filled.oca_name:
                continue
            if filled.oca_kind is OcaKind.REDUCE:
                order.steps -= steps
            if filled.oca_kind is OcaKind.CANCEL or order.steps <= 0:
                self.drop(order)

    def retire(self, spec: BracketSpec) -> None:
        """Note that a leg of this exit has fired: later entries need a new command."""
        bracket = self.brackets.get((spec.id, spec.from_entry))
        if bracket is not None:
            bracket.is_live = False

    def attach(self, entry: Entry, bracket: Bracket, arming_close: float = NAN) -> None:
        """Give `entry` its leg of `bracket`, or renew the one it has.

        `arming_close` is the close of the bar on which the command was issued while the entry was
        already held: a trailing part arms on it.
        """
        spec = bracket.spec
        leg = None
        for other in entry.legs:
            if other.id == spec.id:
                leg = other
        if leg is not None and leg.is_done:
            return  # This exit was used up for this entry.
        steps = _wanted_steps(spec, entry)
        if entry.legs:
            reserved = sum(other.steps for other in entry.legs if other is not leg)
            steps = min(steps, entry.steps - reserved)
        if leg is not None and (steps <= 0 or leg.bracket is not spec):
            entry.legs.remove(leg)
            if leg in self.resting:
                self.resting.remove(leg)
                self.refresh()
        elif leg is not None:
            return
        if steps > 0:
            self._add_leg(entry, bracket, leg, steps, arming_close)
        bracket.is_bound = True

    def _add_leg(
        self, entry: Entry, bracket: Bracket, old: Order | None, steps: int, arming_close: float
    ) -> None:
        spec = bracket.spec
        leg = Order(
            kind=OrderKind.EXIT,
            is_market=False,
            id=spec.id,
            side=entry.side.opposite,
            steps=steps,
            names=spec.names,
            bar_index=entry.bar_index,
            oca_name=spec.oca_name,
            oca_kind=OcaKind.REDUCE if spec.oca_name else OcaKind.NONE,
            entry=entry,
            bracket=spec,
        )
        set_levels(leg, spec, entry, self.instrument)
        if old is not None and old.bracket and old.bracket.trail_terms == spec.trail_terms:
            leg.best_price, leg.trail_stop = old.best_price, old.trail_stop
        elif not math.isnan(arming_close):
            arm_on(leg, arming_close, self.instrument)
        entry.legs.append(leg)
        self.rest(leg)


def _wanted_steps(spec: BracketSpec, entry: Entry) -> int:
    if spec.qty_steps:
        return min(spec.qty_steps, entry.steps)
    if spec.qty_ratio is not None:
        return max(1, math.floor(entry.steps * spec.qty_ratio + 1e-9))
    return entry.steps


def set_levels(leg: Order, spec: BracketSpec, entry: Entry, instrument: Instrument) -> None:
    """Set limit, stop and arming price of `leg` from `spec`, off the price of its own entry.

    Limits round to the tick in the direction of profit, stops and an explicit trail price in the
    direction of loss. Given as a price and as a distance both, the one that is met first counts.
    """
    sign, price, tick = int(entry.side), entry.price, instrument.tick_size
    profit = instrument.round_price_up if sign > 0 else instrument.round_price_down
    loss = instrument.round_price_down if sign > 0 else instrument.round_price_up
    gains = (
        spec.limit, price + sign * spec.profit_ticks * tick, price * (1 + sign * spec.profit_ratio)
    )  # fmt: skip # the three ways to say one level
    losses = (
        spec.stop, price - sign * spec.loss_ticks * tick, price * (1 - sign * spec.loss_ratio)
    )  # fmt: skip # the three ways to say one level
    leg.limit = _nearest(gains, profit, sign)
    leg.stop = _nearest(losses, loss, -sign)
    arm_at_price = loss(spec.trail_price) if spec.trail_price == spec.trail_price else NAN
    arms = (arm_at_price, price + sign * spec.trail_points * tick)
    leg.arm_price = _nearest(arms, profit, sign)
    leg.trail_offset_ticks = 0 if math.isnan(spec.trail_offset) else int(spec.trail_offset)


def _nearest(levels: tuple[float, ...], rounding: Callable[[float], float], sign: int) -> float:
    """Return the rounded level that a price moving by `sign` meets first, NaN if none is given."""
    nearest = NAN
    for level in levels:
        if level == level:  # not NaN
            rounded = rounding(level)
            if nearest != nearest or (rounded - nearest) * sign < 0:
                nearest = rounded
    return nearest


def arm_on(leg: Order, price: float, instrument: Instrument) -> bool:
    """Arm a trailing leg if `price` is at or beyond its arming level, or move its stop along."""
    if math.isnan(leg.arm_price):
        return False
    sign = 1 if leg.side is Side.SELL else -1
    if not leg.is_trailing:
        if (price - leg.arm_price) * sign < 0:
            return False
    elif (price - leg.best_price) * sign <= 0:
        return False
    leg.best_price = price
    ticks = instrument.ticks_nearest(price) - sign * leg.trail_offset_ticks
    leg.trail_stop = instrument.price_of(ticks)
    leg.refresh()
    return True
