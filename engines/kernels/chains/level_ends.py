"""How the levels of plans end or close what the sets of a list may enter (`chains.entries`).

Theory. What a level does to an entry is the same for all sets of a plan, so it is found for all of
them at once, in the form that whoever follows the sets reads. What strategies give themselves is
found as each is taken: then there is but room for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import Decides, Exits
from engines.kernels.chains.drivers import SET_START, SET_STOP, find_exits
from engines.kernels.chains.entries import Entries, room_of_lanes
from engines.kernels.chains.wished import Wished
from engines.kernels.columns import I64_2D, Bars, frozen
from engines.kernels.gates.runs import sure_wishes
from engines.kernels.parts.columns import PartExits
from engines.kernels.parts.known_closes import KnownCloses
from engines.kernels.parts.runs import part_exits_of, part_room, portions_of
from engines.kernels.passage.columns import Fixed
from engines.kernels.stacks.columns import Ends
from engines.kernels.stacks.runs import NO_ENDS, NO_ORDERS, NO_PARTS, ends_of, order_ends_of
from engines.kernels.waits.columns import Orders
from engines.types import F64_1D


class LevelEnds:
    """The ends of what a list of strategies may enter, plan by plan."""

    def __init__(self, wished: Wished) -> None:
        self._group, self._list, self._opens = wished.group, wished, wished.opens
        self._entries, self._closes = Entries(wished.wishes, wished.opens.bars), KnownCloses()

    def of_lanes(
        self, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], decides: Decides
    ) -> Exits:
        """Return how the levels of plans, by their terms, end what sets of theirs may enter."""
        if not self._list.are_plain:
            return room_of_lanes()
        places, asked, count = self._entries.asked(rows, sets, decides)
        shape = len(rows), count
        exits = Exits(places, np.empty(shape, np.int32), np.empty(shape), np.empty(shape))
        slip_ratio, atr = self._group.charges.slip_ratio, frozen(self._group.rules.atr)
        for row, (terms, (own, last)) in enumerate(zip(rows, asked, strict=True)):
            find_exits(
                self._opens, bars.prices, slip_ratio, atr, terms, own, last, exits, row
            )  # fmt: skip # one call
        return exits

    @contextmanager
    def in_parts(
        self, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], decides: Decides, is_ahead: bool,
        charged: Fixed | None,
    ) -> Iterator[PartExits]:  # fmt: skip # whose, then how they are used
        """Return how the levels of plans close in parts what sets of theirs may enter."""
        if not self._list.are_plain:
            taken = max(int((own[:, SET_STOP] - own[:, SET_START]).max()) for own in sets)
            # Unless links are made ahead, a lane stands behind one entry at a time.
            yield part_room(taken if is_ahead else 1, portions_of(rows[0]), charged)
            return
        market = self._opens, bars.prices, self._group.charges.slip_ratio
        atr, asked = frozen(self._group.rules.atr), self._entries.asked(rows, sets, decides)
        with part_exits_of(*market, atr, rows, self._closes, charged, False, *asked) as exits:
            yield exits

    @contextmanager
    def of_stacks(
        self, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], decides: Decides, orders: Orders
    ) -> Iterator[tuple[Ends, PartExits]]:
        """Return how the levels of plans end or close each entry that sets of theirs may stack.

        Those that count from another price than the entry's own a set finds itself.
        """
        if not self._list.are_plain or rows[0][slots.BASIS] != slots.FROM_ENTRY:
            yield NO_ENDS, NO_PARTS
            return
        atr = frozen(self._group.rules.atr)
        market = self._opens, bars.prices, self._group.charges.slip_ratio, atr, rows
        if orders is not NO_ORDERS:
            yield order_ends_of(*market, orders), NO_PARTS
            return
        # An entry may outlive its own row, whose age is what a plan limits.
        lasting = decides._replace(held_max=self._opens.bars)
        # What would close an entry by reversing it may be refused for want of money.
        sure = sure_wishes(rows[0]) & ~slots.ENTERS
        places, asked, count = self._entries.asked(rows, sets, lasting, sure)
        if portions_of(rows[0]).targets > 0:
            closes = part_exits_of(*market, self._closes, None, True, places, asked, count)
            with closes as parts:
                yield NO_ENDS, parts
            return
        yield ends_of(*market, asked, places, count), NO_PARTS
