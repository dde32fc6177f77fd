"""What commands print: results on stdout, messages on stderr."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from engines.klines import interval_text, time_text
from engines.report import Run, document, is_synthetic, json_text, traded_from_ms

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
    """Print the results of runs, as JSON or as a few lines each."""
    if json:
        print_json(document(runs))
        return
    for run in runs:
        print("\n".join(_run_lines(run)))
    if out is not None:
        print(f"report: {out / 'report.html'}")


def _run_lines(run: Run) -> list[str]:
    klines = run.result.klines
    label = "SYNTHETIC bars: " if is_synthetic(klines) else ""
    settings = ", ".join(f"{name}={value}" for name, value in run.parameters.items())
    terms = run.metrics
    lines = [
        f"{run.strategy} ({settings})" if settings else run.strategy,
        f"  {label}{klines.symbol}, {interval_text(klines.interval_ms)}, {len(klines):,} bars, "
        f"traded {time_text(traded_from_ms(run.result))} to "
        f"{time_text(int(klines.close_time_ms[-1]))}",
    ]
    for cells in LINES:
        shown = [f"{label:>13} {_figure(terms[name], form):<12}" for label, name, form in cells]
        lines.append("".join(shown).rstrip())
    lines += [f"  not placed: {count:,} {why}" for why, count in run.result.refusals.items()]
    return lines


def _figure(value: float, form: str) -> str:
    return "-" if value != value else format(value, form)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
