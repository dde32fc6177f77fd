"""`phalanx metrics`: what a run is measured by, each with its unit, formula and source."""

from dataclasses import dataclass
from typing import Annotated

import typer

from serve.flags import JsonFlags


@dataclass(frozen=True, kw_only=True)
class MetricsFlags(JsonFlags):
    """What `phalanx metrics` takes."""

    name: Annotated[
        str | None, typer.Argument(help="A part of names or labels: show only these.")
    ] = None
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False


def metrics(flags: MetricsFlags) -> int:
    """List the metrics of a run: name, unit and formula."""
    from engines.errors import ParameterFault
    from engines.metrics.describe import base_name, json_schema, markdown
    from engines.metrics.table import METRICS
    from serve.output import print_json, print_table

    if flags.json and flags.markdown:
        raise ParameterFault("phalanx metrics", "--json or --markdown", "both")
    wanted = (flags.name or "").casefold()
    chosen = [item for item in METRICS if wanted in f"{item.name} {item.label}".casefold()]
    if not chosen:
        raise ParameterFault("phalanx metrics", "a part of a name or a label", repr(flags.name))
    if flags.json:
        print_json(json_schema(chosen))
    elif flags.markdown:
        print(markdown(chosen), end="")
    else:
        figures: dict[str, list[str]] = {}
        for item in chosen:
            row = figures.setdefault(
                base_name(item), [base_name(item), "", str(item.unit), item.formula]
            )
            row[1] = f"{row[1]}, {item.side}".removeprefix(", ")
        print_table(["metric", "sides", "unit", "formula"], list(figures.values()))
    return 0
