"""The settings of a run as rows that a person reads: parameters, plan, costs, instrument.

A setting that differs from its default says so, because that is what a reader looks for first.
Nested settings stand under the name of what holds them: `Effective plan: exits`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from typing import Any

from engines.costs import Costs
from engines.plan import Plan
from engines.report import Run, plain

# (title, [(name, value as text, differs from its default)])
Terms = list[tuple[str, list[tuple[str, str, bool]]]]


def terms(run: Run) -> Terms:
    """Return the settings of a run by title."""
    result = run.result
    instrument = {
        item.name: getattr(result.instrument, item.name)
        for item in fields(result.instrument)
        if not item.name.startswith("_")
    }
    tables: Terms = [
        ("Parameters", [(name, _text(value), False) for name, value in run.parameters.items()]),
        *_grouped("Effective plan", _compared(result.plan, Plan())),
        *_grouped("Costs", _compared(result.costs, Costs())),
        ("Instrument", [(name, text, False) for name, text in flat(instrument)]),
    ]
    return [(title, rows) for title, rows in tables if rows]


def flat(value: object, path: str = "") -> list[tuple[str, str]]:
    """Return a nested mapping as (dotted path, text) rows; an empty list is one row."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return [
            row
            for name, item in value.items()
            for row in flat(item, f"{path}.{name}" if path else str(name))
        ]
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return [row for n, item in enumerate(value, 1) for row in flat(item, f"{path}[{n}]")]
    return [(path, _text(value))]


def _grouped(title: str, rows: list[tuple[str, str, bool]]) -> Terms:
    """Return rows of the first level under `title`, nested ones under a title of their own."""
    groups: dict[str, list[tuple[str, str, bool]]] = {title: []}
    for name, text, is_set in rows:
        group, _, rest = name.partition(".")
        if rest:
            groups.setdefault(f"{title}: {group}", []).append((rest, text, is_set))
        else:
            groups[title].append((name, text, is_set))
    return list(groups.items())


def _compared(settings: Any, default: Any) -> list[tuple[str, str, bool]]:
    usual = dict(flat(default))
    return [(name, text, usual.get(name) != text) for name, text in flat(settings)]


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (isinstance(value, Sequence) and not value):
        return "–"
    return f"{value:.12g}" if isinstance(value, float) else str(plain(value))
