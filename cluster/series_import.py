"""Take bars and settlements of files into the history: good rows are stored, bad ones shown.

Where `kline_files` refuses a file for its first wrong row, an import leaves that row out, counts it
and records it as an issue of the series, so that one bad tick does not keep years of bars away. A
row that is there twice with the same values is one row; with others the first one counts.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cluster.history import History, HistoryFault, Overlap, WriteResult
from cluster.history_rows import Rows
from cluster.issues import IssueKind, IssueLog
from cluster.kline_table import KlineTable, read_table
from engines.klines import PRICE_COLUMNS, Klines, time_text
from engines.quality import Judged, Limits, RawBars, judge
from engines.series import SeriesKey
from engines.types import BOOL_1D, F64_1D

COLUMNS = (*PRICE_COLUMNS, "volume", "turnover")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was left out: its time, the rule that it breaks, and what it holds."""

    time_ms: int
    rule: str
    values: Mapping[str, float | None]

    def __str__(self) -> str:
        cells = " ".join(f"{name} {value}" for name, value in self.values.items())
        return f"{time_text(self.time_ms)} {self.rule}: {cells}"


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written, which rows were left out, and what a reader should know."""

    result: WriteResult
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FileRows:
    """The rows of files as they are, in time, and what a reader should know of them."""

    rows: Rows
    notes: tuple[str, ...]


def rows_of_files(files: Sequence[Path]) -> FileRows:
    """Read the rows of one series from files, in any order.

    Raises: KlineFault in one sentence for a file that holds no rows of bars.
    """
    tables = [read_table(path, takes_blanks=True) for path in files]
    notes = [f"{Path(table.source).name}: {note}" for table in tables for note in table.notes]
    if any("volume" not in table.columns for table in tables):
        notes.append("no volume column: volume is 0")
    times = np.concatenate([table.open_time_ms for table in tables])
    order = np.argsort(times, kind="stable")
    columns = {name: np.concatenate([_column(t, name) for t in tables])[order] for name in COLUMNS}
    rows = Rows(times[order], columns)
    twice = _same_as_before(rows)
    if twice.any():
        notes.append(f"{int(twice.sum()):,} rows are there twice with the same values")
    return FileRows(rows.take(~twice), tuple(notes))


def import_bars(
    history: History,
    log: IssueLog,
    key: SeriesKey,
    found: FileRows,
    overlap: Overlap,
    limits: Limits,
    now_ms: int,
) -> Imported:
    """Store the good rows of files; the bad ones are recorded as issues of the series.

    Raises: HistoryFault if none is good, else as `History.write`. Then nothing is stored.
    """
    rows = found.rows
    values = {name: rows.columns[name] for name in COLUMNS if name != "turnover"}
    judged = judge(RawBars(key.interval_ms, rows.time_ms, **values), now_ms, limits)
    rejected = tuple(sorted(_rejected(rows, judged), key=lambda row: row.time_ms))
    good = rows.take(judged.is_good)
    if not len(good):
        raise HistoryFault(f"rows for {key}", "at least one good bar", f"none ({rejected[0]})")
    columns = {"open_time_ms": good.time_ms, **good.columns}
    unknown, notes = int((~np.isfinite(good.columns["turnover"])).sum()), found.notes
    if unknown:
        del columns["turnover"]
    if 0 < unknown < len(good):
        notes = (*notes, f"turnover left out: {unknown:,} rows do not have it")
    klines = Klines.of_columns(key.symbol, key.interval_ms, columns)
    result = history.write(key, klines, overlap)
    if rejected:
        issues = [(row.time_ms, {"rule": row.rule, "row": row.values}) for row in rejected]
        log.record(key, IssueKind.REJECTED, issues, now_ms)
    return Imported(result, rejected, notes)


def _column(table: KlineTable, name: str) -> F64_1D:
    """Return a column of a file; without volume nothing was traded, without turnover unknown."""
    if name in table.columns:
        return table.columns[name]
    return np.full(len(table.open_time_ms), 0.0 if name == "volume" else math.nan)


def _same_as_before(rows: Rows) -> BOOL_1D:
    """Return which rows [N] have the time and the values of the one before."""
    same = np.zeros(len(rows), dtype=bool)
    same[1:] = np.diff(rows.time_ms) == 0
    for column in rows.columns.values():
        one, other = column[1:], column[:-1]
        same[1:] &= (one == other) | (np.isnan(one) & np.isnan(other))
    return same


def _rejected(rows: Rows, judged: Judged) -> Iterator[Rejected]:
    for rule, places in judged.rejected.items():
        for row in places.tolist():
            cells = {name: float(rows.columns[name][row]) for name in COLUMNS}
            values = {n: value if math.isfinite(value) else None for n, value in cells.items()}
            del values["turnover"]
            yield Rejected(int(rows.time_ms[row]), rule, values)
