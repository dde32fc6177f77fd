"""The batches of a study by number: what each evaluates follows from its number alone.

A batch is a tile of the space (every strategy of a range with every plan of a range) or, of a
sample, a run of its places (`Sample.sorted_points`); on one market. `BatchPlan` is three numbers in
the manifest, so a study that goes on later cuts its space as it was cut at first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cluster.study import Recipe
from engines.search.sampling import Sample
from engines.search.space import Space, Tile, Tiling
from engines.types import I64_1D

SETS_MAX = 200_000  # of a batch: 60 MB of figures
PLANS_MAX = 4_096
BATCHES_PER_CPU = 4
GPU_SETS = 8_192  # a GPU takes about as long for a thousand


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Strategies and plans, by index: every pair, or with each strategy its `columns` of `plans`.

    `comes_again` tells whether other batches have the same plans.
    """

    strategies: list[int]
    plans: list[int]
    columns: list[I64_1D] | None = None
    comes_again: bool = True


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


def span_text(batch: Batch, space: Space, sample: Sample | None) -> str:
    """Return how many sets a batch holds and the numbers between which they lie."""
    count, work = len(batch), batch.work
    if isinstance(work, Tile):
        first, last = (work.strategies[end] * space.plans.size + work.plans[end] for end in (0, -1))
    else:
        assert sample is not None, "places belong to a sample"
        first, last = sample.sorted_points(work.start, work.stop)[[0, -1]].tolist()
    if count == 1:
        return f"set {first}"
    among = "" if last - first + 1 == count else "of the "
    return f"{count:,} {among}sets from {first} to {last}"


def sets_for(rate: float, seconds: float, sets: int, cpus: float, gpus: float = 0.0) -> int:
    """Return how many sets a batch should hold at `rate` sets a second and CPU.

    It is worth `seconds`, and no less than a quarter of that where a small study has to leave
    several batches for every CPU. Where GPUs take some, it has enough for one, unless others would
    then have none.
    """
    fair = sets / max(1.0, cpus * BATCHES_PER_CPU)
    for_gpu = min(GPU_SETS, sets / (cpus + gpus)) if gpus else 0.0
    return int(min(max(min(rate * seconds, fair), rate * seconds / 4, for_gpu, 1), SETS_MAX))


def work_of(batch: Batch, space: Space, sample: Sample | None) -> Work:
    """Return what a batch evaluates.

    A sample's batches take its points in the order of the space, so that a strategy's plans come
    together. Where the space has few plans beside the sample, a worker prepares all of them once.
    """
    if isinstance(batch.work, Tile):
        return Work(list(batch.work.strategies), list(batch.work.plans))
    assert sample is not None, "places belong to a sample"
    points = sample.sorted_points(batch.work.start, batch.work.stop)
    strategies, plans = np.divmod(points, space.plans.size)
    distinct, firsts = np.unique(strategies, return_index=True)
    has_few = space.plans.size <= min(PLANS_MAX, len(sample))
    known = np.arange(space.plans.size) if has_few else np.unique(plans)
    columns = np.split(np.searchsorted(known, plans), firsts[1:])
    return Work(distinct.tolist(), known.tolist(), columns, has_few)
