"""The settings of a plan as dimensions of a space: named by their path, changed all at once.

Theory. A plan is a tree of frozen records. A path such as `exits.stop_loss_ratio` or
`filters[0].period` names one leaf. Which leaves there are follows from the records' own types and
from what a base plan holds: a record that is absent, of one kind and all defaults counts with them
(`exits.trailing`), any other must be in the base plan (a filter, a ladder, a session). All changes
of a point are made together, a record at a time from the leaves up, so that no state between two of
them is ever judged; what then contradicts is a PlanFault whose subject names two settings.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from engines.errors import PlanFault
from engines.plan import Plan
from engines.search.grid import Axis, Setting, Value

Step: TypeAlias = str | int
Record = TypeVar("Record")
RATIO_WORDS = frozenset({"ratio", "portion"})
RATIO_PATHS = frozenset({"exits.trailing.activation", "exits.trailing.distance"})
SCALARS = (bool, int, float, str)


def plan_settings(plan: Plan) -> list[Setting]:
    """Return every setting of `plan` that can be swept, by its path."""
    return list(_settings(plan, ""))


def with_settings(plan: Plan, values: Mapping[str, Value]) -> Plan:
    """Return `plan` with the settings at the paths changed.

    Raises: PlanFault for a value out of range or settings that contradict.
    """
    tree: dict[Step, Any] = {}
    for path, value in values.items():
        *outer, last = _steps(path)
        place = tree
        for step in outer:
            place = place.setdefault(step, {})
        place[last] = _Leaf(value)
    return _changed(plan, tree)


def require_in_range(plan: Plan, axes: list[Axis]) -> None:
    """Raise PlanFault for a value that no combination can mend: one out of its own range.

    A range has two ends, so of many numbers the outermost speak for all.
    """
    for axis in axes:
        for value in _outermost(axis.values):
            try:
                with_settings(plan, {axis.name: value})
            except PlanFault as fault:
                if not is_contradiction(fault):
                    raise


def _outermost(values: Sequence[Value]) -> list[Value]:
    """Return the lowest and the highest number, and whatever is no number."""
    numbers = [value for value in values if isinstance(value, float | int)]
    others = [value for value in values if not isinstance(value, float | int)]
    return [*others, *([min(numbers), max(numbers)] if numbers else [])]


def is_contradiction(fault: PlanFault) -> bool:
    """Return whether a fault blames two settings together (`checks.contradict` names both)."""
    return " and " in fault.subject


@dataclasses.dataclass(frozen=True, slots=True)
class _Leaf:
    value: Value


def _settings(record: Any, prefix: str) -> Iterator[Setting]:
    hints = _hints(record)
    for item in dataclasses.fields(record):
        if not item.init:
            continue
        path, value = f"{prefix}{item.name}", getattr(record, item.name)
        kinds, is_optional = _kinds(hints[item.name])
        if isinstance(value, tuple):
            for place, inner in enumerate(value):
                if dataclasses.is_dataclass(inner):
                    yield from _settings(inner, f"{path}[{place}].")
        elif dataclasses.is_dataclass(value):
            yield from _settings(value, f"{path}.")
        elif len(kinds) == 1 and _has_defaults(kinds[0]):
            yield from _settings(kinds[0](), f"{path}.")
        elif len(kinds) == 1 and issubclass(kinds[0], SCALARS):
            yield _setting(path, kinds[0], is_optional)


def _setting(path: str, kind: type, is_optional: bool) -> Setting:
    words = set(path.rpartition(".")[2].split("_"))
    is_ratio = bool(RATIO_WORDS & words) or path in RATIO_PATHS
    if issubclass(kind, StrEnum):
        return Setting(path, str, choices=tuple(kind), is_optional=is_optional)
    return Setting(path, kind, is_ratio=is_ratio and kind is float, is_optional=is_optional)


def _hints(record: object) -> Mapping[str, Any]:
    kind: Any = type(record)
    return _hints_of(kind)


@cache
def _hints_of(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _kinds(hint: Any) -> tuple[list[type], bool]:
    """Return the types of which a field's value may be, and whether it may be None."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = [part for part in parts if isinstance(part, type) and part is not NoneType]
    return kinds, NoneType in parts


def _has_defaults(kind: type) -> bool:
    """Return whether a record can be made of nothing; a session has times that nobody can guess."""
    nothing = dataclasses.MISSING
    return dataclasses.is_dataclass(kind) and all(
        item.default is not nothing or item.default_factory is not nothing
        for item in dataclasses.fields(kind)
    )


def _steps(path: str) -> list[Step]:
    found = re.findall(r"[^.\[\]]+|\[\d+\]", path)
    return [int(part[1:-1]) if part.startswith("[") else part for part in found]


def _changed(record: Record, tree: Mapping[Step, Any]) -> Record:
    """Return a record with what the tree says of its fields."""
    changes: dict[str, Any] = {}
    for name, change in tree.items():
        assert isinstance(name, str), "a record has names, a tuple has places"
        if isinstance(change, _Leaf):
            changes[name] = change.value
            continue
        inner = getattr(record, name)
        if isinstance(inner, tuple):
            changes[name] = tuple(
                _changed(item, change[place]) if place in change else item
                for place, item in enumerate(inner)
            )
            continue
        if inner is None:
            kinds, _ = _kinds(_hints(record)[name])
            inner = kinds[0]()
        changes[name] = _changed(inner, change)
    return dataclasses.replace(record, **changes)  # type: ignore[type-var]  # records are dataclasses
