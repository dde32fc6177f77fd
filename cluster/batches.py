"""The batches of a study by number: what each evaluates follows from its number alone.

A batch is a tile of the space (every strategy of a range with every plan of a range) or, of a
sample, a run of its places; on one market. `BatchPlan` is three numbers in the manifest, so a
study that goes on later cuts its space as it was cut at first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cluster.study import Recipe
from engines.search.sampling import Sample
from engines.search.space import Space, Tile, Tiling

SETS_MAX = 200_000  # of a batch: 60 MB of figures
PLANS_MAX = 4_096
BATCHES_PER_CPU = 4
Rectangle = tuple[list[int], list[int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: its number, the number of its market, and a tile or places of the sample."""

    number: int
    market: int
    work: Tile | range

    def __len__(self) -> int:
        return len(self.work)


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How a study is cut: batches of `sets_max` sets, of at most `plans_max` plans."""

    markets: int
    sets_max: int
    plans_max: int = PLANS_MAX

    def of(self, recipe: Recipe) -> "Batches":
        """Return the batches of a recipe."""
        return Batches(recipe.space, recipe.sample, self)


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a study, by number."""

    space: Space
    sample: Sample | None
    plan: BatchPlan

    def __len__(self) -> int:
        return self.plan.markets * self._each

    def __getitem__(self, number: int) -> Batch:
        if not 0 <= number < len(self):
            raise IndexError(number)
        market, place = divmod(number, self._each)
        if self.sample is None:
            return Batch(number, market, self._tiling[place])
        start = place * self.plan.sets_max
        return Batch(
            number, market, range(start, min(start + self.plan.sets_max, len(self.sample)))
        )

    def __iter__(self) -> Iterator[Batch]:
        return (self[number] for number in range(len(self)))

    @property
    def _tiling(self) -> Tiling:
        return Tiling.of(self.space, self.plan.sets_max, self.plan.plans_max)

    @property
    def _each(self) -> int:
        """Return the number of batches of one market."""
        if self.sample is None:
            return len(self._tiling)
        return -(-len(self.sample) // self.plan.sets_max)


def sets_for(rate: float, seconds: float, sets: int, cpus: float) -> int:
    """Return how many sets a batch should hold at `rate` sets a second and CPU.

    It is worth `seconds`, and no less than a quarter of that where a small study has to leave
    several batches for every CPU.
    """
    fair = sets / max(1.0, cpus * BATCHES_PER_CPU)
    return int(min(max(min(rate * seconds, fair), rate * seconds / 4, 1), SETS_MAX))


def rectangles(work: Tile | range, space: Space, sample: Sample | None) -> Iterator[Rectangle]:
    """Yield strategies and plans, by index, of which every pair belongs to the batch.

    A sample's pairs are grouped by whichever side repeats more.
    """
    if isinstance(work, Tile):
        yield list(work.strategies), list(work.plans)
        return
    assert sample is not None, "places belong to a sample"
    points = np.sort(sample.points(work.start, work.stop))
    pairs = [space.split(point) for point in points.tolist()]
    by_strategy: dict[int, list[int]] = {}
    by_plan: dict[int, list[int]] = {}
    for strategy, plan in pairs:
        by_strategy.setdefault(strategy, []).append(plan)
        by_plan.setdefault(plan, []).append(strategy)
    if len(by_plan) < len(by_strategy):
        yield from ((strategies, [plan]) for plan, strategies in sorted(by_plan.items()))
    else:
        yield from (([strategy], plans) for strategy, plans in sorted(by_strategy.items()))
