"""Grid expressions: what a person types to say which values a study tries.

    rsi=7:21:1 oversold=20:40:5 fast=5,8,13 trend=true,false

Each part is NAME=VALUES; VALUES are single ones and ranges LOW:HIGH:STEP, joined by commas. A range
holds both ends where HIGH is on its grid, and is counted in exact decimals: 0.1:0.3:0.1 is 0.1, 0.2
and 0.3. LOW:HIGH takes the step that the setting declares, a NAME alone its whole declared range.
A value is read by the setting's own type; a ratio may be a percentage, and what may be absent may
be `none`. A name may be cut short to what only one setting begins with.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from engines.errors import ParameterFault

Value: TypeAlias = bool | int | float | str | None
AXIS_VALUES_MAX = 1_000_000
EXPONENT_MAX = 300  # a float64 ends at 1.8e308, and 1e999999999 as a whole number fills a memory
TRUTHS: Mapping[str, bool] = {
    "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False,
}  # fmt: skip  # a table reads by its rows
NONE = "none"


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be swept: its type is `kind`; None for a bound or step means none.

    `choices` are the texts that a str may be (none: any), `is_ratio` takes percentages as well,
    `is_optional` takes `none`.
    """

    name: str
    kind: type
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    is_ratio: bool = False
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of a space: a setting's name and the values that it takes, in order."""

    name: str
    values: tuple[Value, ...]


def parse_grid(
    text: str | Iterable[str], settings: Sequence[Setting], owner: str
) -> tuple[list[Axis], list[str]]:
    """Return the axes that an expression names, in its order, and notes on names cut short.

    Raises: ParameterFault in one sentence for whatever cannot be read.
    """
    parts = text.split() if isinstance(text, str) else [p for item in text for p in item.split()]
    axes: dict[str, Axis] = {}
    notes: list[str] = []
    for part in parts:
        name, equals, values = part.partition("=")
        setting = _named(name, settings, owner)
        if setting.name != name:
            notes.append(f"{name} means {setting.name}")
        if setting.name in axes:
            raise ParameterFault(f"grid of {setting.name}", "one list of values", "two")
        if equals and not values:
            raise ParameterFault(f"grid of {setting.name}", "values such as 7:21:1 or 5,8", "none")
        found = _values(values, setting) if equals else _declared(setting)
        axes[setting.name] = Axis(setting.name, found)
    return list(axes.values()), notes


def _named(name: str, settings: Sequence[Setting], owner: str) -> Setting:
    """Return the setting that a name means: itself, its last words, or all that begins so."""
    known = {item.name: item for item in settings}
    if name in known:
        return known[name]
    last = [item for item in settings if item.name.endswith(f".{name}")]
    begin = [item for item in settings if _begins(item.name, name)] if name else []
    for found in (last, begin):
        if len(found) == 1:
            return found[0]
    if both := last or begin:
        expected = f"one of {', '.join(item.name for item in both)}"
        raise ParameterFault(f"parameter of {owner}", expected, f"{name!r}, which may be each")
    near = difflib.get_close_matches(name, [*known, *_ends(known)], n=1)
    expected = f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(known) or 'none'}"
    raise ParameterFault(f"parameter of {owner}", expected, repr(name))


def _begins(path: str, name: str) -> bool:
    """Return whether a path, or what follows one of its dots, begins with `name`."""
    parts = path.split(".")
    return any(".".join(parts[start:]).startswith(name) for start in range(len(parts)))


def _ends(names: Iterable[str]) -> list[str]:
    return [name.rpartition(".")[2] for name in names]


def _declared(setting: Setting) -> tuple[Value, ...]:
    if setting.kind is bool:
        return (False, True)
    if setting.choices:
        return setting.choices
    if setting.low is None or setting.high is None or setting.step is None:
        expected = f"values such as {setting.name}=7:21:1, as it declares no range"
        raise ParameterFault(f"grid of {setting.name}", expected, "its name alone")
    return _values(f"{setting.low!r}:{setting.high!r}", setting)


def _values(text: str, setting: Setting) -> tuple[Value, ...]:
    """Return the values of an axis in the order written, each once.

    Raises: ParameterFault.
    """
    found: list[Value] = []
    for part in text.split(","):
        found += _range(part, setting) if ":" in part else [_single(part, setting)]
        _require_few(len(found), setting)
    if len(set(found)) < len(found):
        twice = next(value for place, value in enumerate(found) if value in found[:place])
        raise ParameterFault(f"grid of {setting.name}", "each value once", f"{twice} twice")
    for value in found:
        _require_bounds(value, setting)
    return tuple(found)


def _require_few(count: int, setting: Setting) -> None:
    if count > AXIS_VALUES_MAX:
        expected = f"at most {AXIS_VALUES_MAX:,} values"
        raise ParameterFault(f"grid of {setting.name}", expected, f"{count:,}")


def _range(text: str, setting: Setting) -> list[Value]:
    subject = f"grid of {setting.name}"
    if setting.kind not in (int, float):
        raise ParameterFault(subject, "single values joined by commas", repr(text))
    ends = [_decimal(part, setting) for part in text.split(":")]
    if len(ends) == 2:
        step = 1.0 if setting.kind is int and setting.step is None else setting.step
        if step is None:
            raise ParameterFault(subject, "LOW:HIGH:STEP such as 0.01:0.05:0.005", repr(text))
        ends.append(Decimal(repr(step)))
    if len(ends) != 3:
        raise ParameterFault(subject, "LOW:HIGH:STEP such as 0.01:0.05:0.005", repr(text))
    low, high, step_exact = ends
    if step_exact <= 0 or high < low:
        raise ParameterFault(subject, "a step above zero and LOW not above HIGH", repr(text))
    count = int((high - low) / step_exact) + 1
    _require_few(count, setting)
    return [_number(low + place * step_exact, setting, text) for place in range(count)]


def _single(text: str, setting: Setting) -> Value:
    """Return the value that a text means for the setting.

    Raises: ParameterFault if it is of another type.
    """
    word = text.strip().lower()
    if setting.is_optional and word == NONE:
        return None
    if setting.kind is bool:
        if word not in TRUTHS:
            raise ParameterFault(f"grid of {setting.name}", "true or false", repr(text))
        return TRUTHS[word]
    if setting.kind is str:
        if setting.choices and word not in setting.choices:
            expected = f"one of {', '.join(setting.choices)}"
            raise ParameterFault(f"grid of {setting.name}", expected, repr(text))
        return word if setting.choices else text
    return _number(_decimal(text, setting), setting, text)


def _decimal(text: str, setting: Setting) -> Decimal:
    """Return a number exactly as written; a ratio's percentage as the ratio.

    Raises: ParameterFault.
    """
    is_percent = setting.is_ratio and text.rstrip().endswith("%")
    try:
        exact = Decimal(text.strip().removesuffix("%") if is_percent else text.strip())
    except InvalidOperation:
        exact = Decimal("nan")
    if not exact.is_finite() or abs(exact.adjusted()) > EXPONENT_MAX:
        kind = "a whole number" if setting.kind is int else "a number"
        raise ParameterFault(f"grid of {setting.name}", kind, repr(text))
    return exact.scaleb(-2) if is_percent else exact


def _number(exact: Decimal, setting: Setting, text: str) -> int | float:
    if setting.kind is not int:
        return float(exact)
    if exact != exact.to_integral_value():
        raise ParameterFault(f"grid of {setting.name}", "whole numbers", repr(text))
    return int(exact)


def _require_bounds(value: Value, setting: Setting) -> None:
    if isinstance(value, bool | str) or value is None:
        return
    low = float("-inf") if setting.low is None else setting.low
    high = float("inf") if setting.high is None else setting.high
    if not low <= value <= high:
        expected = f"numbers from {low:g} to {high:g}"
        raise ParameterFault(f"grid of {setting.name}", expected, f"{value:g}")
