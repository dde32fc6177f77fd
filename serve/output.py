"""What commands print: results on stdout, messages on stderr."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from engines.klines import interval_text, time_text
from engines.metrics.table import METRICS, Metric, Unit
from engines.report import (
    Run,
    document,
    is_synthetic,
    json_text,
    run_labels,
    traded_from_ms,
)
from engines.report_headline import COMPARED, Best

METRIC = {metric.name: metric for metric in METRICS}
TABLE_WIDTH = 160

# Label, name of the metric, format; one line a row.
LINES: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (("net profit", "net_profit_quote", ",.2f"), ("return", "return_ratio", ".2%"),
     ("CAGR", "cagr_ratio", ".2%"), ("buy and hold", "buy_and_hold_ratio", ".2%")),
    (("max drawdown", "drawdown_quote_max", ",.2f"), ("of peak", "drawdown_ratio_max", ".2%"),
     ("recovery", "recovery_factor", ".3f"), ("Calmar", "calmar", ".3f")),
    (("trades", "trades", ",.0f"), ("win rate", "win_ratio", ".2%"),
     ("profit factor", "profit_factor", ".3f"), ("expectancy", "expectancy_quote", ",.2f")),
    (("Sharpe", "sharpe", ".3f"), ("Sortino", "sortino", ".3f"),
     ("Sharpe annual", "sharpe_annual", ".3f"), ("SQN", "sqn", ".2f")),
    (("average bars", "bars_held_mean", ".1f"), ("exposure", "exposure_ratio", ".2%"),
     ("commission", "fees_quote", ",.2f"), ("open result", "pnl_open_quote", ",.2f")),
)  # fmt: skip  # a table reads by its rows


def print_json(value: object) -> None:
    """Print `value` as the one JSON document of a command."""
    sys.stdout.write(json_text(value))


def print_notes(notes: Iterable[str]) -> None:
    """Print what a reader should know about the input."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def print_runs(runs: Sequence[Run], out: Path | None, *, json: bool) -> None:
    """Print the results of runs: as JSON, one run in a few lines, several in one table."""
    if json:
        print_json(document(runs))
        return
    if len(runs) == 1:
        print("\n".join(_run_lines(runs[0])))
    else:
        print_comparison(runs)
    if out is not None:
        print(f"report: {out / 'report.html'}")


def _run_lines(run: Run) -> list[str]:
    settings = ", ".join(f"{name}={value}" for name, value in run.parameters.items())
    lines = [f"{run.strategy} ({settings})" if settings else run.strategy, f"  {_subject(run)}"]
    for cells in LINES:
        shown = [
            f"{label:>13} {_figure(run.metrics[name], form):<12}" for label, name, form in cells
        ]
        lines.append("".join(shown).rstrip())
    lines += [f"  not placed: {count:,} {why}" for why, count in run.result.refusals.items()]
    return lines


def _subject(run: Run) -> str:
    """Return what a run traded: symbol, interval, bars and range, and whether it is made up."""
    klines = run.result.klines
    label = "SYNTHETIC bars: " if is_synthetic(klines) else ""
    return (
        f"{label}{klines.symbol}, {interval_text(klines.interval_ms)}, {len(klines):,} bars, "
        f"traded {time_text(traded_from_ms(run.result))} to "
        f"{time_text(int(klines.close_time_ms[-1]))}"
    )


def print_comparison(runs: Sequence[Run]) -> None:
    """Print one table of runs, a row each, the best of a column in bold on a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    for subject in dict.fromkeys(_subject(run) for run in runs):
        print(subject)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", no_wrap=True)
    for _, heading, _ in COMPARED:
        table.add_column(heading.lower(), justify="right", no_wrap=True)
    best = [_best(runs, name, kind) for name, _, kind in COMPARED]
    for place, (run, label) in enumerate(zip(runs, run_labels(runs), strict=True)):
        cells = (
            Text(figure(METRIC[name], run.metrics[name]), "bold" if place in tops else "")
            for (name, _, _), tops in zip(COMPARED, best, strict=True)
        )
        table.add_row(Text(label), *cells)
    # A table that is cut or folded is no table: beyond a terminal's edge its lines run on.
    console = Console(file=sys.stdout)
    console.width = max(console.width, TABLE_WIDTH)
    console.print(table, soft_wrap=True)
    for run, label in zip(runs, run_labels(runs), strict=True):
        for why, count in run.result.refusals.items():
            print(f"{label}: not placed: {count:,} {why}")


def _best(runs: Sequence[Run], name: str, kind: Best) -> set[int]:
    """Return the places of the runs with the best value of a metric, none where all are alike."""
    values = [run.metrics[name] for run in runs]
    known = {value for value in values if value == value}
    if kind is Best.NONE or len(known) < 2:
        return set()
    top = max(known) if kind is Best.HIGH else min(known)
    return {place for place, value in enumerate(values) if value == top}


def figure(metric: Metric, value: float) -> str:
    """Return a metric's value as its unit asks: a ratio in percent, "-" where undefined."""
    decimals = metric.decimals
    return _figure(value, f",.{decimals}%" if metric.unit is Unit.RATIO else f",.{decimals}f")


def _figure(value: float, form: str) -> str:
    return "-" if value != value else format(value, form)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
