"""Read funding histories, and see that they cover what is traded.

Files are CSV, Parquet, Feather or JSON as they come from Bybit ("Get Funding Rate History", a list
newest first), ccxt (`fetch_funding_rate_history`), Binance's archive and freqtrade-like tables: a
column of times and one of rates, told by their names. Settlements lie on whole hours; a time up to
a minute beside one, as Binance stamps them, is that hour.

A run that pays funding for part of its bars only would look better or worse than it is, so a
history that does not reach from the first traded bar to the last is a fault, not a note; a hole
inside it is noted.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cluster.kline_columns import name_key, times_of_texts
from engines.errors import KlineFault, PlanFault
from engines.funding import Funding
from engines.klines import HOUR_MS, MINUTE_MS, interval_text, time_text
from engines.types import I64_1D

READABLE = "a funding history: CSV, Parquet, Feather or JSON"
TIME_NAMES = (
    *("fundingtimems", "fundingtime", "fundingratetimestamp", "calctime", "timems", "timestamp"),
    *("time", "datetime", "date"),
)
RATE_NAMES = ("fundingrate", "lastfundingrate", "rate")

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class FundingFile:
    """A history as read, its usual interval, and what a reader of results should know of it."""

    funding: Funding
    interval_ms: int
    notes: tuple[str, ...]


def read_funding(paths: Sequence[Path], symbol: str) -> FundingFile:
    """Read the settlements of one symbol from one file, or from several that follow each other.

    Raises: PlanFault in one sentence for a file that is none, is of another symbol, is out of
    order or holds a settlement twice.
    """
    parts, notes = [], list[str]()
    for path in paths:
        times, rates = _read_one(path, symbol, notes)
        parts.append((times, rates, str(path)))
    parts.sort(key=lambda part: int(part[0][0]))
    for before, after in pairwise(parts):
        if after[0][0] <= before[0][-1]:
            raise PlanFault(
                f"funding of {symbol} in {after[2]}",
                f"to start after the end of {before[2]} at {time_text(int(before[0][-1]))}",
                time_text(int(after[0][0])),
            )
    times = np.concatenate([part[0] for part in parts])
    rates = np.concatenate([part[1] for part in parts])
    return judged(Funding(times, rates), notes)


def require_coverage(
    symbol: str, found: FundingFile, start_ms: int, end_ms: int, source: str
) -> None:
    """Raise PlanFault unless settlements reach from `start_ms` to `end_ms`, an interval apart.

    `start_ms` is the open of the first traded bar, `end_ms` the close of the last one.
    """
    first, last = int(found.funding.time_ms[0]), int(found.funding.time_ms[-1])
    if first <= start_ms + found.interval_ms and last >= end_ms - found.interval_ms:
        return
    raise PlanFault(
        f"funding of {symbol} in {source}",
        f"settlements from {time_text(start_ms)} to {time_text(end_ms)} as the traded bars "
        "(--since and --until trade fewer, --funding RATE takes a constant)",
        f"{time_text(first)} to {time_text(last)}",
    )


def judged(funding: Funding, notes: list[str]) -> FundingFile:
    """Return a history with its usual interval, and a note on the holes in it."""
    steps = np.diff(funding.time_ms)
    interval_ms = int(np.median(steps)) if len(steps) else 8 * HOUR_MS
    holes = np.flatnonzero(steps > interval_ms)
    if len(holes):
        first = time_text(int(funding.time_ms[holes[0]]))
        notes.append(
            f"funding: {len(holes)} step{'s' * (len(holes) > 1)} longer than the usual "
            f"{interval_text(interval_ms)}, nothing is paid there, first after {first}"
        )
    return FundingFile(funding, interval_ms, tuple(notes))


def _read_one(path: Path, symbol: str, notes: list[str]) -> tuple[I64_1D, Any]:
    """Return times and rates of one file, ascending."""
    source = str(path)
    rows = _rows(path)
    time_name, rate_name = (_column(rows, names, source) for names in (TIME_NAMES, RATE_NAMES))
    _require_symbol(rows, symbol, source)
    try:
        times = times_of_texts([str(row[time_name]) for row in rows], source)
    except KlineFault as fault:
        raise PlanFault(fault.subject, fault.expected, fault.found) from None
    rates = np.array([_rate(row[rate_name], number, source) for number, row in enumerate(rows, 1)])
    times = _on_the_hour(times, source)
    if len(times) > 1 and (np.diff(times) < 0).all():
        times, rates = times[::-1].copy(), rates[::-1].copy()
    steps = np.diff(times)
    if len(wrong := np.flatnonzero(steps <= 0)):
        row = int(wrong[0])
        expected = f"a time after {time_text(int(times[row]))}"
        found = "the same again" if steps[row] == 0 else time_text(int(times[row + 1]))
        raise PlanFault(f"settlement {row + 2} of {source}", expected, found)
    return times, rates


def _on_the_hour(times: I64_1D, source: str) -> I64_1D:
    nearest = (times + HOUR_MS // 2) // HOUR_MS * HOUR_MS
    if len(far := np.flatnonzero(np.abs(times - nearest) > MINUTE_MS)):
        row = int(far[0])
        found = time_text(int(times[row]))
        raise PlanFault(f"settlement {row + 1} of {source}", "a time on a whole hour", found)
    return nearest


def _rate(value: object, number: int, source: str) -> float:
    try:
        rate = float(str(value))
    except ValueError:
        rate = np.nan
    if not abs(rate) < 1:
        subject = f"funding rate {number} of {source}"
        raise PlanFault(subject, "a ratio between -1 and 1", repr(value))
    return rate


def _column(rows: Rows, names: Sequence[str], source: str) -> str:
    """Return the name of the first column there is."""
    keys = {name_key(str(name)): name for name in rows[0]}
    for name in names:
        if name in keys:
            return keys[name]
    wanted = "a column of times" if names is TIME_NAMES else "a column fundingRate"
    raise PlanFault(source, wanted, ", ".join(map(str, rows[0])) or "none")


def _require_symbol(rows: Rows, symbol: str, source: str) -> None:
    """Raise PlanFault where a file says that it is of another symbol."""
    keys = {name_key(str(name)): name for name in rows[0]}
    if "symbol" not in keys:
        return
    others = {str(row[keys["symbol"]]) for row in rows}
    plain = name_key(symbol.partition(":")[0])
    for other in sorted(others):
        if name_key(other.partition(":")[0]) not in (plain, plain.removesuffix("p")):
            raise PlanFault(f"funding of {symbol} in {source}", f"rates of {symbol}", f"of {other}")


def _rows(path: Path) -> Rows:
    source = str(path)
    if path.is_dir():
        raise PlanFault(source, READABLE, "a directory")
    try:
        raw = path.read_bytes()
    except OSError as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise PlanFault(source, READABLE, found) from None
    if raw[:4] == b"PAR1" or raw[:6] in (b"ARROW1", b"FEA1"):
        rows = _arrow_rows(raw, source)
    else:
        try:
            text = raw.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise PlanFault(source, READABLE, "bytes that are not UTF-8 text") from None
        rows = _json_rows(text, source) if text[:1] in ("{", "[") else _csv_rows(text, source)
    if not rows:
        raise PlanFault(source, "at least one settlement", "none")
    return rows


def _csv_rows(text: str, source: str) -> Rows:
    lines = text.splitlines()
    if not lines:
        raise PlanFault(source, READABLE, "an empty file")
    if "\0" in text:
        raise PlanFault(source, READABLE, "binary bytes that are none of these")
    delimiter = max((",", ";", "\t"), key=lines[0].count)
    table = list(csv.reader(lines, delimiter=delimiter))
    names = [name.strip() for name in table[0]]
    for number, row in enumerate(table[1:], 1):
        if len(row) != len(names):
            raise PlanFault(f"row {number} of {source}", f"{len(names)} columns", str(len(row)))
    return [dict(zip(names, row, strict=True)) for row in table[1:]]


def _json_rows(text: str, source: str) -> Rows:
    """Return the rows of a list of objects, or of Bybit's reply around one."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise PlanFault(source, READABLE, "no JSON although it begins like it") from None
    if isinstance(found, dict):
        result = found.get("result")
        found = result.get("list") if isinstance(result, dict) else None
    is_list = isinstance(found, list) and all(isinstance(row, dict) for row in found)
    if not is_list or any(row.keys() != found[0].keys() for row in found):
        raise PlanFault(source, "a list of settlements with the same keys", "something else")
    rows: Rows = found
    return rows


def _arrow_rows(raw: bytes, source: str) -> Rows:
    import pyarrow as pa
    from pyarrow import feather, parquet

    try:
        if raw[:4] == b"PAR1":
            table = parquet.ParquetFile(pa.BufferReader(raw)).read()
        else:
            table = feather.read_table(pa.BufferReader(raw))
    except (pa.ArrowException, OSError) as error:
        found = f"a damaged file ({str(error).splitlines()[0]})"
        raise PlanFault(source, READABLE, found) from None
    rows: Rows = table.to_pylist()
    return rows
