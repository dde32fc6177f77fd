"""The closes of entries, kept from one plan of a list to the next that differs in its stop alone.

Theory. Plans of a grid come one after the other, most of them with the entries of the one before,
and most entries never come to their stop (`unmet`). So the closes that were found last are
kept, and those are found anew whose stop was met or may be now. They are lent to one part at a
time, so that no two write to the same.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import I32_1D
from engines.kernels.parts.columns import PartExits
from engines.kernels.parts.unmet import NOT_KNOWN
from engines.types import F64_1D, I64_1D

Asked: TypeAlias = list[tuple[I64_1D, I32_1D]]  # entries of each plan, and until which bar
STOPS = [slots.STOP_RATIO, slots.STOP_ATR]
KEPT_BYTES = 1 << 26  # of a list; 13 MB each were seen, where 64 strategies wish every 25 bars


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What was found for some plans and entries: the closes, and the least price of each entry."""

    key: tuple[object, ...]
    asked: Asked
    exits: PartExits
    least: F64_1D

    @property
    def bytes(self) -> int:
        """Return how much memory this holds."""
        exits = self.exits
        columns = exits.levels, exits.codes, exits.closes, exits.foretold.evens, self.least
        return sum(column.nbytes for column in columns)

    def serves(self, key: tuple[object, ...], asked: Asked) -> bool:
        """Return whether these are the closes of such plans, as far as their stops are not met."""
        return key == self.key and all(
            np.array_equal(mine, other)
            for own, others in zip(self.asked, asked, strict=True)
            for mine, other in ((own[0], others[0]), (own[1], others[1]))
        )


class KnownCloses:
    """What was found last for the plans of one list, and no part uses now."""

    def __init__(self) -> None:
        # Which takes and gives one at a time, whichever thread asks.
        self._free = deque[Known]()

    @contextmanager
    def lent(
        self, rows: list[F64_1D], beside: object, asked: Asked, make: Callable[[], PartExits]
    ) -> Iterator[Known]:
        """Return room for the closes of plans, by their terms, with what is known of them.

        What is asked `beside` tells plans apart too; where nothing is known `make` makes room.
        What an exception leaves half-written is not kept.
        """
        key = beside, *(_but_stops(terms) for terms in rows)
        known = self._take(key, asked)
        if known is None:
            exits = make()
            known = Known(key, asked, exits, np.full(len(exits.levels), NOT_KNOWN))
        yield known
        self._free.append(known)
        self._keep_within(KEPT_BYTES)

    def _keep_within(self, most: int) -> None:
        """Let what was kept longest go until the rest holds no more bytes than that."""
        held = sum(known.bytes for known in tuple(self._free))
        while held > most:
            try:
                held -= self._free.popleft().bytes
            except IndexError:
                break

    def _take(self, key: tuple[object, ...], asked: Asked) -> Known | None:
        """Return what serves such plans, None if nothing does that is free."""
        for _ in range(len(self._free)):
            try:
                known = self._free.popleft()
            except IndexError:
                break
            if known.serves(key, asked):
                return known
            self._free.append(known)
        return None


def _but_stops(terms: F64_1D) -> bytes:
    """Return the terms of a plan, its stops left out."""
    others = terms.copy()
    others[STOPS] = 0.0
    return others.tobytes()
