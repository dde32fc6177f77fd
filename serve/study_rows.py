"""Read a study's table block by block, and look at it twice: for its axes, then for its surfaces.

Theory. The table is many Parquet files that together do not fit into memory. The first reading
finds the values of each axis, the second adds up the surfaces and keeps two bounded lists of rows:
the best ones, and a sample for what needs single sets (distributions, parallel coordinates). A row
is in the sample if a hash of its set is small, so the sample does not depend on the order or the
cutting of the files.

The market (symbol and interval) is an axis like any other where a study has several. Rows that the
constraints exclude are counted and not looked at; so are rows without a score.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engines.kernels.summary import SUMMARY
from engines.search.objectives import SMALL_IS_GOOD, Constraint, Objective
from engines.search.sampling import mixed
from engines.search.surfaces import (
    F64_2D,
    I32_2D,
    TRUTHS,
    Scale,
    Surfaces,
    places_that_fit,
    scale_of,
)
from engines.types import BOOL_1D, F64_1D, I64_1D

BLOCK_ROWS = 1 << 16
MARKET = "market"
PLACES_MAX = 64
CELLS_MAX = 7000  # of all pairs: 1.8 MB of page
BEST_ROWS = 250
SAMPLE_ROWS = 50_000
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # splitmix64's step, so that key 0 is mixed too
KEY_COLUMNS = ("set_id", "symbol", "interval")


@dataclass(frozen=True, slots=True)
class StudyTable:
    """Where the rows of a study are, which of their columns were swept, and what ranks them."""

    files: tuple[Path, ...]
    axes: tuple[str, ...]
    objective: Objective
    constraints: tuple[Constraint, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the metrics that are shown: the summary's, and the objective if it is its own."""
        own = () if self.objective.name in SUMMARY else (self.objective.name,)
        return (*SUMMARY, *own)

    @property
    def larger_is_better(self) -> BOOL_1D:
        """Return of each metric whether its larger values are the better ones.

        Of the objective the study says which.
        """
        usual = {name: name not in SMALL_IS_GOOD for name in self.metrics}
        usual[self.objective.name] = self.objective.is_larger_better
        return np.array(list(usual.values()))


@dataclass(slots=True, eq=False)
class Rows:
    """Some sets: their places on each axis, their metrics and scores, one row a set."""

    places: I32_2D
    values: F64_2D
    scores: F64_1D
    order: I64_1D  # what decides between equal scores

    def where(self, chosen: "np.ndarray[Any, Any]") -> "Rows":
        """Return the rows that an index or a mask chooses."""
        return Rows(
            self.places[chosen], self.values[chosen], self.scores[chosen], self.order[chosen]
        )

    def and_those(self, *others: "Rows") -> "Rows":
        """Return these and others, one after the other."""
        parts = (self, *others)
        return Rows(
            np.concatenate([part.places for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.order for part in parts]),
        )


@dataclass(slots=True, eq=False)
class StudyView:
    """All that a page shows of a study's rows.

    `rows` counts all of them, `met` those that are looked at; `sample` holds this share of those.
    """

    scales: list[Scale]
    surfaces: Surfaces
    best: Rows
    sample: Rows
    rows: int = 0
    met: int = 0
    sample_share: float = field(default=1.0)


def view_of(table: StudyTable) -> StudyView:
    """Read a study and return what is to be seen of it."""
    scales, words, rows = _scales(table)
    axes, metrics = len(scales), len(table.metrics)
    empty = Rows(
        np.empty((0, axes), np.int32), np.empty((0, metrics)), np.empty(0), np.empty(0, np.int64)
    )
    share = min(1.0, SAMPLE_ROWS / max(rows, 1))
    view = StudyView(
        scales, Surfaces(scales, table.larger_is_better), empty, empty, sample_share=share
    )
    samples = []
    for block in _blocks(table, (*KEY_COLUMNS, *_columns(table), *SUMMARY)):
        view.rows += len(block)
        kept, keys = _kept(table, block, scales, words)
        view.met += len(kept.scores)
        view.surfaces.add(kept.places, kept.values)
        view.best = _best_of(view.best.and_those(_best_of(kept)))
        samples.append(kept.where(_hash(keys) < share))
    sample = empty.and_those(*samples)
    view.sample = sample.where(np.lexsort((sample.order, -sample.scores)))
    return view


def _columns(table: StudyTable) -> tuple[str, ...]:
    return tuple(name for name in table.axes if name != MARKET)


def _blocks(table: StudyTable, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for path in table.files:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(BLOCK_ROWS, columns=list(dict.fromkeys(columns)))


def _scales(table: StudyTable) -> tuple[list[Scale], dict[str, list[str]], int]:
    """Return the scales, the words of axes that are not numbers, and how many rows there are."""
    seen: dict[str, set[Any]] = {name: set() for name in (MARKET, *_columns(table))}
    rows = 0
    for block in _blocks(table, (*KEY_COLUMNS[1:], *_columns(table))):
        rows += len(block)
        for name, known in seen.items():
            known |= set(pc.unique(_axis_column(block, name)).to_pylist())
    axes = [name for name, values in seen.items() if len(values) > 1]
    room = min(PLACES_MAX, places_that_fit([len(seen[name]) for name in axes], CELLS_MAX))
    words = {
        name: sorted(value for value in seen[name] if value is not None)
        for name in axes
        if any(isinstance(value, str) for value in seen[name])
    }
    return [_scale(name, list(seen[name]), room, words.get(name)) for name in axes], words, rows


def _scale(name: str, values: list[Any], room: int, words: Sequence[str] | None) -> Scale:
    column = pa.array(values)
    return scale_of(name, _coded(column, words), room, _texts(column, words))


def _texts(column: pa.Array, words: Sequence[str] | None) -> Sequence[str] | None:
    """Return the names of the values of an axis of words or truths, None for one of numbers."""
    return TRUTHS if pa.types.is_boolean(column.type) else words


def _axis_column(block: pa.RecordBatch, name: str) -> pa.Array:
    if name != MARKET:
        return block.column(name)
    return pc.binary_join_element_wise(
        block.column("symbol").cast(pa.string()), block.column("interval").cast(pa.string()), " "
    )


def _coded(column: pa.Array, words: Sequence[str] | None) -> F64_1D:
    """Return an axis's column as numbers, NaN for null; a word is its place among `words`."""
    if words is not None:
        column = pc.index_in(column.cast(pa.string()), value_set=pa.array(words, pa.string()))
    numbers: F64_1D = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _numbers(block: pa.RecordBatch, name: str) -> F64_1D:
    return _coded(block.column(name), None)


def _kept(
    table: StudyTable, block: pa.RecordBatch, scales: Sequence[Scale], words: dict[str, list[str]]
) -> tuple[Rows, I64_1D]:
    """Return the sets of a block that count, and a number for each that no other set has."""
    columns = {name: _numbers(block, name) for name in SUMMARY}
    columns.setdefault(table.objective.name, table.objective.values(columns))
    scores = table.objective.scores(columns)
    fits = ~np.isnan(scores)
    for constraint in table.constraints:
        fits &= constraint.holds(columns)
    places = [
        scale.places(_coded(_axis_column(block, scale.name), words.get(scale.name)))
        for scale in scales
    ]
    set_ids = block.column("set_id").to_numpy()
    stacked = np.column_stack(places) if places else np.empty((len(block), 0), np.int32)
    kept = Rows(stacked, np.column_stack(list(columns.values())), scores, set_ids).where(fits)
    markets = places[0][fits] if scales and scales[0].name == MARKET else 0
    return kept, kept.order * 1_000_003 + markets


def _best_of(rows: Rows) -> Rows:
    """Return the best rows, the best first."""
    order = np.lexsort((rows.order, -rows.scores))
    return rows.where(order[:BEST_ROWS])


def _hash(keys: I64_1D) -> F64_1D:
    """Return for each key a number in [0, 1) that looks like chance."""
    spread = mixed(keys.astype(np.uint64) + GOLDEN)
    return (spread >> np.uint64(11)).astype(np.float64) * 2.0**-53
