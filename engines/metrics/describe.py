"""The table of metrics as others read it: Markdown for people, JSON Schema for programs."""

from collections.abc import Sequence

from engines.metrics.table import METRICS, Metric, TradeSide, Unit

_SHOWN_IN_PERCENT = " (0-1; shown in percent)"


def json_schema(metrics: Sequence[Metric] = METRICS) -> dict[str, object]:
    """Return the JSON Schema of a run's metrics: every name, a number or null if undefined."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Metrics of a run",
        "type": "object",
        "properties": {item.name: _property(item) for item in metrics},
        "required": [item.name for item in metrics],
        "additionalProperties": False,
    }


def _property(item: Metric) -> dict[str, object]:
    return {
        "type": ["number", "null"],
        "title": item.label,
        "description": item.formula,
        "unit": str(item.unit),
        "side": str(item.side),
        "group": item.group,
        "source": item.source,
    }


def markdown(metrics: Sequence[Metric] = METRICS) -> str:
    """Return the table as Markdown, one row a metric, the sides of one figure in one row."""
    lines = [
        "| name | figure | unit | sides | formula | source |",
        "|---|---|---|---|---|---|",
    ]
    rows: dict[str, list[Metric]] = {}
    for item in metrics:
        rows.setdefault(base_name(item), []).append(item)
    for name, items in rows.items():
        first = items[0]
        unit = f"{first.unit}{_SHOWN_IN_PERCENT if first.unit is Unit.RATIO else ''}"
        sides = ", ".join(item.side for item in items)
        sources = "; ".join(dict.fromkeys(item.source for item in items))
        cells = (f"`{name}`", first.label, unit, sides, first.formula, sources)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def base_name(item: Metric) -> str:
    """Return a metric's name without its side."""
    return item.name if item.side is TradeSide.ALL else item.name.removesuffix(f"_{item.side}")
