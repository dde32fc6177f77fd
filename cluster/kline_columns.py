"""What the columns of a bar file are called, and what its times mean.

Theory. Every source has its own spelling of the same seven columns, so a name is compared by its
letters and digits only (`Open time`, `open_time` and `openTime` are one name) and looked up in a
list per field; where a file has several candidates the earlier one in the list wins. Times are
unix seconds, milliseconds, microseconds or nanoseconds, told apart by size, or text. One file uses
one unit: a row of another size is a fault and not a guess.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from engines.errors import KlineFault
from engines.types import I64_1D

# Sources, in this order where they differ: ours, Bybit v5 (startTime, start), Bybit's public files
# (start_at), Binance, ccxt (timestamp), freqtrade (date), TradingView (time), pandas' saved index.
COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        *("opentimems", "opentime", "opentimes", "opentimeutc", "starttimems", "starttime"),
        *("startat", "start", "opendate", "timestampms", "timestamp", "times", "timems", "time"),
        *("unix", "unixtime", "datetime", "datetimeutc", "date", "ts", "indexlevel0", "index"),
    ),
    "open": ("open", "openprice", "o"),
    "high": ("high", "highprice", "h"),
    "low": ("low", "lowprice", "l"),
    "close": ("close", "closeprice", "c"),
    "volume": ("volume", "basevolume", "volumebase", "vol", "v"),
    "turnover": (
        *("turnover", "quoteassetvolume", "quotevolume", "volumequote", "quotevol"),
        *("turnoverquote",),
    ),
}
REQUIRED = ("time", "open", "high", "low", "close")

# Files without a header are known by how many columns they have: ccxt's list of lists, Bybit v5's
# list and Binance Vision's twelve.
HEADERLESS: dict[int, tuple[str, ...]] = {
    6: ("time", "open", "high", "low", "close", "volume"),
    7: ("time", "open", "high", "low", "close", "volume", "turnover"),
    12: (
        *("time", "open", "high", "low", "close", "volume", "close_time", "quote_volume"),
        *("count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"),
    ),
}

# Seconds stay below 1e11 until the year 5138 and milliseconds are above it from 1973 on; each
# further unit is a thousand times larger.
TIME_UNITS: tuple[tuple[str, float, float], ...] = (
    ("seconds", 1e11, 1e3),
    ("milliseconds", 1e14, 1.0),
    ("microseconds", 1e17, 1e-3),
    ("nanoseconds", 9.3e18, 1e-6),
)
TIME_WORDS = "unix seconds, ms, us or ns, or ISO 8601 such as 2025-01-31T12:45:00Z"
_COMPACT_DATES = (19_000_101, 21_001_231)


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Where each field is found (index of the column) and how many columns are not used."""

    index: dict[str, int]
    names: tuple[str, ...]
    unused: int


def name_key(name: str) -> str:
    """Return a column's name reduced to its letters and digits, lower case."""
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def choose_columns(names: Sequence[str], source: str) -> ColumnChoice:
    """Return which column holds which field.

    Raises: KlineFault naming the missing columns and the ones found.
    """
    keys = [name_key(name) for name in names]
    index: dict[str, int] = {}
    for field, candidates in COLUMN_NAMES.items():
        found = next((key for key in candidates if key in keys), None)
        if found is None:
            continue
        if keys.count(found) > 1:
            twice = ", ".join(repr(names[i]) for i, key in enumerate(keys) if key == found)
            raise KlineFault(f"columns of {source}", f"one column for {field}", twice)
        index[field] = keys.index(found)
    missing = [field for field in REQUIRED if field not in index]
    if missing:
        raise KlineFault(
            f"columns of {source}",
            f"time, open, high, low and close; missing: {', '.join(missing)}",
            ", ".join(name.strip() or "(no name)" for name in names),
        )
    return ColumnChoice(index, tuple(names), len(names) - len(index))


def times_of_numbers(values: npt.NDArray[np.float64] | I64_1D, source: str) -> I64_1D:
    """Return unix times of one unit as UTC milliseconds [T].

    Raises: KlineFault naming the first row without a time or of another unit than the first row.
    """
    if values.dtype.kind == "f" and (missing := np.flatnonzero(~np.isfinite(values))).size:
        raise KlineFault(f"time in row {missing[0] + 1} of {source}", TIME_WORDS, "nothing")
    size = np.abs(values.astype(np.float64))
    limits = [limit for _, limit, _ in TIME_UNITS]
    unit = np.searchsorted(limits, size, side="right")
    first = int(unit[0])
    if first == len(TIME_UNITS) or _COMPACT_DATES[0] <= size[0] <= _COMPACT_DATES[1]:
        raise KlineFault(f"time in row 1 of {source}", TIME_WORDS, f"{values[0]}")
    if (other := np.flatnonzero(unit != first)).size:
        row = int(other[0])
        found = TIME_UNITS[int(unit[row])][0] if unit[row] < len(TIME_UNITS) else "no unix time"
        raise KlineFault(
            f"time in row {row + 1} of {source}",
            f"{TIME_UNITS[first][0]} as in row 1",
            f"{values[row]}, which is {found}",
        )
    factor = TIME_UNITS[first][2]
    if values.dtype.kind == "f":
        return np.rint(values * factor).astype(np.int64)
    if factor >= 1.0:
        return values.astype(np.int64) * int(factor)
    return values.astype(np.int64) // round(1 / factor)


def times_of_texts(texts: Sequence[str | None], source: str) -> I64_1D:
    """Return times written as text as UTC milliseconds [T]; no zone means UTC.

    Raises: KlineFault naming the first row that is no time or of another kind than the first row.
    """
    first_is_number = _number(texts[0]) is not None
    numbers: list[float] = []
    times: list[int] = []
    for row, text in enumerate(texts, start=1):
        number = _number(text)
        time_ms = None if number is not None else parse_time_ms(text or "")
        if number is None and time_ms is None:
            found = repr(text) if text else "nothing"
            raise KlineFault(f"time in row {row} of {source}", TIME_WORDS, found)
        if (number is not None) != first_is_number:
            raise KlineFault(
                f"time in row {row} of {source}",
                "a unix time as in row 1" if first_is_number else "a date as in row 1",
                repr(text),
            )
        numbers.append(number or 0.0)
        times.append(time_ms or 0)
    if first_is_number:
        return times_of_numbers(np.array(numbers), source)
    return np.array(times, dtype=np.int64)


def parse_time_ms(text: str) -> int | None:
    """Return a written time as UTC milliseconds, None if it is none; no zone means UTC."""
    cleaned = text.strip().removesuffix(" UTC")
    if re.match(r"\d{4}[./]\d{2}[./]\d{2}", cleaned):
        cleaned = cleaned[:10].replace(".", "-").replace("/", "-") + cleaned[10:]
    if not re.match(r"\d{4}-\d{2}-\d{2}", cleaned):
        return None
    try:
        moment = datetime.fromisoformat(cleaned)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
