"""The orders of one ladder from its wish to its end.

Theory. A campaign is made at one close: the entry, then its rungs, each an order and an entry of
its own with its own exits. Prices count from that close and the sizes from the money that the plan
gives to one entry there, so everything about it is known when it begins. The broker drops the
rungs when the position goes flat; until then the campaign is tended at closes of bars with fills:

- `late_target`: once so many of its entries are open, every exit of it gets the late target.
- `refill`: a rung that has filled and closed while the position lasts waits again at its price.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engines.book import Book
from engines.desk import Desk
from engines.orders import Entry
from engines.plan import Ladder
from engines.signal_brackets import Levels, SignalBrackets
from engines.trades import Side


@dataclass(frozen=True, slots=True)
class Waiting:
    """One rung as an order: `price` in quote (the entry's is the close), `qty` in contracts.

    A quantity of 0 is below one step.
    """

    id: str
    price: float
    qty: float
    is_stop: bool


class Campaign:
    """A ladder at work; `rungs` without the first order."""

    def __init__(
        self, ladder: Ladder, side: Side, rungs: Sequence[Waiting], first_id: str, levels: Levels
    ) -> None:
        self.side = side
        self.ids = [first_id, *(rung.id for rung in rungs)]
        self._ladder = ladder
        self._rungs = rungs
        self._levels = levels
        self._late_ratio: float | None = None
        self._filled: set[str] = set()

    @property
    def is_tended(self) -> bool:
        """Return whether fills can ask for a change."""
        return self._ladder.refill or self._ladder.late_target is not None

    def begin(self, desk: Desk, brackets: SignalBrackets) -> int:
        """Put the rungs and their exits beside the entry; return how many were too small."""
        large = [rung for rung in self._rungs if rung.qty]
        for rung in large:
            self._put(desk, rung, brackets)
        return len(self._rungs) - len(large)

    def tend(
        self, desk: Desk, entries: Sequence[Entry], book: Book, brackets: SignalBrackets
    ) -> None:
        """Change exits and refill rungs after fills, while the position is open."""
        held = {entry.id for entry in entries if entry.id in self.ids}
        if not held:
            return
        self._filled |= held
        late = self._ladder.late_target
        if late is not None and self._late_ratio is None and len(held) >= late.entries:
            self._late_ratio = late.ratio
            for id in self.ids:
                brackets.put(desk, id, self._levels, late.ratio)
        if self._ladder.refill:
            for rung in self._rungs:
                has_closed = rung.id in self._filled and rung.id not in held
                if has_closed and book.pending(rung.id) is None:
                    book.forget_exits_of(rung.id)
                    self._put(desk, rung, brackets)

    def _put(self, desk: Desk, rung: Waiting, brackets: SignalBrackets) -> None:
        if desk.entry(
            rung.id,
            self.side,
            qty=rung.qty,
            limit=None if rung.is_stop else rung.price,
            stop=rung.price if rung.is_stop else None,
            with_position=True,
            comment=rung.id.partition("@")[0],
        ):
            brackets.put(desk, rung.id, self._levels, self._late_ratio)
