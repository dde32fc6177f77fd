"""Rows of a stored series, and what becomes of them when more are offered: pure.

Theory. A row is named by its time. One that is not stored is added. One that is stored and offered
with the same values is equal. One with other values is a correction: the venue has changed its mind
about the past, or the rows are of something else. Then the stored row stays (`Overlap.KEEP`), or by
an explicit wish gives way (`Overlap.CORRECT`); both ways every correction is in the result, so that
no past changes in silence. Values are compared as the doubles they are. NaN stands for a value that
is not known (a turnover that the source does not give): against one that is, it is no difference,
and what is known is kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from engines.types import BOOL_1D, F64_1D, I64_1D


class Overlap(StrEnum):
    """What happens to a stored row when the same time is offered with other values."""

    KEEP = "keep"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True)
class Correction:
    """A row that was offered with other values than are stored: those that differ, by column."""

    time_ms: int
    stored: Mapping[str, float]
    offered: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class WriteResult:
    """How many rows were new and how many were there already, and the ones that differed."""

    added: int
    equal: int
    corrections: tuple[Correction, ...] = ()

    @property
    def corrected(self) -> int:
        """Return how many rows differed from the stored ones."""
        return len(self.corrections)

    def __add__(self, other: "WriteResult") -> "WriteResult":
        """Return both together."""
        corrections = self.corrections + other.corrections
        return WriteResult(self.added + other.added, self.equal + other.equal, corrections)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Aligned columns [N] by name and their times, ascending without duplicates."""

    time_ms: I64_1D
    columns: Mapping[str, F64_1D]

    def __len__(self) -> int:
        return len(self.time_ms)

    def take(self, part: slice | BOOL_1D | I64_1D) -> "Rows":
        """Return a part of the rows."""
        return Rows(self.time_ms[part], {name: col[part] for name, col in self.columns.items()})

    def between(self, since_ms: int, until_ms: int) -> "Rows":
        """Return the rows with since_ms <= time < until_ms."""
        start, stop = np.searchsorted(self.time_ms, (since_ms, until_ms)).tolist()
        return self.take(slice(start, stop))


def no_rows(names: Sequence[str]) -> Rows:
    """Return columns without a row."""
    return Rows(np.empty(0, dtype=np.int64), {name: np.empty(0) for name in names})


def joined(parts: Sequence[Rows]) -> Rows:
    """Return rows end to end; each part begins after the one before."""
    if len(parts) == 1:
        return parts[0]
    names = parts[0].columns
    times = np.concatenate([part.time_ms for part in parts])
    return Rows(times, {name: np.concatenate([p.columns[name] for p in parts]) for name in names})


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The rows of after, what was found, and whether anything is other than before."""

    rows: Rows
    result: WriteResult
    is_changed: bool


def merge(stored: Rows, offered: Rows, overlap: Overlap) -> Merged:
    """Return what becomes of stored rows when others of the same columns are offered."""
    places = np.searchsorted(stored.time_ms, offered.time_ms)
    is_known = np.isin(offered.time_ms, stored.time_ms, assume_unique=True)
    known, there = offered.take(is_known), places[is_known]
    differs = {
        name: _differs(stored.columns[name][there], known.columns[name]) for name in known.columns
    }
    is_other = np.logical_or.reduce(list(differs.values())) if differs else np.zeros(0, dtype=bool)
    columns, is_changed = {}, False
    for name, column in stored.columns.items():
        value = known.columns[name]
        takes = np.isnan(column[there]) & ~np.isnan(value)
        if overlap is Overlap.CORRECT:
            takes |= differs[name]
        if takes.any():
            column, is_changed = column.copy(), True
            column[there[takes]] = value[takes]
        columns[name] = column
    corrections = tuple(_corrections(stored.take(there), known, differs, is_other))
    fresh = offered.take(~is_known)
    rows = _woven(Rows(stored.time_ms, columns), fresh)
    result = WriteResult(len(fresh), len(known) - len(corrections), corrections)
    return Merged(rows, result, is_changed or len(fresh) > 0)


def _differs(stored: F64_1D, offered: F64_1D) -> BOOL_1D:
    other: BOOL_1D = (stored != offered) & ~np.isnan(stored) & ~np.isnan(offered)
    return other


def _corrections(
    stored: Rows, offered: Rows, differs: Mapping[str, BOOL_1D], is_other: BOOL_1D
) -> Iterator[Correction]:
    for row in np.flatnonzero(is_other).tolist():
        names = [name for name, column in differs.items() if column[row]]
        yield Correction(
            time_ms=int(offered.time_ms[row]),
            stored={name: float(stored.columns[name][row]) for name in names},
            offered={name: float(offered.columns[name][row]) for name in names},
        )


def _woven(rows: Rows, fresh: Rows) -> Rows:
    """Return two sets of rows without a common time in the order of time."""
    if not len(fresh):
        return rows
    times = np.concatenate([rows.time_ms, fresh.time_ms])
    order = np.argsort(times, kind="stable")
    both = {name: np.concatenate([col, fresh.columns[name]]) for name, col in rows.columns.items()}
    return Rows(times, both).take(order)
