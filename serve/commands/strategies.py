"""`phalanx strategies`: what there is, what each wants, and what it can be set to."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from serve.flags import JsonFlags

if TYPE_CHECKING:
    from cluster.user_strategy import FoundStrategy

WIDTH = 100


@dataclass(frozen=True, kw_only=True)
class StrategiesFlags(JsonFlags):
    """What `phalanx strategies` takes."""

    name: Annotated[
        str | None,
        typer.Argument(help="NAME, NAME:preset or path/to/file.py:Class: show all about it."),
    ] = None


def strategies(flags: StrategiesFlags) -> int:
    """List the built-in strategies, or say what one wants and what it can be set to."""
    if flags.name is None:
        _show_all(json=flags.json)
        return 0
    from serve.output import print_json
    from serve.runs import find_all

    (found,) = find_all([flags.name])
    if flags.json:
        print_json(_terms(found))
    else:
        _show_one(found)
    return 0


def _show_all(*, json: bool) -> None:
    from serve.output import print_json, print_table
    from strategies.registry import REGISTRY

    if json:
        shown = ("category", "summary", "tags", "intervals")
        print_json(
            {item.id: {name: getattr(item, name) for name in shown} for item in REGISTRY.values()}
        )
        return
    rows = [[item.id, item.category, item.summary] for item in REGISTRY.values()]
    print_table(["strategy", "category", "what it does"], rows)


def _terms(found: "FoundStrategy") -> dict[str, object]:
    """Return all there is to say about one strategy, as a JSON document."""
    from strategies.base import Strategy
    from strategies.described import describe
    from strategies.registry import REGISTRY

    terms: dict[str, object] = {"strategy": found.name, **asdict(describe(found.cls))}
    listed = REGISTRY.get(found.name.partition(":")[0])
    if listed is not None and not found.source:
        terms |= {name: getattr(listed, name) for name in ("category", "tags", "intervals")}
    strategy = found.build({})
    if isinstance(strategy, Strategy):
        terms |= {"min_bars": strategy.min_bars(), "presets": strategy.presets}
    return terms | {"parameters": [asdict(item) for item in found.parameters]}


def _show_one(found: "FoundStrategy") -> None:
    from textwrap import fill

    from serve.output import print_table

    terms = _terms(found)
    print(f"{found.name}: {terms['idea'] or 'no description'}")
    for name, label in (("rule", "Rule"), ("source", "Source"), ("category", "Category"),
                        ("tags", "Tags"), ("intervals", "Intervals"), ("min_bars", "Minimum bars"),
                        ("presets", "Presets")):  # fmt: skip  # a table reads by its rows
        if text := _text(terms.get(name)):
            print(fill(f"{label}: {text}", WIDTH, subsequent_indent="  "))
    header = ["parameter", "default", "low", "high", "step", "unit", "meaning"]
    rows = [
        [_text(part) for part in (p.name, p.default, p.low, p.high, p.step, p.unit, p.help)]
        for p in found.parameters
    ]
    if rows:
        print()
        print_table(header, rows)


def _text(value: object) -> str:
    """Return a value as people read it; a preset without values is the defaults."""
    if isinstance(value, dict):
        parts = (f"{name} ({_settings(settings)})" for name, settings in value.items())
        return "; ".join(parts)
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def _settings(settings: dict[str, object]) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in settings.items()) or "the defaults"
