"""What one cell of a trade list says: a number, a time or a word, in any locale's spelling.

Theory. A number's decimal mark cannot be told from one cell (`1,234`), so it is decided once for a
whole file by `decimal_mark`: a mark that is ever followed by other than three digits, or follows a
lone zero, is the decimal one. Minus signs, narrow spaces, direction marks and the digits of Arabic
and Persian are brought to ASCII first. Times are written year first in every locale of the export
itself; tables retyped by people may have the day or the month first, which `day_first` decides for
the file.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from engines.errors import TradeListFault

Cell = str | float | datetime | None

_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u061c\u202a\u202b\u202c\u2066\u2067\u2069\ufeff"))
_SIGNS = {ord(sign): "-" for sign in "\u2212\u2012\u2013\ufe63\uff0d"}
_ARABIC = {0x066B: ".", 0x066C: "\u00a0"}
_NUMBER = re.compile(r"[-+]?[0-9][0-9.,' ]*(?:[eE][-+]?[0-9]+)?")
_CURRENCY = re.compile(r"(?:[$€£¥₽₩₹₺]|[A-Z]{3,5}|%|٪)")
_DAY_TIME = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ ,T]+(\d{1,2}:\d{2}(?::\d{2})?))?$")


@dataclass(frozen=True, slots=True)
class TimeCell:
    """A time: UTC milliseconds if `has_offset`, else wall-clock time counted as if it were UTC."""

    time_ms: int
    has_offset: bool
    has_clock: bool


def plain_text(cell: Cell) -> str:
    """Return a cell as trimmed text with ASCII digits, signs and spaces."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, float):
        return repr(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if cell.isascii():
        return cell.strip()
    text = cell.translate(_MARKS).translate(_SIGNS).translate(_ARABIC)
    return "".join(_ascii_digit(sign) for sign in text).strip()


def _ascii_digit(sign: str) -> str:
    if sign.isascii():
        return sign
    kind = unicodedata.category(sign)
    if kind == "Zs":
        return " "
    return str(unicodedata.digit(sign)) if kind == "Nd" else sign


def number_text(text: str) -> str | None:
    """Return the digits and marks of a cell that holds one number, None if it holds other text."""
    bare = _CURRENCY.sub("", text).strip().replace("- ", "-")
    return bare.replace(" ", "") if bare and _NUMBER.fullmatch(bare) else None


def decimal_mark(texts: Iterable[str]) -> str:
    """Return the decimal mark ('.' or ',') of all numbers of a file."""
    votes = {".": 0, ",": 0}
    for text in set(texts):
        digits = number_text(text)
        if digits is None or not ("," in digits or "." in digits):
            continue
        digits = digits.lstrip("+-").split("e")[0].split("E")[0]
        last = max(digits.rfind(","), digits.rfind("."))
        mark = digits[last]
        if ("," in digits and "." in digits) or (
            digits.count(mark) == 1 and (len(digits) - last != 4 or digits[:last] == "0")
        ):
            votes[mark] += 1
        elif digits.count(mark) > 1:
            votes["," if mark == "." else "."] += 1
    return "," if votes[","] > votes["."] else "."


@lru_cache(maxsize=65_536)  # A trade's results stand on both its rows and are asked for by role.
def parse_number(text: str, mark: str) -> tuple[float, int] | None:
    """Return a cell's number and how many decimals it shows, None if it is no number."""
    digits = number_text(text)
    if digits is None:
        return None
    digits = digits.replace("'", "").replace("," if mark == "." else ".", "").replace(mark, ".")
    try:
        value = float(digits)
    except ValueError:
        return None
    mantissa, _, exponent = digits.lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return value, max(0, decimals)


def day_first(texts: Iterable[str]) -> bool | None:
    """Return whether dates such as 03/04/2025 are day first; None where none tells."""
    for text in texts:
        match = _DAY_TIME.match(text)
        if match is None:
            continue
        if match[2] == "." or int(match[1]) > 12:
            return True
        if int(match[3]) > 12:
            return False
    return None


def parse_time(cell: Cell, is_day_first: bool | None = None) -> TimeCell | None:
    """Return a cell's time, None if it is none.

    Raises: TradeListFault for a date that could be read in two ways.
    """
    if isinstance(cell, datetime):
        return TimeCell(
            _epoch_ms(cell), cell.tzinfo is not None, cell.time() != datetime.min.time()
        )
    text = plain_text(cell).removesuffix(" UTC")
    if match := _DAY_TIME.match(text):
        if is_day_first is None:
            raise TradeListFault("dates of the trade list", "year-month-day", repr(text))
        day, month = (match[1], match[3]) if is_day_first else (match[3], match[1])
        text = f"{match[4]}-{int(month):02}-{int(day):02}"
        text += f" {match[5]:0>5}" if match[5] else ""
    if re.match(r"\d{4}[/.]\d{2}[/.]\d{2}", text):
        text = text[:10].replace("/", "-").replace(".", "-") + text[10:]
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace(", ", " "))
    except ValueError:
        return None
    return TimeCell(_epoch_ms(moment), moment.tzinfo is not None, len(text) > 10)


def _epoch_ms(moment: datetime | date) -> int:
    assert isinstance(moment, datetime)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def has_word(text: str, words: Iterable[str]) -> bool:
    """Return whether any of the words is part of the text."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return any(word in folded for word in words)
