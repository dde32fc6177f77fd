"""Which entries the sets of some plans may take: of these alone it is found how levels end them.

Theory. An entry is a line and a side, `line << 1 | side`, whichever strategy takes it. How far its
exit is looked for hangs on what else ends the position (`chains.walk.ask`), so each comes with the
last bar in which a level may. Plans that differ in levels alone ask for the same, and parts of them
follow one another: what was asked last is kept.
"""

from typing import TypeAlias

import numpy as np

from engines.kernels.chains.columns import I32_1D, TOGETHER, Decides, Exits
from engines.kernels.chains.drivers import SET_ROW, ask_exits
from engines.kernels.columns import I64_2D
from engines.kernels.gates.runs import sure_wishes
from engines.kernels.passage.lanes import LANES
from engines.kernels.passage.runs import has_levels
from engines.types import F64_1D, I64_1D

# Where each entry is kept, by its number, which each plan asks for until which bar, and how many
# there are.
Asked: TypeAlias = tuple[I32_1D, list[tuple[I64_1D, I32_1D]], int]


class Entries:
    """What may be entered by the wishes of a list, on a market of so many lines."""

    def __init__(self, wishes: I32_1D, bars: int) -> None:
        self._wishes, self._bars = wishes, bars
        self._known: tuple[object, Asked] | None = None

    def asked(
        self, rows: list[F64_1D], sets: list[I64_2D], decides: Decides, sure: int | None = None
    ) -> Asked:
        """Return which entries sets of plans, by their terms, may take, and where each is kept.

        `sure` are the wishes that surely close what they would, None: those of the plans.
        """
        owns = tuple(own[:, :SET_ROW].tobytes() for own in sets)
        sure = sure_wishes(rows[0]) if sure is None else sure
        key = decides, sure, tuple(map(has_levels, rows)), owns
        known = self._known
        if known is None or known[0] != key:
            known = self._known = key, self._found_out(rows, sets, decides, sure)
        return known[1]

    def _found_out(
        self, rows: list[F64_1D], sets: list[I64_2D], decides: Decides, sure: int
    ) -> Asked:
        until: I32_1D = np.full(2 * (self._bars + 1), -1, np.int32)
        asked = list[tuple[I64_1D, I32_1D]]()
        for terms, own in zip(rows, sets, strict=True):
            if has_levels(terms):
                ask_exits(self._wishes, own, self._bars, decides, sure, until)
            entries = np.flatnonzero(until >= 0)
            asked.append((entries, until[entries]))
            until[entries] = -1
        entries = asked[0][0]
        if len(rows) > 1:
            entries = np.unique(np.concatenate([own for own, _ in asked]))
        places = np.empty(len(until), np.int32)
        places[entries] = np.arange(len(entries))
        return places, asked, len(entries)


def room_of_lanes() -> Exits:
    """Return room for the exits of wishes that are looked up, or of those that lanes hold.

    Behind these is room for the one that each set of those made together holds.
    """
    shape = 1, LANES + TOGETHER
    return Exits(np.empty(0, np.int32), np.empty(shape, np.int32), np.empty(shape), np.empty(shape))
