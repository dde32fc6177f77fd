"""Compare a run's figures with TradingView's report as `phalanx parity --report` asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.tv_cells import has_word
from cluster.tv_export import TradeList
from cluster.tv_report import MARGIN_CALL_WORDS, ListedReport, read_report
from engines.costs import Costs
from engines.listed_run import listed_run
from engines.metrics.measure import measure
from engines.plan import Plan
from engines.report import Run
from engines.report_parity import CellMatch, ReportMatch, Verdict, compare_report
from serve.runs import command_text, versions
from serve.terms import Market

UNEXPLAINED_NOTE = (
    "unexplained cells end at a price inside the last bar, before it closed; bars do not hold it"
)
HEADER = ("row", "side", "column", "listed", "ours", "verdict")


@dataclass(frozen=True, slots=True)
class SheetsCompared:
    """What came of comparing a report: whether all is equal, and how that is said."""

    is_equal: bool
    text: str
    document: dict[str, object]
    notes: tuple[str, ...]


def read_sheets(paths: Sequence[Path]) -> ListedReport | None:
    """Return the report of these files, None of none."""
    return read_report(paths) if paths else None


def run_of_list(
    path: Path | None, listed: TradeList, market: Market, plan: Plan, costs: Costs
) -> Run:
    """Return the listed trades as a run, so that its figures can be measured.

    Raises: TradeListFault for trades that these bars or costs cannot have made.
    """
    called = {t.number for t in listed.trades if has_word(t.exit_name, MARGIN_CALL_WORDS)}
    result = listed_run(
        listed.trades,
        market.klines,
        market.instrument,
        plan,
        costs,
        since_ms=market.since_ms,
        margin_calls=called,
    )
    return Run(
        strategy=f"trades of {path.name}" if path is not None else "listed trades",
        parameters={},
        result=result,
        metrics=measure(result),
        notes=market.notes,
        command=command_text(),
        versions=versions(),
    )


def compare_sheets(listed: ListedReport, run: Run) -> SheetsCompared:
    """Return how a run's figures compare with a report."""
    match = compare_report(listed.cells, run.metrics, run.result)
    notes = [
        f"row {name!r} of the report is not known: not compared" for name in listed.unknown_rows
    ]
    if match.count(Verdict.UNEXPLAINED):
        notes.append(UNEXPLAINED_NOTE)
    return SheetsCompared(match.is_equal, _text(match), _document(match), tuple(notes))


def _text(match: ReportMatch) -> str:
    """Return the cells as a table, and how many are equal."""
    rows = [_row(cell) for cell in match.cells]
    widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEADER, *rows)
    ]
    counts = [f"{match.count(Verdict.EQUAL)} of {len(rows)} cells are equal"]
    counts += [
        f"{match.count(verdict)} {verdict}"
        for verdict in (Verdict.UNEXPLAINED, Verdict.DIFFERENT)
        if match.count(verdict)
    ]
    return "\n".join((*lines, ", ".join(counts)))


def _row(cell: CellMatch) -> tuple[str, ...]:
    place = cell.metric.cell
    assert place is not None  # only cells of the report are compared
    side, column = str(cell.metric.side), str(place.column)
    return place.row, side, column, cell.listed, cell.ours_text(), str(cell.verdict)


def _document(match: ReportMatch) -> dict[str, object]:
    return {
        "equal": match.is_equal,
        **{f"cells_{verdict}": match.count(verdict) for verdict in Verdict},
        "cells": [
            {"metric": cell.metric.name, **dict(zip(HEADER, _row(cell), strict=True))}
            | {"value": cell.ours}
            for cell in match.cells
        ],
    }
