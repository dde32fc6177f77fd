"""Compare TradingView's strategy report, cell by cell, with the metrics of a run.

Theory. A filled cell of the report is one metric, found by its row, side and column. Ours is equal
if it is shown as the cell shows it: money and numbers rounded half up to the digits of the column,
trailing zeros dropped, ratios in percent, days cut to whole ones.

Buy & hold ends at the price of the moment of the export, inside a bar that had not closed, and no
bar file holds that price. Such a cell is *unexplained* rather than different if some price between
the low and the high of the last bar gives what is listed; if none does, it is different.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engines.backtest import Backtest
from engines.metrics.table import TRADINGVIEW as TRADINGVIEW_METRICS
from engines.metrics.table import Column, Metric, TradeSide, Unit
from engines.parity import Shown

HELD_RATIOS = frozenset({"buy_and_hold_ratio", "buy_and_hold_return_ratio"})
HELD_QUOTES = frozenset({"buy_and_hold_quote"})
OUTPERFORMANCE = "outperformance_quote"


class Verdict(StrEnum):
    """What a cell's comparison says."""

    EQUAL = "equal"
    UNEXPLAINED = "unexplained"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class ListedCell:
    """A filled cell of a report: its English row, its place and what it shows."""

    row: str
    side: TradeSide
    column: Column
    text: str
    value: float
    decimals: int


@dataclass(frozen=True, slots=True)
class CellMatch:
    """A cell and our value of its metric (ratios 0-1)."""

    metric: Metric
    listed: str
    ours: float
    verdict: Verdict

    def ours_text(self) -> str:
        """Return our value as the report would show it, "-" where it is undefined."""
        if math.isnan(self.ours):
            return "-"
        return f"{shown_value(self.metric, self.ours):.{self.metric.decimals}f}"


@dataclass(frozen=True, slots=True)
class ReportMatch:
    """All cells compared, in the order of the table."""

    cells: tuple[CellMatch, ...]

    def count(self, verdict: Verdict) -> int:
        """Return how many cells have this verdict."""
        return sum(cell.verdict is verdict for cell in self.cells)

    @property
    def is_equal(self) -> bool:
        """Return whether no cell is different."""
        return not self.count(Verdict.DIFFERENT)


def compare_report(
    listed: Sequence[ListedCell], metrics: Mapping[str, float], result: Backtest
) -> ReportMatch:
    """Return how the cells of a report compare with the metrics of a run."""
    by_place = {(item.cell, item.side): item for item in TRADINGVIEW_METRICS}
    places = {(cell.row, cell.column, cell.side): cell for cell in listed}
    matches = []
    for (place, side), metric in by_place.items():
        assert place is not None
        cell = places.get((place.row, place.column, side))
        if cell is not None:
            ours = metrics[metric.name]
            verdict = _verdict(cell, metric, ours, metrics, result)
            matches.append(CellMatch(metric, cell.text, ours, verdict))
    return ReportMatch(tuple(matches))


def shown_value(metric: Metric, value: float) -> float:
    """Return a value in the unit in which a report shows it: percent, whole days."""
    if metric.unit is Unit.RATIO:
        return value * 100.0
    return float(math.floor(value)) if metric.unit is Unit.DAYS else value


def _verdict(
    cell: ListedCell,
    metric: Metric,
    ours: float,
    metrics: Mapping[str, float],
    result: Backtest,
) -> Verdict:
    if math.isnan(ours):
        return Verdict.DIFFERENT
    # A column drops trailing zeros, so what one cell shows may be fewer digits than it has.
    shown = Shown(cell.value, max(cell.decimals, metric.decimals), extends=False)
    if shown.admits(shown_value(metric, ours)):
        return Verdict.EQUAL
    if (bounds := _held_bounds(metric, metrics, result)) is not None:
        low, high = sorted(shown_value(metric, bound) for bound in bounds)
        half_digit = 0.5 * 10.0**-shown.decimals
        if low - half_digit <= cell.value <= high + half_digit:
            return Verdict.UNEXPLAINED
    return Verdict.DIFFERENT


def _held_bounds(
    metric: Metric, metrics: Mapping[str, float], result: Backtest
) -> tuple[float, float] | None:
    """Return a buy & hold metric at the low and at the high of the last bar, None for others."""
    klines = result.klines
    first = float(klines.open[min(result.start_bar, len(klines) - 1)])
    held = [float(price) / first - 1.0 for price in (klines.low[-1], klines.high[-1])]
    if metric.name in HELD_RATIOS:
        return held[0], held[1]
    capital, net = result.plan.capital_quote, metrics["net_profit_quote"]
    if metric.name in HELD_QUOTES:
        return capital * held[0], capital * held[1]
    if metric.name == OUTPERFORMANCE:
        return net - capital * held[1], net - capital * held[0]
    return None
