"""What crosses the wire: requests, replies, refusals, and numbers as the venue writes them.

Bybit wraps every REST reply in the same envelope, {retCode, retMsg, result, retExtInfo, time}, and
writes every number as a string without exponent or trailing zeros. A rule that is broken is a
`Refused`, raised wherever it is found and turned into an envelope in one place.
Source: Bybit v5, "Integration Guidance", common response parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Payload = dict[str, Any]
DIGITS_MAX = 15  # enough for milliseconds, and for every number of an order


class Refused(Exception):
    """The venue refuses a request with one of its retCodes."""

    def __init__(self, ret_code: int, message: str, result: Payload | None = None) -> None:
        super().__init__(ret_code, message, result)
        self.ret_code = ret_code
        self.message = message
        self.result = result or {}


# The families of refusal that more than one module raises.
PARAMETER_ERROR, OUTSIDE_WINDOW, KEY_INVALID, SIGN_WRONG = 10001, 10002, 10003, 10004
PERMISSION_DENIED, TOO_MANY_VISITS, SERVER_ERROR, ROUTE_NOT_FOUND = 10005, 10006, 10016, 10017


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as it arrived; `query_text` and `body` are what its signature covers."""

    method: str
    path: str
    query_text: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    ip: str = "127.0.0.1"


@dataclass(slots=True)
class Reply:
    """What the shell is to send: JSON (`payload`) or bare text, after `delay_ms` of real time.

    `is_dropped`: the connection is cut instead, as when a reply is lost after the venue acted.
    """

    payload: Payload | None = None
    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay_ms: int = 0
    is_dropped: bool = False

    @property
    def ret_code(self) -> int | None:
        """Return the retCode, None where the body is no envelope."""
        return None if self.payload is None else int(self.payload["retCode"])


def envelope(now_ms: int, result: Payload, ret_code: int = 0, message: str = "OK") -> Payload:
    """Return the venue's envelope around a result."""
    return {
        "retCode": ret_code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {},
        "time": now_ms,
    }


def number_text(value: float) -> str:
    """Return a number as the venue writes it: the shortest decimal, never an exponent."""
    text = repr(float(value))
    if "e" in text:
        text = format(Decimal(text), "f")
    return text[:-2] if text.endswith(".0") else text


def decimals_of(value: float) -> int:
    """Return how many decimals a number shows."""
    return len(number_text(value).partition(".")[2])


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """Return a parameter that counts something, None if it was not sent.

    Raises: Refused if it is no whole number, zero or more, of up to `DIGITS_MAX` digits.
    """
    text = query.get(name, "")
    if text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
        raise Refused(PARAMETER_ERROR, f"params error: {name} invalid")
    return int(text)


def limit_of(query: Mapping[str, str], default: int, highest: int) -> int:
    """Return the page size that was asked for.

    Raises: Refused outside 1 to `highest`.
    """
    limit = whole_number(query, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= highest:
        raise Refused(PARAMETER_ERROR, f"params error: limit should be between 1 and {highest}")
    return limit


def required(query: Mapping[str, Any], name: str) -> str:
    """Return a parameter that must be there.

    Raises: Refused without it.
    """
    value = query.get(name)
    if value is None or value == "":
        raise Refused(PARAMETER_ERROR, f"params error: {name} is required")
    return str(value)
