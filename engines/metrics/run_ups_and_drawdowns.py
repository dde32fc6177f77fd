"""How far equity rose and fell, close to close, inside bars and at bar closes.

Theory. *Closed* equity is capital plus the results of closed trades, one mark a trade in the order
of the list: TradingView's "close-to-close". It is cut into phases: a drawdown runs from a peak to
the lowest mark before the next higher one, a run-up from that low to the next peak (the last one to
the highest mark there is). The maximum is over all phases, capital being the first mark. The
average leaves out phases of a single trade and begins at the close of the first trade: with both,
one export (154 trades: three drawdowns of one trade and one of 44; five run-ups) is met in all four
of its averages, and without either it is not.

*Intrabar* excursions run between a realised and an open mark: a drawdown from the highest closed
equity to closed equity less the trade's MAE, a run-up from the lowest equity right after an entry
(its commission paid) to closed equity plus the trade's MFE. A paper profit never lifts the peak, a
paper loss never lowers the trough. A trade's result counts too, so that its worst mark is never
above what it came to, nor its best one below: MAE and MFE know prices and the entry's commission,
the result also funding and the exit's. Ratios are over the higher end. Several lots open at once
are besides marked together at the high and the low of every bar in which none of them is filled.
"""

import math
from dataclasses import dataclass

import numpy as np

from engines.klines import DAY_MS, Klines
from engines.metrics.columns import TradeColumns
from engines.metrics.trade_figures import mean
from engines.types import F64_1D, I64_1D


@dataclass(frozen=True, slots=True)
class Phases:
    """Rises or falls of closed equity: size [N] >= 0, marks spanned [N], time spanned [N]."""

    quote: F64_1D
    marks: I64_1D
    span_ms: I64_1D

    @property
    def quote_max(self) -> float:
        """Return the largest, 0 if equity never moved that way."""
        return float(self.quote.max()) if len(self.quote) else 0.0

    def means(self) -> tuple[float, float]:
        """Return the mean size and the mean days of phases of more than one trade, else NaN."""
        long = self.marks > 1
        return mean(self.quote[long]), mean(self.span_ms[long] / DAY_MS)


def phases(marks_quote: F64_1D, time_ms: I64_1D) -> tuple[Phases, Phases]:
    """Return the run-ups and the drawdowns of marks [K] at their times [K]."""
    below = marks_quote < np.maximum.accumulate(marks_quote)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], below, [False]))))
    peaks = [int(start) - 1 for start in edges[::2]]
    ends = [int(end) for end in edges[1::2]]
    lows = [start + int(marks_quote[start:end].argmin()) for start, end in pairwise_of(edges)]
    last = len(marks_quote) - 1
    if ends and ends[-1] == last + 1:  # never regained: the last rise ends at its highest mark
        tops = [*peaks, lows[-1] + int(marks_quote[lows[-1] :].argmax())]
    else:
        tops = [*peaks, last]
    rises = [(low, top) for low, top in zip([0, *lows], tops, strict=True) if top > low]
    falls = list(zip(peaks, lows, strict=True))
    return _measured(rises, marks_quote, time_ms), _measured(falls, marks_quote, time_ms)


def pairwise_of(edges: I64_1D) -> list[tuple[int, int]]:
    """Return edges two by two: where a stretch starts and where it has ended."""
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _measured(spans: list[tuple[int, int]], marks_quote: F64_1D, time_ms: I64_1D) -> Phases:
    starts = np.array([start for start, _ in spans], dtype=np.int64)
    ends = np.array([end for _, end in spans], dtype=np.int64)
    return Phases(
        np.abs(marks_quote[ends] - marks_quote[starts]),
        ends - starts,
        time_ms[ends] - time_ms[starts],
    )


def closed_swings(
    closed: TradeColumns, capital_quote: float, first_ms: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the close-to-close figures of run-ups and of drawdowns, keyed without their stem."""
    marks = capital_quote + np.cumsum(closed.pnl_quote)
    whole = phases(
        np.concatenate(([capital_quote], marks)), np.concatenate(([first_ms], closed.exit_time_ms))
    )
    none = Phases(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))
    inner = phases(marks, closed.exit_time_ms) if len(closed) else (none, none)
    found = []
    for largest_of, mean_of in zip(whole, inner, strict=True):
        size, days = mean_of.means()
        found.append(
            {
                "days_mean": days,
                "closed_quote_mean": size,
                "closed_ratio_mean": size / capital_quote,
                "closed_quote_max": largest_of.quote_max,
                "closed_ratio_max": largest_of.quote_max / capital_quote,
            }
        )
    return found[0], found[1]


@dataclass(frozen=True, slots=True)
class _Marks:
    """Open marks of equity with the closed peak and the trough that they are measured from."""

    best: F64_1D
    worst: F64_1D
    peak: F64_1D
    trough: F64_1D

    def swings(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the largest rise and the largest fall, each as (quote, ratio of its top)."""
        found = []
        for swing, top in (
            (np.maximum(self.best - self.trough, 0.0), np.maximum(self.best, self.trough)),
            (np.maximum(self.peak - self.worst, 0.0), self.peak),
        ):
            is_sound = bool((top > 0).all())
            ratio = float((swing / top).max(initial=0.0)) if is_sound else math.nan
            found.append((float(swing.max(initial=0.0)), ratio))
        return found[0], found[1]


def intrabar_swings(
    trades: TradeColumns, klines: Klines, capital_quote: float, point_value: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the intrabar figures of run-ups and of drawdowns, keyed without their stem."""
    by_lot = _marks_of_lots(trades, capital_quote).swings()
    by_bar = _marks_of_pyramids(trades, klines, capital_quote, point_value).swings()
    found = []
    for lot, bar in zip(by_lot, by_bar, strict=True):
        quote = float(np.maximum(lot[0], bar[0]))
        found.append(
            {
                "quote_max": quote,
                "ratio_max": float(np.maximum(lot[1], bar[1])),
                "capital_ratio_max": quote / capital_quote,
            }
        )
    return found[0], found[1]


def _marks_of_lots(trades: TradeColumns, capital_quote: float) -> _Marks:
    """Return the best and the worst mark of each trade, as if it were alone [K]."""
    before = capital_quote + trades.before_quote
    return _Marks(
        best=before + np.maximum(trades.mfe_quote, trades.pnl_quote),
        worst=before - np.maximum(trades.mae_quote, -trades.pnl_quote),
        peak=np.maximum.accumulate(before),
        trough=np.minimum.accumulate(before - trades.fee_entry_quote),
    )


def _marks_of_pyramids(
    trades: TradeColumns, klines: Klines, capital_quote: float, point_value: float
) -> _Marks:
    """Return the marks of several lots together, in bars in which none of them is filled.

    In such a bar the whole position meets both the high and the low. In the others the order of
    fills and extremes is not known any more; there each lot's own excursion has to do.
    """
    bars = len(klines)
    is_quiet = trades.held(np.ones(len(trades)), bars) > 1.5
    if not is_quiet.any():
        return _Marks(*(np.empty(0) for _ in range(4)))
    is_quiet[trades.entry_bar] = False
    closed = trades.where(~trades.is_open)
    is_quiet[closed.exit_bar] = False
    realised = np.cumsum(np.bincount(closed.exit_bar, closed.pnl_quote, bars))
    equity = capital_quote + realised
    signed_qty = trades.side * trades.qty
    settled = equity - trades.held(signed_qty * trades.entry_price, bars) * point_value
    settled -= trades.held(trades.fee_entry_quote, bars)
    qty = trades.held(signed_qty, bars) * point_value
    marks = (settled + qty * klines.high, settled + qty * klines.low)
    entries = np.full(bars, np.inf)
    np.minimum.at(
        entries, trades.entry_bar, capital_quote + trades.before_quote - trades.fee_entry_quote
    )
    return _Marks(
        best=np.maximum(*marks)[is_quiet],
        worst=np.minimum(*marks)[is_quiet],
        peak=np.maximum(np.maximum.accumulate(equity), capital_quote)[is_quiet],
        trough=np.minimum.accumulate(entries)[is_quiet],
    )


def drawdown_quote(equity_quote: F64_1D, capital_quote: float) -> F64_1D:
    """Return the fall of equity from its running maximum, capital included, >= 0 [T]."""
    peak = np.maximum(np.maximum.accumulate(equity_quote), capital_quote)
    fall: F64_1D = peak - equity_quote
    return fall


def fall_of_closed_quote_max(closed: TradeColumns, capital_quote: float) -> float:
    """Return the largest fall of closed equity from its running maximum, trade by trade."""
    if not len(closed):
        return 0.0
    return float(drawdown_quote(capital_quote + np.cumsum(closed.pnl_quote), capital_quote).max())


def drawdown_days_max(fall_quote: F64_1D, time_ms: I64_1D) -> float:
    """Return the longest time below an earlier peak in days, 0 if equity never fell.

    It runs from the mark of the peak to the mark that regains it, or to the last one.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], fall_quote > 0, [False]))))
    last = len(time_ms) - 1
    spans = [
        time_ms[min(end, last)] - time_ms[max(start - 1, 0)] for start, end in pairwise_of(edges)
    ]
    return float(max(spans, default=0)) / DAY_MS
