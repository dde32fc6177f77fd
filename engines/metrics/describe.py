"""The table of metrics as others read it: Markdown for people, JSON Schema for programs."""

from engines.metrics.table import METRICS, Metric, TradeSide, Unit

_SHOWN_IN_PERCENT = " (0-1; shown in percent)"


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of a run's metrics: every name, a number or null if undefined."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Metrics of a run",
        "type": "object",
        "properties": {item.name: _property(item) for item in METRICS},
        "required": [item.name for item in METRICS],
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


def markdown() -> str:
    """Return the table as Markdown, one row a metric, the sides of one figure in one row."""
    lines = [
        "| name | figure | unit | sides | formula | source |",
        "|---|---|---|---|---|---|",
    ]
    rows: dict[tuple[str, str, str, str], list[Metric]] = {}
    for item in METRICS:
        rows.setdefault((item.label, str(item.unit), item.formula, item.source), []).append(item)
    for (label, _, formula, source), items in rows.items():
        unit = items[0].unit
        unit_text = f"{unit}{_SHOWN_IN_PERCENT}" if unit is Unit.RATIO else str(unit)
        sides = ", ".join(item.side for item in items)
        cells = (f"`{base_name(items[0])}`", label, unit_text, sides, formula, source)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def base_name(item: Metric) -> str:
    """Return a metric's name without its side."""
    return item.name if item.side is TradeSide.ALL else item.name.removesuffix(f"_{item.side}")
