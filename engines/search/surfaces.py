"""What a study looks like from each pair of its axes: the best, the mean and the count of a cell.

Theory. A study is too large to look at and too large to hold: it is read once, block by block, and
added up. A *scale* gives every value of an axis its place; where an axis has more values than fit,
neighbours share one. A *view* is a pair of axes, or one axis alone; each of its cells keeps of
every metric the best value, the sum and the count of the sets that fall into it, whatever the other
axes are. So memory is the cells of the views and does not grow with the sets; an undefined value
counts nowhere. `best` is the largest value, or the smallest where small is good.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engines.kernels._compiled import driver
from engines.types import BOOL_1D, F64_1D, I64_1D

I32_2D: TypeAlias = npt.NDArray[np.int32]
F64_2D: TypeAlias = npt.NDArray[np.float64]

NONE_TEXT = "none"
TRUTHS = ("no", "yes")


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """The places of an axis: `starts` [n] are the lowest value of each, ascending.

    With `has_none` the first place is that of the undefined value, and `starts` lacks it.
    """

    name: str
    starts: F64_1D
    texts: tuple[str, ...]
    has_none: bool
    is_grouped: bool

    def __len__(self) -> int:
        return len(self.texts)

    def places(self, values: F64_1D) -> npt.NDArray[np.int32]:
        """Return the place of each value [N]; NaN is the undefined one."""
        found = np.searchsorted(self.starts, values, side="right") - 1 + int(self.has_none)
        if self.has_none:
            found[np.isnan(values)] = 0
        return found.astype(np.int32)


def scale_of(
    name: str, values: F64_1D, places_max: int, names: Sequence[str] | None = None
) -> Scale:
    """Return the scale of an axis that takes `values`, NaN among them where it may be undefined.

    `names` are the texts of the values 0, 1, 2, ... of an axis of words, which is never grouped.
    """
    distinct = np.unique(values[~np.isnan(values)])
    has_none = bool(np.isnan(values).any())
    room = max(1, places_max - has_none) if names is None else len(distinct)
    groups = np.array_split(distinct, min(room, len(distinct))) if len(distinct) else []
    texts = [_group_text(name, group, names) for group in groups]
    return Scale(
        name=name,
        starts=np.array([group[0] for group in groups], dtype=np.float64),
        texts=(NONE_TEXT, *texts) if has_none else tuple(texts),
        has_none=has_none,
        is_grouped=len(groups) < len(distinct),
    )


def _group_text(name: str, group: F64_1D, names: Sequence[str] | None) -> str:
    if names is not None:
        return names[int(group[0])]
    first, last = value_text(name, float(group[0])), value_text(name, float(group[-1]))
    return first if first == last else f"{first}–{last}"


def value_text(name: str, value: object) -> str:
    """Return a value of an axis as people read it: a ratio in percent, a truth as yes or no."""
    if value is None:
        return NONE_TEXT
    if isinstance(value, bool):
        return TRUTHS[value]
    if not isinstance(value, int | float):
        return str(value)
    if name.endswith("ratio"):
        return f"{value * 100:.10g} %"
    return f"{value:.12g}"


def places_that_fit(lengths: Sequence[int], cells_max: int) -> int:
    """Return how many places an axis may have so that all pairs of axes have `cells_max` cells.

    `lengths` are the numbers of values of the axes; two places at least are left to each.
    """
    for places in range(max(lengths, default=2), 2, -1):
        sizes = [min(length, places) for length in lengths]
        if sum(first * second for first, second in combinations(sizes, 2)) <= cells_max:
            return places
    return 2


@dataclass(slots=True, eq=False)
class Surfaces:
    """All views of some scales, added up block by block; M metrics, C cells of all views.

    `larger_is_better` [M] says which value of a metric is its best.
    """

    scales: Sequence[Scale]
    larger_is_better: BOOL_1D
    views: list[tuple[int, int]] = field(init=False)
    starts: list[int] = field(init=False)
    best: F64_2D = field(init=False)
    total: F64_2D = field(init=False)
    count: F64_2D = field(init=False)

    def __post_init__(self) -> None:
        axes = range(len(self.scales))
        self.views = [*((axis, -1) for axis in axes), *combinations(axes, 2)]
        sizes = [self._rows(view) * self._columns(view) for view in self.views]
        self.starts = np.cumsum([0, *sizes]).tolist()
        shape = self.starts[-1], len(self.larger_is_better)
        self.best = np.full(shape, -np.inf)
        self.total, self.count = np.zeros(shape), np.zeros(shape)

    def _rows(self, view: tuple[int, int]) -> int:
        return len(self.scales[view[0]])

    def _columns(self, view: tuple[int, int]) -> int:
        return 1 if view[1] < 0 else len(self.scales[view[1]])

    def add(self, places: I32_2D, values: F64_2D) -> None:
        """Add sets: their `places` [N, axes] and their metrics `values` [N, M]."""
        views = np.array(
            [
                (*view, self._columns(view), start)
                for view, start in zip(self.views, self.starts[:-1], strict=True)
            ],
            dtype=np.int64,
        ).reshape(-1, 4)
        signs = np.where(self.larger_is_better, 1.0, -1.0)
        _add(
            np.ascontiguousarray(places), np.ascontiguousarray(values), views, signs,
            self.best, self.total, self.count,
        )  # fmt: skip  # arguments in the order of the kernel

    def best_values(self) -> F64_2D:
        """Return the best value of each cell and metric [C, M], NaN where there is none."""
        signs = np.where(self.larger_is_better, 1.0, -1.0)
        return np.where(self.count > 0, self.best * signs, np.nan)

    def means(self) -> F64_2D:
        """Return the mean of each cell and metric [C, M], NaN where there is none."""
        means: F64_2D = np.divide(
            self.total, self.count, out=np.full_like(self.total, np.nan), where=self.count > 0
        )
        return means


@driver
def _add(
    places: I32_2D,
    values: F64_2D,
    views: npt.NDArray[np.int64],
    signs: F64_1D,
    best: F64_2D,
    total: F64_2D,
    count: F64_2D,
) -> None:
    for row in range(len(places)):
        for view in range(len(views)):
            first, second, columns, start = views[view]
            cell = start + places[row, first] * columns
            if second >= 0:
                cell += places[row, second]
            for metric in range(values.shape[1]):
                value = values[row, metric]
                if value == value:
                    total[cell, metric] += value
                    count[cell, metric] += 1.0
                    best[cell, metric] = max(best[cell, metric], value * signs[metric])


def explained_ratio(places: I64_1D, values: F64_1D) -> float:
    """Return the share of the variance of `values` that the places alone explain, 0-1.

    NaN where there is no variance. Source: the correlation ratio, eta squared (Fisher, 1925).
    """
    known = ~np.isnan(values)
    places, values = places[known], values[known]
    if not len(values):
        return float("nan")
    spread = float(((values - values.mean()) ** 2).sum())
    if not spread > 0:
        return float("nan")
    counts = np.bincount(places)
    sums = np.bincount(places, weights=values)
    has = counts > 0
    between = counts[has] * (sums[has] / counts[has] - values.mean()) ** 2
    return min(1.0, float(between.sum()) / spread)
