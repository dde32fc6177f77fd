"""The sets of one call of trials: where the figures of each go, and what still waits.

Theory. A set is the row of a strategy and the column of a plan. A call runs every column of each
row, or only some of each, as a sample does; either way a set has one place among the N of the call,
row by row, and nothing is kept for a set that is not asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from engines.errors import Fault
from engines.kernels.columns import F64_2D, I64_2D, U8_1D, Wants
from engines.kernels.groups import Group
from engines.kernels.summary import FIGURES
from engines.types import BOOL_1D, I64_1D
from engines.wishes import Tradable

# What an error in a strategy's own code comes to, in words; "" for a bug, which ends the run.
Words = Callable[[BaseException], str]

CHAINS_MIN = 8  # fewer sets do not pay for the table of a market's opens
WANTS_MAX = 32  # that wait for more of them
WAITING_BYTES = 50_000_000  # of wishes that wait for more of them
SETS_ENOUGH = 256  # sets that keep all threads busy


def words_of_fault(error: BaseException) -> str:
    """Return the sentence of a Fault, "" for any other error."""
    return str(error) if isinstance(error, Fault) else ""


class Engine(IntEnum):
    """What ran a set: nothing, the reference, or one of its faster equals."""

    NONE = 0
    REFERENCE = 1
    MACHINE = 2
    FIRST_PASSAGE = 3
    GPU = 4


class Asked:
    """Which columns each row is run with: all of `plans`, or the ascending ones that are listed."""

    def __init__(self, rows: int, plans: int, columns: Sequence[I64_1D] | None = None) -> None:
        self._plans, self._columns = plans, columns
        self._all = np.arange(plans)
        self._keys: I64_1D | None = None
        if columns is not None:
            self._keys = np.concatenate(
                [np.empty(0, np.int64), *(row * plans + own for row, own in enumerate(columns))]
            )
        self.count = rows * plans if self._keys is None else len(self._keys)

    def columns_of(self, row: int) -> I64_1D:
        """Return the columns of a row."""
        return self._all if self._columns is None else self._columns[row]

    def among(self, row: int, places: I64_1D, items: I64_1D) -> I64_1D:
        """Return which of `items`, whose columns are `places[items]`, the row is run with."""
        if self._columns is None:
            return items
        is_asked = np.zeros(self._plans, np.bool_)
        is_asked[self._columns[row]] = True
        return items[is_asked[places[items]]]

    def at(self, rows: I64_1D, columns: I64_1D) -> I64_1D:
        """Return the places of sets that are asked for."""
        keys = rows * self._plans + columns
        return keys if self._keys is None else np.searchsorted(self._keys, keys)


@dataclass(slots=True, eq=False)
class Waiting:
    """Sets that wait for the machine: one call runs several wants with a group of plans.

    `sets` are rows of places among `wants` and among the plans of the group, [N, 2] each; `room`
    times as many as a CPU wants for one call may wait.
    """

    group: Group
    room: int
    rows: list[int] = field(default_factory=list)
    wants: list[Wants] = field(default_factory=list)
    sets: list[I64_2D] = field(default_factory=list)

    def add(self, row: int, wants: Wants, items: I64_1D) -> None:
        """Let some plans of the group wait with the wants of the strategy at `row`."""
        self.sets.append(np.column_stack((np.full_like(items, len(self.wants)), items)))
        self.rows.append(row)
        self.wants.append(wants)

    @property
    def is_full(self) -> bool:
        """Return whether no more fit into a call, or waiting for more would gain nothing."""
        held = sum(column.nbytes for want in self.wants for column in want)
        waiting = sum(map(len, self.sets))
        is_large = waiting >= SETS_ENOUGH * self.room or held > WAITING_BYTES * self.room
        return is_large or len(self.wants) == WANTS_MAX * self.room


class Pending:
    """The sets of one call: `values` [N, FIGURES] and `engine` [N] as found, and what waits."""

    def __init__(self, strategies: Sequence[Tradable], asked: Asked, room: int) -> None:
        self.room, self.is_wide = room, asked.count >= CHAINS_MIN
        self.strategies, self.asked = strategies, asked
        self.values = np.full((asked.count, FIGURES), np.nan)
        self.engine: U8_1D = np.zeros(asked.count, np.uint8)
        self.errors: dict[int, str] = {}
        self.left: list[tuple[int, int]] = []
        self.machines: list[Waiting] = []

    def put(self, rows: I64_1D, columns: I64_1D, found: F64_2D, engine: Engine) -> BOOL_1D:
        """Keep the figures of sets that are sure; return which are."""
        is_run: BOOL_1D = found[:, FIGURES] == 0
        places = self.asked.at(rows[is_run], columns[is_run])
        self.values[places] = found[is_run, :FIGURES]
        self.engine[places] = engine
        return is_run

    def leave(self, row: int, columns: Iterable[int]) -> None:
        """Leave sets of a strategy to the reference."""
        self.left += [(row, column) for column in columns]

    def fail(self, row: int, columns: I64_1D, text: str) -> None:
        """Note why sets of a strategy could not be run."""
        places = self.asked.at(np.full_like(columns, row), columns)
        self.errors.update(dict.fromkeys(places.tolist(), text))

    def machine_of(self, group: Group) -> Waiting:
        """Return where wishes wait for a group of plans."""
        for machine in self.machines:
            if machine.group is group:
                return machine
        self.machines.append(Waiting(group, self.room))
        return self.machines[-1]
