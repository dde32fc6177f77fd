"""The orders that wait: queues of market orders, resting orders, and the exit brackets.

Theory. A market order waits for the next open, an immediate one for the end of the pass that issued
it; everything else rests until a level is met. An order
is known by its id: a new one of the same id takes its place, and keeps its slot in the queue only
when it asks for the same thing. `up` and `down` are the nearest levels over all resting orders: a
bar whose high stays below `up` and whose low stays above `down` touches nothing in the book.

A bracket is an exit command that lives on (`brackets`). It has one leg for every entry it covers;
a leg's quantity is reserved from the entry's original quantity in the order in which the brackets
came, and a leg that has fired stays as a mark that this exit was used up for this entry. A live
bracket covers entries that fill later under its `from_entry`; once a leg fired, only a new command
does.
"""

from engines.brackets import follow, keep_moves, set_levels, wanted_steps
from engines.instrument import Instrument
from engines.orders import (
    INF,
    PRICED_KINDS,
    Bracket,
    Entry,
    OcaKind,
    Order,
    OrderKind,
)
from engines.plan import Basis
from engines.trades import Side

EXIT_KINDS = (OrderKind.EXIT, OrderKind.CLOSE)


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
        self.has_rungs = False
        self.has_bases = False
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
            if order.moves is not None and order.moves.is_trailing:
                trailing = True
            entries += order.kind is OrderKind.ENTRY
        self.up, self.down = up, down
        self.is_trailing = trailing
        self.entries_resting = entries

    def rest(self, order: Order) -> None:
        """Let `order` wait for its level, behind all that rest already."""
        self._slot += 1
        order.slot = self._slot
        self._set_trigger(order)
        order.refresh()
        self.resting.append(order)
        if order.up < self.up:
            self.up = order.up
        if order.down > self.down:
            self.down = order.down
        if order.moves is not None and order.moves.is_trailing:
            self.is_trailing = True
        self.entries_resting += order.kind is OrderKind.ENTRY

    def _set_trigger(self, order: Order) -> None:
        """Set where the limit of `order` fills: at its price, or beyond by the ticks to verify."""
        order.limit_trigger = order.limit
        if self._verify_ticks and order.limit == order.limit:  # not NaN
            ticks = self.instrument.ticks_nearest(order.limit) - order.side * self._verify_ticks
            order.limit_trigger = self.instrument.price_of(ticks)

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
        if is_flat and filling is None and not (self.resting or self.market):
            self.brackets.clear()
            return
        waiting = [*self.resting, *self.market, *([filling] if filling else [])]
        ids = {order.id for order in waiting if order.kind not in EXIT_KINDS}
        bound = {order.id for order in self.resting if order.bracket}
        for key, bracket in list(self.brackets.items()):
            from_entry = bracket.from_entry
            if from_entry:
                waits = from_entry in ids
            elif is_flat:
                waits = bool(ids) and not bracket.is_bound
            else:
                waits = True  # A bracket for all entries waits for the next one, whatever its name.
            if not waits and (is_flat or key[0] not in bound):
                del self.brackets[key]

    def forget_exits_of(self, entry_id: str) -> None:
        """Drop the brackets of an entry that is closed; said again, they share out anew."""
        for key in [key for key in self.brackets if key[1] == entry_id]:
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

    def attach(
        self, entry: Entry, bracket: Bracket, base: float, arming_close: float | None = None
    ) -> None:
        """Give `entry` its leg of `bracket` with levels off `base`, or renew the one it has.

        `arming_close` is the close of the bar on which the command was issued while the entry was
        already held: a trailing part arms and a ratchet acts on it.
        """
        spec = bracket.spec
        leg = None
        for other in entry.legs:
            if other.id == spec.id:
                leg = other
        if leg is not None and leg.is_done:
            return  # This exit was used up for this entry.
        steps = wanted_steps(spec, entry)
        if entry.legs:
            reserved = sum(other.steps for other in entry.legs if other is not leg)
            steps = min(steps, entry.steps - reserved)
        if leg is not None and (steps <= 0 or leg.bracket is not bracket):
            entry.legs.remove(leg)
            if leg in self.resting:
                self.resting.remove(leg)
                self.refresh()
        elif leg is not None:
            return
        if steps > 0:
            self._add_leg(entry, bracket, steps, base, leg, arming_close)
        bracket.is_bound = True

    def _add_leg(
        self,
        entry: Entry,
        bracket: Bracket,
        steps: int,
        base: float,
        old: Order | None,
        arming_close: float | None,
    ) -> None:
        spec = bracket.spec
        leg = Order(
            OrderKind.EXIT,
            spec.id,
            Side.SELL if entry.side is Side.BUY else Side.BUY,
            steps,
            spec.names,
            entry.bar_index,
            is_market=False,
            entry=entry,
            bracket=bracket,
        )
        if spec.oca_name:
            leg.oca_name, leg.oca_kind = spec.oca_name, OcaKind.REDUCE
        set_levels(leg, spec, base, self.instrument)
        if leg.moves is not None:
            if old is not None:
                keep_moves(leg, old)
            if arming_close is not None:
                follow(leg, arming_close, self.instrument)
        entry.legs.append(leg)
        self.rest(leg)

    def move_legs(self, bases: dict[Basis, float]) -> None:
        """Set the levels of all legs anew that do not count from their own entry's price."""
        for leg in self.resting:
            if leg.bracket is None or leg.bracket.spec.basis is Basis.ENTRY:
                continue
            spec = leg.bracket.spec
            set_levels(leg, spec, bases[spec.basis], self.instrument)
            self._set_trigger(leg)
            leg.refresh()
        self.refresh()

    # Rungs.

    def bind_rungs(self, side: Side) -> None:
        """Bind the rungs of `side` to the position that is open now, which wakes them."""
        for order in self._rungs():
            if order.side is side and not order.is_bound:
                order.is_bound = True
                order.refresh()
        self.refresh()

    def drop_rungs(self, side: Side) -> None:
        """Drop the rungs of a position of `side` that has just gone."""
        for order in self._rungs():
            if order.side is side and order.is_bound:
                self.drop(order)

    def drop_lost_rungs(self, held_steps: int) -> None:
        """Drop the rungs that have neither a position of their side nor an entry to wait for."""
        for order in self._rungs():
            if held_steps * order.side <= 0 and not self._has_first_entry(order.side):
                self.drop(order)
                self.is_stale = True  # Its own bracket goes at the next open.

    def _rungs(self) -> list[Order]:
        return [order for order in (*self.resting, *self.market) if order.with_position]

    def _has_first_entry(self, side: Side) -> bool:
        return any(
            order.kind in PRICED_KINDS and order.side is side and not order.with_position
            for order in (*self.resting, *self.market)
        )
