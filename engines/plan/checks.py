"""How settings are judged: one sentence that names the field, the expected and the found.

Fields are named as a plan file spells them: `exits.stop_loss_ratio`.
"""

import math
from enum import StrEnum
from typing import NoReturn, TypeGuard, TypeVar

from engines.errors import PlanFault

Member = TypeVar("Member", bound=StrEnum)


def member(name: str, kind: type[Member], value: str) -> Member:
    """Return `value` as a member of the enum `kind`; its plain text will do."""
    try:
        return kind(value)
    except ValueError:
        expected = f"one of {', '.join(str(item) for item in kind)}"
        raise PlanFault(name, expected, repr(value)) from None


def require(holds: bool, name: str, expected: str, found: object) -> None:
    """Raise PlanFault unless `holds`."""
    if not holds:
        raise PlanFault(name, expected, repr(found))


def number(
    name: str, value: float | None, low: float, high: float, *, optional: bool = False
) -> None:
    """Raise PlanFault unless `value` is a number from `low` to `high`, or None if `optional`."""
    if value is None and optional:
        return
    holds = _is_number(value) and low <= value <= high
    require(holds, name, f"a number from {low:g} to {high:g}", value)


def between(
    name: str, value: float | None, low: float, high: float, *, optional: bool = False
) -> None:
    """Raise PlanFault unless `value` lies between `low` and `high`, or is None if `optional`."""
    if value is None and optional:
        return
    limit = f"and below {high:g}" if high < math.inf else "and finite"
    require(
        _is_number(value) and low < value < high, name, f"a number above {low:g} {limit}", value
    )


def whole(name: str, value: int | None, low: int, high: int, *, optional: bool = False) -> None:
    """Raise PlanFault unless `value` is a whole number in [low, high], or None if `optional`."""
    if value is None and optional:
        return
    holds = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    require(holds, name, f"a whole number from {low} to {high}", value)


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def contradict(first: str, second: str, expected: str, found: str) -> NoReturn:
    """Raise PlanFault for two fields that cannot both hold."""
    raise PlanFault(f"{first} and {second}", expected, found)
