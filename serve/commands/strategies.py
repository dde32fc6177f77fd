"""`phalanx strategies`: what there is, and what each can be set to."""

from dataclasses import dataclass
from typing import Annotated

import typer

from serve.flags import JsonFlags


@dataclass(frozen=True, kw_only=True)
class StrategiesFlags(JsonFlags):
    """What `phalanx strategies` takes."""

    name: Annotated[
        str | None, typer.Argument(help="A name or path/to/file.py:Class: show its parameters.")
    ] = None


def strategies(flags: StrategiesFlags) -> int:
    """List the built-in strategies, or the parameters of one."""
    from serve.output import print_json, print_table
    from strategies.registry import REGISTRY

    if flags.name is None:
        if flags.json:
            print_json(
                {
                    item.id: {"category": item.category, "summary": item.summary}
                    for item in REGISTRY.values()
                }
            )
        else:
            rows = [[item.id, item.category, item.summary] for item in REGISTRY.values()]
            print_table(["strategy", "category", "what it does"], rows)
        return 0
    from dataclasses import asdict

    from serve.runs import find_all

    (found,) = find_all([flags.name])
    if flags.json:
        print_json({"strategy": found.name, "parameters": [asdict(p) for p in found.parameters]})
        return 0
    print(f"{found.name}: {(found.cls.__doc__ or 'no description').splitlines()[0].strip()}")
    texts = [
        [_text(part) for part in (p.name, p.default, p.low, p.high, p.step, p.unit, p.help)]
        for p in found.parameters
    ]
    print_table(["parameter", "default", "low", "high", "step", "unit", "meaning"], texts)
    return 0


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)
