"""The space of a study: every combination of its axes, numbered, and never written out.

Theory. A point is a number in a mixed radix whose digits choose a value of each axis. The axes of
the strategy are the slow digits and those of the plan the fast ones, so that a point is

    set_id = strategy_index * plans + plan_index

and neighbours share what is dear (indicators, then signals) while the plan, which is cheap, turns
under them. Numbers count all combinations, those that a rule excludes too: adding a rule moves no
number. Nothing is kept but the axes, so a space of a billion points costs what one of ten does.

A study walks the space in rectangles of strategies times plans (`tiles`). A tile's plans are a run
of plan indices in which the fastest axes are whole, for an engine that works on stops x targets at
once. Tiles are numbered too: each follows from its number alone, and so a study that was cut short
goes on with the numbers it lacks.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from engines.errors import ParameterFault
from engines.search.grid import Axis, Value

SETS_MAX = 2**62  # what a set_id holds


@dataclass(frozen=True, slots=True)
class Numbering:
    """Axes as digits, the first the slowest; `size` is 1 without axes."""

    axes: tuple[Axis, ...]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", prod(len(axis.values) for axis in self.axes))

    def values_at(self, index: int) -> dict[str, Value]:
        """Return the value of each axis at an index, by the axis's name."""
        assert 0 <= index < self.size, f"{index} is not one of {self.size}"
        found: dict[str, Value] = {}
        for axis in reversed(self.axes):
            index, digit = divmod(index, len(axis.values))
            found[axis.name] = axis.values[digit]
        return {axis.name: found[axis.name] for axis in self.axes}

    def index_of(self, values: Mapping[str, Value]) -> int:
        """Return the index at which the axes have these values."""
        index = 0
        for axis in self.axes:
            index = index * len(axis.values) + axis.values.index(values[axis.name])
        return index

    def whole_run(self, length_max: int) -> int:
        """Return the longest run of at most `length_max` that keeps the fastest axes whole."""
        run = 1
        for axis in reversed(self.axes):
            if run * len(axis.values) > length_max:
                return run * max(1, length_max // run)
            run *= len(axis.values)
        return run


@dataclass(frozen=True, slots=True)
class Space:
    """All combinations of the strategy's axes with the plan's.

    Raises: ParameterFault for more points than a number holds.
    """

    strategies: Numbering
    plans: Numbering

    def __post_init__(self) -> None:
        sets = self.strategies.size * self.plans.size
        if sets > SETS_MAX:
            raise ParameterFault("space", f"at most {SETS_MAX:,} sets", f"{sets:,}")

    @classmethod
    def of(cls, strategy_axes: Iterable[Axis], plan_axes: Iterable[Axis]) -> "Space":
        """Return the space of these axes."""
        return cls(Numbering(tuple(strategy_axes)), Numbering(tuple(plan_axes)))

    def __len__(self) -> int:
        return self.strategies.size * self.plans.size

    def split(self, set_id: int) -> tuple[int, int]:
        """Return the strategy's and the plan's index of a set."""
        return divmod(set_id, self.plans.size)

    def values_at(self, set_id: int) -> dict[str, Value]:
        """Return the values of a set, the strategy's first."""
        strategy, plan = self.split(set_id)
        return self.strategies.values_at(strategy) | self.plans.values_at(plan)

    @property
    def fingerprint(self) -> str:
        """Return a hash of the axes, their values and their order."""
        tree = [
            [[axis.name, axis.values] for axis in part.axes]
            for part in (self.strategies, self.plans)
        ]
        return hashlib.sha256(json.dumps(tree).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of sets: every strategy of a range with every plan of another."""

    strategies: range
    plans: range

    def __len__(self) -> int:
        return len(self.strategies) * len(self.plans)


@dataclass(frozen=True, slots=True)
class Tiling:
    """A space cut into tiles of at most so many strategies and plans.

    The plans turn slowest: a worker that has prepared a run of plans meets every strategy with it.
    """

    space: Space
    strategies_max: int
    plans_max: int

    @classmethod
    def of(cls, space: Space, sets_max: int, plans_max: int) -> "Tiling":
        """Return the tiling with tiles of about `sets_max` sets, of `plans_max` plans at most."""
        plans = space.plans.whole_run(max(1, min(sets_max, plans_max)))
        return cls(space, max(1, sets_max // plans), plans)

    def __len__(self) -> int:
        return self._columns * self._rows

    @property
    def _columns(self) -> int:
        return -(-self.space.plans.size // self.plans_max)

    @property
    def _rows(self) -> int:
        return -(-self.space.strategies.size // self.strategies_max)

    def __getitem__(self, number: int) -> Tile:
        if not 0 <= number < len(self):
            raise IndexError(number)
        column, row = divmod(number, self._rows)
        space = self.space
        return Tile(
            _stretch(row, self.strategies_max, space.strategies.size),
            _stretch(column, self.plans_max, space.plans.size),
        )


def _stretch(place: int, length: int, size: int) -> range:
    return range(place * length, min((place + 1) * length, size))


def swept_names(axes: Sequence[Axis], taken: Iterable[str], prefix: str) -> list[str]:
    """Return a column's name for each axis: its own, or with a prefix where that is taken."""
    used = set(taken)
    return [f"{prefix}.{axis.name}" if axis.name in used else axis.name for axis in axes]
