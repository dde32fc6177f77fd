"""Open a trade list, CSV or XLSX, as a header and rows of cells.

Theory. The container is told by its first bytes. A CSV's separator is the one that splits the
header into the most columns. A workbook has several sheets whose names and order are translated
and change, so all are returned and the reader takes the one that holds trades. Percent cells of a
workbook hold fractions where their number format says so; they are brought to percent here.
"""

import csv
import io
import zipfile
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from cluster.tv_cells import Cell
from engines.errors import TradeListFault

READABLE = "a list of trades as CSV or XLSX"
# A list of trades has at least a number, a type, a time, a price and a quantity.
COLUMNS_MIN = 5
XLSX_ROWS_MAX = 1_048_576


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: names of its columns and rows of the same width."""

    title: str
    header: tuple[str, ...]
    rows: list[list[Cell]]

    def column(self, index: int) -> list[Cell]:
        """Return the cells of one column, top to bottom."""
        return [row[index] for row in self.rows]


def read_sheets(path: Path) -> list[Sheet]:
    """Return every table of a file that is wide enough to be a list of trades.

    Raises: TradeListFault if the file cannot be read or holds no table.
    """
    if path.is_dir():
        raise TradeListFault(str(path), READABLE, "a directory")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise TradeListFault(str(path), READABLE, "no such file") from None
    except OSError as error:
        raise TradeListFault(str(path), READABLE, f"an unreadable file ({error})") from None
    if not raw.strip():
        raise TradeListFault(str(path), READABLE, "an empty file")
    if raw[:4] == b"PK\x03\x04":
        sheets = _xlsx_sheets(raw, str(path))
    elif raw[:4] == b"\xd0\xcf\x11\xe0":
        raise TradeListFault(str(path), READABLE, "an old Excel file (.xls)")
    else:
        sheets = [_sheet("", list(_csv_rows(raw, str(path))))]
    wide = [sheet for sheet in sheets if sheet is not None]
    if not wide:
        expected = f"{READABLE}, with {COLUMNS_MIN} columns or more and rows of trades"
        raise TradeListFault(str(path), expected, "no such table")
    return wide


def _csv_rows(raw: bytes, source: str) -> list[list[Cell]]:
    try:
        is_wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        text = raw.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise TradeListFault(source, READABLE, "bytes that are neither text nor XLSX") from None
    if "\0" in text:
        raise TradeListFault(source, READABLE, "binary bytes")
    lines = [line for line in text.splitlines() if line.strip()]
    delimiter = max((",", ";", "\t"), key=lambda sign: lines[0].count(sign))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [[cell.strip() or None for cell in row] for row in rows]


def _xlsx_sheets(raw: bytes, source: str) -> list[Sheet | None]:
    # Imported here: a fifth of a second that only a workbook needs.
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile, InvalidFileException) as error:
        raise TradeListFault(source, READABLE, f"a damaged workbook ({error})") from None
    sheets = []
    for sheet in book.worksheets:
        rows = [
            [_xlsx_cell(cell) for cell in row] for row in sheet.iter_rows(max_row=XLSX_ROWS_MAX)
        ]
        sheets.append(_sheet(sheet.title, rows))
    book.close()
    return sheets


def _xlsx_cell(cell: Any) -> Cell:  # openpyxl ships no types.
    value = cell.value
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, date):
        # A workbook's times have no zone; a day is its midnight on the same clock.
        return datetime.combine(value, datetime.min.time())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).strip() or None
    # A fraction shown as percent carries its float noise into the product; 10 digits lose none.
    return round(float(value) * 100, 10) if "%" in (cell.number_format or "") else float(value)


def _sheet(title: str, rows: list[list[Cell]]) -> Sheet | None:
    """Return the table that starts at the first wide row, None if there is none."""
    filled = [row for row in rows if any(cell is not None for cell in row)]
    start = next(
        (i for i, row in enumerate(filled) if sum(c is not None for c in row) >= COLUMNS_MIN), None
    )
    if start is None or start + 1 == len(filled):
        return None
    header = tuple(str(cell or "").replace("\ufeff", "").strip() for cell in filled[start])
    width = len(header)
    for number, row in enumerate(filled[start + 1 :], start=1):
        if any(cell is not None for cell in row[width:]):
            found = f"{len(row)}: a comma inside a number, perhaps"
            raise TradeListFault(f"row {number} of the trade list", f"{width} columns", found)
    body = [(row + [None] * width)[:width] for row in filled[start + 1 :]]
    return Sheet(title, header, body)
