"""What closed trades add up to: sums, averages and extremes, for any set of them.

A trade with a result of exactly zero is neither a win nor a loss. Losses are amounts above zero.
What no trade defines is NaN; sums and counts of no trades are zero, because that is what they are.
"""

import math
from collections.abc import Sequence

import numpy as np

from engines.metrics.columns import TradeColumns
from engines.types import BOOL_1D, F64_1D


def over(numerator: float, denominator: float) -> float:
    """Return a quotient, NaN where the denominator is zero or either side is undefined."""
    return numerator / denominator if denominator else math.nan


def mean(values: F64_1D) -> float:
    """Return the mean, NaN of nothing; the sum is exact."""
    return over(math.fsum(values), len(values))


def largest(values: F64_1D) -> float:
    """Return the largest value, NaN of nothing."""
    return float(values.max()) if len(values) else math.nan


def trade_figures(closed: TradeColumns, capital_quote: float) -> dict[str, float]:
    """Return the figures of closed trades, by their names in the table without a side."""
    pnl, share = closed.pnl_quote, closed.pnl_ratio
    won, lost = pnl > 0, pnl < 0
    bars = (closed.exit_bar - closed.entry_bar + 1).astype(np.float64)
    count, wins, losses = len(closed), int(won.sum()), int(lost.sum())
    gross_profit, gross_loss = math.fsum(pnl[won]), math.fsum(-pnl[lost])
    net = math.fsum(pnl)
    win_mean, loss_mean = over(gross_profit, wins), over(gross_loss, losses)
    return {
        "net_profit_quote": net,
        "net_profit_ratio": net / capital_quote,
        "return_ratio": net / capital_quote,
        "gross_profit_quote": gross_profit,
        "gross_profit_ratio": gross_profit / capital_quote,
        "gross_loss_quote": gross_loss,
        "gross_loss_ratio": gross_loss / capital_quote,
        "expectancy_quote": over(net, count),
        "trades": count,
        "wins": wins,
        "losses": losses,
        "breakevens": count - wins - losses,
        "win_ratio": over(wins, count),
        "pnl_quote_mean": over(net, count),
        "pnl_ratio_mean": mean(share),
        "win_quote_mean": win_mean,
        "loss_quote_mean": loss_mean,
        "payoff": over(win_mean, loss_mean),
        "bars_held_mean": mean(bars),
        "bars_held_wins_mean": mean(bars[won]),
        "bars_held_losses_mean": mean(bars[lost]),
        "profit_factor": over(gross_profit, gross_loss),
        "margin_calls": int(closed.is_margin_call.sum()),
        "kelly_ratio": kelly_ratio(over(wins, count), over(win_mean, loss_mean)),
        **_extremes(pnl, share),
    }


def _extremes(pnl_quote: F64_1D, pnl_ratio: F64_1D) -> dict[str, float]:
    """Return the largest win and loss, what they are of the whole, and the mean ratios."""
    won, lost = pnl_quote > 0, pnl_quote < 0
    win_max, loss_max = largest(pnl_quote[won]), largest(-pnl_quote[lost])
    return {
        "win_quote_max": win_max,
        "win_ratio_max": largest(pnl_ratio[won]),
        "win_ratio_mean": mean(pnl_ratio[won]),
        "win_to_gross_profit_ratio": over(win_max, math.fsum(pnl_quote[won])),
        "loss_quote_max": loss_max,
        "loss_ratio_max": largest(-pnl_ratio[lost]),
        "loss_ratio_mean": mean(-pnl_ratio[lost]),
        "loss_to_gross_loss_ratio": over(loss_max, math.fsum(-pnl_quote[lost])),
        "net_profit_to_loss_ratio": over(math.fsum(pnl_quote), loss_max),
    }


def kelly_ratio(win_ratio: float, payoff: float) -> float:
    """Return the share of capital that grows fastest: p - (1 - p) / b, below zero for a loser.

    Source: Kelly (1956), for bets that lose all of the stake or win `payoff` times it.
    """
    return win_ratio - over(1.0 - win_ratio, payoff)


def sqn(pnl_quote: F64_1D) -> float:
    """Return sqrt(trades) x mean / sample deviation of results; NaN if they do not differ.

    Source: Tharp (2008), system quality number, without his cap of 100 trades.
    """
    if len(pnl_quote) < 2:
        return math.nan
    spread = float(np.std(pnl_quote, ddof=1))
    centre = float(np.mean(pnl_quote))
    # Results that differ by float noise only have no spread.
    return math.sqrt(len(pnl_quote)) * centre / spread if spread > abs(centre) * 1e-12 else math.nan


def longest_run(flags: BOOL_1D | Sequence[bool]) -> int:
    """Return the length of the longest unbroken run of True."""
    edges = np.diff(np.concatenate(([0], np.asarray(flags, dtype=np.int64), [0])))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return int(lengths.max()) if len(lengths) else 0
