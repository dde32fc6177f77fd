"""Turn one file of bars into columns of numbers, whatever container it comes in.

Theory. The container is told by its first bytes and never by its name. Text goes through
`pyarrow.csv` with the header taken off and the columns numbered, only the wanted ones converted: a
year of 15-minute bars takes hundredths of a second. When pyarrow refuses a file, a slow second
reading in plain Python finds the first cell that is wrong, so that the fault can name it; pyarrow
itself is imported where it is used, as it costs as much as reading the file.
"""

import csv
import gzip
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster.kline_columns import (
    HEADERLESS,
    ColumnChoice,
    choose_columns,
    parse_time_ms,
    times_of_numbers,
    times_of_texts,
)
from engines.errors import KlineFault
from engines.types import F64_1D, I64_1D

READABLE = "a file of bars: CSV (plain, gz or zip), Parquet or Feather"
DELIMITERS = (",", ";", "\t")
NULL_TEXTS = ("", "NaN", "nan", "NA", "N/A", "null", "NULL", "None")


@dataclass(frozen=True, slots=True)
class KlineTable:
    """Columns [T] of one file as it holds them, unchecked; absent columns are not in `columns`."""

    source: str
    open_time_ms: I64_1D
    columns: dict[str, F64_1D]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """The columns of a file, named by their fields, in the types of their container."""

    table: Any  # pyarrow ships no types.
    fields: list[str]
    notes: tuple[str, ...]


def read_table(path: Path, *, takes_blanks: bool = False) -> KlineTable:
    """Read one file of bars; where cells may be blank or NaN, they are NaN in the columns.

    Raises: KlineFault in one sentence whatever is wrong with the file or its cells.
    """
    source = str(path)
    raw = _file_bytes(path)
    if raw[:4] == b"PAR1" or raw[:6] in (b"ARROW1", b"FEA1"):
        found = _from_arrow(raw, source)
    else:
        found = _from_csv(_text_bytes(raw, source), source)
    columns = {
        field: _floats(found.table.column(place), field, source, takes_blanks=takes_blanks)
        for place, field in enumerate(found.fields)
        if field != "time"
    }
    times = _times(found.table.column(found.fields.index("time")), source)
    return KlineTable(source, times, columns, found.notes)


def _file_bytes(path: Path) -> bytes:
    """Return the file's bytes, unpacked."""
    if path.is_dir():
        raise KlineFault(str(path), READABLE, "a directory")
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        elif raw[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                members = [name for name in archive.namelist() if not name.endswith("/")]
                if len(members) != 1:
                    found = f"a zip of {len(members)} files"
                    raise KlineFault(str(path), "one file inside the zip", found)
                raw = archive.read(members[0])
    except FileNotFoundError:
        raise KlineFault(str(path), READABLE, "no such file") from None
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise KlineFault(str(path), READABLE, f"unreadable bytes ({error})") from None
    if not raw.strip():
        raise KlineFault(str(path), READABLE, "an empty file")
    return raw


def _text_bytes(raw: bytes, source: str) -> bytes:
    """Return text as UTF-8 without a byte order mark."""
    try:
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return raw.decode("utf-16").encode()
        raw = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
        if b"\0" in raw[:65536]:
            raise KlineFault(source, READABLE, "binary bytes that are none of these")
        raw[:4096].decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two where the sample ends.
        if len(raw) > 4096 and error.start > 4092:
            return raw
        raise KlineFault(source, READABLE, "bytes that are not UTF-8 text") from None
    return raw


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a text file is written: separator, decimal mark, columns and where its values start."""

    delimiter: str
    decimal_point: str
    choice: ColumnChoice
    body: bytes
    notes: tuple[str, ...]


def _from_csv(raw: bytes, source: str) -> _Found:
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    layout = _layout(raw, source)
    choice = layout.choice
    numbered = [f"c{i}" for i in range(len(choice.names))]
    wanted = {f"c{index}": field for field, index in choice.index.items()}
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(layout.body),
            read_options=pa_csv.ReadOptions(column_names=numbered),
            parse_options=pa_csv.ParseOptions(delimiter=layout.delimiter),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(wanted),
                column_types={c: pa.float64() for c, field in wanted.items() if field != "time"},
                null_values=list(NULL_TEXTS),
                decimal_point=layout.decimal_point,
            ),
        )
    except pa.ArrowInvalid as error:
        _raise_first_wrong_cell(layout, source)
        raise KlineFault(source, "rows of numbers", str(error).splitlines()[0]) from None
    return _Found(table, list(wanted.values()), (*layout.notes, *_unused(choice)))


def _layout(raw: bytes, source: str) -> _Layout:
    """Look at the first lines and return how the file is written."""
    head, _, body = raw.partition(b"\n")
    first_line = head.decode("utf-8", errors="replace").strip("\r")
    delimiter = max(DELIMITERS, key=first_line.count)
    cells = next(csv.reader([first_line], delimiter=delimiter))
    notes: tuple[str, ...] = ()
    if all(_is_value(cell) for cell in cells):
        if len(cells) not in HEADERLESS:
            raise KlineFault(
                source,
                "a header line, or 6, 7 or 12 columns without one",
                f"{len(cells)} column{'s' * (len(cells) != 1)} without a header",
            )
        body, names = raw, HEADERLESS[len(cells)]
        notes = (f"no header line: columns taken as {', '.join(names[:7])}",)
    else:
        names = tuple(cells)
    choice = choose_columns(names, source)
    if not body.strip():
        raise KlineFault(source, "at least one row of bars", "a header line only")
    sample = body[:4096].decode("utf-8", errors="replace").split("\n")[0]
    has_point = delimiter == "," or re.search(r"\d\.\d", sample)
    has_comma = not has_point and re.search(r"\d,\d", sample)
    return _Layout(delimiter, "," if has_comma else ".", choice, body, notes)


def _is_value(cell: str) -> bool:
    """Return whether a cell of the first line is a value rather than a column's name."""
    return _is_number(cell, ".") or parse_time_ms(cell.strip()) is not None


def _is_number(cell: str, decimal_point: str) -> bool:
    try:
        float(cell.replace(decimal_point, "."))
    except ValueError:
        return False
    return True


def _raise_first_wrong_cell(layout: _Layout, source: str) -> None:
    """Raise KlineFault for the first row that is ragged or holds a cell that is no number."""
    names = layout.choice.names
    fields = {i: field for field, i in layout.choice.index.items() if field != "time"}
    text = io.StringIO(layout.body.decode("utf-8", errors="replace"), newline="")
    rows = (row for row in csv.reader(text, delimiter=layout.delimiter) if row)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise KlineFault(f"row {number} of {source}", f"{len(names)} columns", str(len(row)))
        for index in fields:
            cell = row[index].strip()
            if cell not in NULL_TEXTS and not _is_number(cell, layout.decimal_point):
                subject = f"{names[index].strip()} in row {number} of {source}"
                raise KlineFault(subject, "a number", repr(cell))


def _from_arrow(raw: bytes, source: str) -> _Found:
    import pyarrow as pa

    try:
        if raw[:4] == b"PAR1":
            from pyarrow import parquet

            table = parquet.ParquetFile(pa.BufferReader(raw)).read()
        else:
            from pyarrow import feather

            table = feather.read_table(pa.BufferReader(raw))
    except (pa.ArrowException, OSError) as error:
        found = f"a damaged file ({str(error).splitlines()[0]})"
        raise KlineFault(source, READABLE, found) from None
    choice = choose_columns(table.column_names, source)
    if table.num_rows == 0:
        raise KlineFault(source, "at least one row of bars", "columns without rows")
    fields = list(choice.index)
    ours = table.select([choice.index[field] for field in fields])
    return _Found(ours, fields, _unused(choice))


def _unused(choice: ColumnChoice) -> tuple[str, ...]:
    if not choice.unused:
        return ()
    return (f"{choice.unused} extra column{'s' * (choice.unused > 1)} ignored",)


def _floats(column: Any, field: str, source: str, *, takes_blanks: bool) -> F64_1D:
    import pyarrow as pa

    if not takes_blanks:
        _require_filled(column, field, "a number", source)
    try:
        if column.null_count:
            column = column.cast(pa.float64()).fill_null(float("nan"))
        floats = np.asarray(_values(column, pa.float64()), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        found = str(error).splitlines()[0]
        raise KlineFault(f"column {field} of {source}", "numbers", found) from None
    if not takes_blanks and (missing := np.flatnonzero(np.isnan(floats))).size:
        raise KlineFault(f"{field} in row {missing[0] + 1} of {source}", "a number", "NaN")
    return floats


def _times(column: Any, source: str) -> I64_1D:
    """Return a column of unix numbers, timestamps, dates or texts as UTC milliseconds [T]."""
    import pyarrow as pa

    kind = column.type
    _require_filled(column, "time", "a time", source)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        wanted = pa.timestamp("ms", tz=getattr(kind, "tz", None))
        return np.asarray(_values(column.cast(wanted, safe=False), pa.int64()), dtype=np.int64)
    if pa.types.is_integer(kind):
        return times_of_numbers(_values(column, pa.int64()), source)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return times_of_numbers(_values(column, pa.float64()), source)
    return times_of_texts(column.cast(pa.string()).to_pylist(), source)


def _require_filled(column: Any, field: str, expected: str, source: str) -> None:
    if column.null_count:
        row = column.is_null().to_pylist().index(True) + 1
        raise KlineFault(f"{field} in row {row} of {source}", expected, "nothing or NaN")


def _values(column: Any, kind: Any) -> Any:
    """Return a column without nulls as an array of its own.

    Through DLPack, because `to_numpy` imports pandas and that takes longer than reading a file.
    """
    if column.type != kind:
        column = column.cast(kind)
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    return np.concatenate(chunks)
