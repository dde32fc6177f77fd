"""The files of one stored series: a Parquet file for each month, YYYY-MM.parquet.

Theory. A month is the unit of change: it is read whole, replaced whole and taken away whole, so a
reader needs no lock and sees each month as it was at one moment. A row belongs to the month of its
time in UTC. The columns are stored as the doubles they are, in one page group a file: split into
streams of bytes and compressed by LZ4, two years of quarter-hours take 1.5 MB and 4 ms to read.
Every page has a checksum and the head's counts must agree, so that a damaged file is known for one
and never read as other prices or fewer of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from cluster.history_place import HistoryBroken, Place
from cluster.history_rows import Rows
from engines.types import F64_1D, I64_1D

MONTH_FILE = re.compile(r"(\d{4}-\d{2})\.parquet")
LISTINGS_MAX = 5


@dataclass(frozen=True, slots=True)
class MonthFiles:
    """The files of `subject` in a folder: the column of times, then the columns of values."""

    place: Place
    folder: str
    subject: str
    time: str
    values: Sequence[str]

    def months(self) -> list[str]:
        """Return the months that are there, ascending."""
        matches = map(MONTH_FILE.fullmatch, self.place.names(self.folder))
        return [match[1] for match in matches if match]

    def path(self, month: str) -> str:
        """Return where below the place the file of a month lies."""
        return f"{self.folder}/{month}.parquet"

    def read(self, month: str, values: Sequence[str] | None = None) -> Rows:
        """Return the rows of a month, or those columns of them.

        Raises: HistoryBroken naming a file that is damaged, FileNotFoundError if there is none.
        """
        names = [self.time, *(self.values if values is None else values)]
        contents = pa.BufferReader(self.place.read(self.path(month)))
        try:
            file = parquet.ParquetFile(contents, page_checksum_verification=True)
            table = file.read(columns=names, use_threads=False)
            if [str(kind) for kind in table.schema.types] != [
                "int64",
                *["double"] * (len(names) - 1),
            ]:
                raise self._broken(month, "columns of other types")
            times, *columns = (_values(table.column(name)) for name in names)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise self._broken(month, str(error).splitlines()[0]) from None
        if len({len(times), *map(len, columns), *_counts(file.metadata)}) > 1:
            raise self._broken(month, "columns of different lengths")
        since_ms, until_ms = month_range_ms(month)
        if not (len(times) and (np.diff(times) > 0).all()):
            raise self._broken(month, "times that do not ascend")
        if times[0] < since_ms or times[-1] >= until_ms:
            raise self._broken(month, "rows of other months")
        return Rows(times, dict(zip(names[1:], columns, strict=True)))

    def read_all(
        self,
        since: str | None = None,
        until: str | None = None,
        values: Sequence[str] | None = None,
    ) -> list[Rows]:
        """Return the rows of the months from `since` to `until`, both included.

        A month that is taken away meanwhile (`trim`) is one that was not there.
        """
        for _ in range(LISTINGS_MAX):
            wanted = [
                month
                for month in self.months()
                if (since is None or since <= month) and (until is None or month <= until)
            ]
            try:
                return [self.read(month, values) for month in wanted]
            except FileNotFoundError:
                continue
        raise self._broken(wanted[0], "files that come and go")

    def write(self, month: str, rows: Rows) -> None:
        """Put the rows of a month in the place of those there are; none takes the file away."""
        if not len(rows):
            self.place.remove(self.path(month))
            return
        columns: dict[str, I64_1D | F64_1D] = {self.time: rows.time_ms}
        columns |= {name: rows.columns[name] for name in self.values}
        self.place.write(self.path(month), _parquet(columns))

    def _broken(self, month: str, why: str) -> HistoryBroken:
        path = self.place.path(self.path(month))
        expected = "a whole Parquet file of it (phalanx data repair fetches the month anew)"
        return HistoryBroken(
            f"{month} of {self.subject} in {path}", expected, f"a damaged one ({why})"
        )


def month_of(time_ms: int) -> str:
    """Return the month of a time, 2025-01."""
    return str(np.datetime64(time_ms, "ms").astype("datetime64[M]"))


def month_range_ms(month: str) -> tuple[int, int]:
    """Return when a month begins and when it is over."""
    first = np.datetime64(month, "M")
    start, stop = (
        int(each.astype("datetime64[ms]").astype(np.int64)) for each in (first, first + 1)
    )
    return start, stop


def by_month(rows: Rows) -> Iterator[tuple[str, Rows]]:
    """Yield rows by their months, ascending."""
    months = _months(rows.time_ms)
    starts = [0, *(np.flatnonzero(months[1:] != months[:-1]) + 1).tolist(), len(rows)]
    for start, stop in pairwise(starts):
        if stop > start:
            yield str(months[start]), rows.take(slice(start, stop))


def _months(times: I64_1D) -> npt.NDArray[np.datetime64]:
    return times.astype("datetime64[ms]").astype("datetime64[M]")


def _counts(metadata: Any) -> Iterator[int]:
    """Yield every count of rows in a file's head, which no checksum of a page covers."""
    yield metadata.num_rows
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        yield group.num_rows
        yield from (group.column(place).num_values for place in range(group.num_columns))


def _values(column: Any) -> Any:
    """Return a column as an array, NaN where nothing is known.

    Through DLPack, because `to_numpy` imports pandas and that takes longer than reading years.
    """
    if not column.null_count or not pa.types.is_floating(column.type):
        parts = [np.from_dlpack(chunk) for chunk in column.chunks]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    known = [np.from_dlpack(chunk) for chunk in column.drop_null().chunks if len(chunk)]
    values = np.full(len(column), np.nan)
    if known:
        values[np.array(column.is_valid().to_pylist())] = np.concatenate(known)
    return values


def _parquet(columns: Mapping[str, I64_1D | F64_1D]) -> bytes:
    """Return a table as the bytes of a Parquet file; NaN is stored as unknown."""
    table = pa.table({name: _known(column) for name, column in columns.items()})
    time, *values = columns
    sink = pa.BufferOutputStream()
    parquet.write_table(
        table,
        sink,
        compression="lz4",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
        column_encoding={time: "DELTA_BINARY_PACKED", **dict.fromkeys(values, "BYTE_STREAM_SPLIT")},
    )
    contents: bytes = sink.getvalue().to_pybytes()
    return contents


def _known(column: I64_1D | F64_1D) -> Any:
    """Return a column for a file, in which what is not known is null."""
    return pa.array(column, mask=np.isnan(column) if column.dtype.kind == "f" else None)
