"""The wishes of strategies that wait for the same plans, one strategy after the other.

Theory. A strategy is asked once, whatever the plans. What it wants is a number a wish, in the order
of bars, with the levels that it gives; so a set is a stretch of the list and a plan, and thousands
of sets lie in a few columns, which compiled passes read without asking who wished (`chains.runs`).
"""

import math

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import I32_1D, WISH_BITS, WISH_MASK
from engines.kernels.chains.opens import Opened
from engines.kernels.chains.terms import leaves_at_once
from engines.kernels.chains.wishes import collect_wishes, fixed, price_levels, take_levels
from engines.kernels.columns import Wants, frozen
from engines.kernels.groups import Group
from engines.kernels.plan_terms import PRICE_TICKS_MAX
from engines.kernels.wants import wants_of_list
from engines.signals import Signals
from engines.types import I64_1D

WISHES_ROOM = 1 << 21  # of a list, of which memory is taken as it fills


class Wished:
    """The wishes of strategies that wait for one group of plans, listed one after the other.

    `are_left` where lanes have left their sets already. Of the strategy at a place `rows` has the
    caller's number and `items` the plans that it waits for; its wishes lie between two `starts`.
    """

    def __init__(
        self, group: Group, are_plain: bool, are_left: bool, opened: Opened, sets_max: int
    ) -> None:
        self.group, self.are_plain, self.are_left = group, are_plain, are_left
        self.opens, self.bars = opened
        self.rows: list[int] = []
        self.items: list[I64_1D] = []
        self.starts = np.zeros(sets_max + 1, np.int64)
        room = max(self.opens.bars, WISHES_ROOM)
        self.wishes: I32_1D = np.empty(room, np.int32)
        # Empty ones of the same kind, so that passes are compiled once for both.
        self.stops, self.targets = (np.empty(0 if are_plain else room) for _ in range(2))
        self._sets_max = sets_max
        self._thins = bool(leaves_at_once(group.terms).all())
        columns = (self.wishes, self.stops, self.targets)
        self._bytes_each = sum(column.itemsize for column in columns if len(column))

    def add(self, row: int, signals: Signals, items: I64_1D) -> bool:
        """List what the strategy at `row` wishes, for some plans of the group.

        Returns: whether it is listed; levels that only the reference can judge are not.
        """
        place, permits = len(self.rows), self.group.permits
        start = int(self.starts[place])
        stop = collect_wishes(
            fixed(signals.entry_long), fixed(signals.entry_short), fixed(signals.exit_long),
            fixed(signals.exit_short), permits.allowed, permits.forced, self._thins,
            self.wishes, start,
        )  # fmt: skip # what is wished, what the rules say, where it goes
        if not self.are_plain and not self._take_levels(signals, slice(start, stop)):
            return False
        self.starts[place + 1] = stop
        self.rows.append(row)
        self.items.append(items)
        return True

    def _take_levels(self, signals: Signals, own: slice) -> bool:
        """List the levels of listed wishes; return whether engines can judge them."""
        price_max = PRICE_TICKS_MAX * float(self.group.terms[0, slots.TICK_SIZE])
        bracket = signals.bracket
        if bracket is not None:
            ratio = math.nan if bracket.reward_ratio is None else bracket.reward_ratio
            bottom, top = bracket.edges
            return price_levels(
                self.wishes[own], frozen(bracket.close), frozen(bracket.ranges),
                bracket.multiplier, ratio, frozen(bottom), frozen(top), price_max,
                self.stops[own], self.targets[own],
            )  # fmt: skip # one call
        return all(
            take_levels(self.wishes[own], frozen(given), price_max, to)
            for given, to in (
                (signals.stop_price, self.stops[own]),
                (signals.target_price, self.targets[own]),
            )
        )

    @property
    def held(self) -> int:
        """Return the bytes of what is listed."""
        return self._bytes_each * int(self.starts[len(self.rows)])

    @property
    def is_full(self) -> bool:
        """Return whether the wishes of one strategy more may not fit."""
        place = len(self.rows)
        room = len(self.wishes) - int(self.starts[place])
        return place == self._sets_max or room < self.opens.bars

    def wants(self, place: int) -> Wants:
        """Return what the strategy at a place of the list wants, for the machine."""
        own = slice(int(self.starts[place]), int(self.starts[place + 1]))
        bars, wishes = self.wishes[own] >> WISH_BITS, self.wishes[own] & WISH_MASK
        levels = self.stops[own], self.targets[own]
        count = self.opens.bars - self.opens.lag
        return wants_of_list(bars, wishes, levels, count, self.group.rules)
