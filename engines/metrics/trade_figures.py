"""What the closed trades of a run add up to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engines.trades import Trade


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """Sums, averages and extremes of closed trades; NaN where no trade defines them.

    A trade with a result of exactly zero is neither a win nor a loss. Losses are shown as amounts
    above zero.

    - `win_ratio` = wins / trades.
    - `profit_factor` = gross profit / gross loss, NaN without a loss.
    - `expectancy_quote` = net profit / trades.
    - `bars_held_mean`: bars of a trade count its entry's and its exit's.
    - `sqn` = sqrt(trades) x mean result / sample standard deviation of results (Van Tharp's system
      quality number without his cap of 100 trades).
    """

    trades: int
    wins: int
    losses: int
    win_ratio: float
    net_profit_quote: float
    gross_profit_quote: float
    gross_loss_quote: float
    profit_factor: float
    expectancy_quote: float
    win_mean_quote: float
    loss_mean_quote: float
    win_max_quote: float
    loss_max_quote: float
    losses_in_a_row_max: int
    bars_held_mean: float
    fees_quote: float
    sqn: float


def trade_figures(closed: Sequence[Trade]) -> TradeFigures:
    """Return the figures of closed trades in the order of their exits."""
    results = np.array([trade.pnl_quote for trade in closed], dtype=np.float64)
    won, lost = results[results > 0], -results[results < 0]
    gross_profit, gross_loss = math.fsum(won), math.fsum(lost)
    count = len(closed)
    return TradeFigures(
        trades=count,
        wins=len(won),
        losses=len(lost),
        win_ratio=_over(len(won), count),
        net_profit_quote=math.fsum(results),
        gross_profit_quote=gross_profit,
        gross_loss_quote=gross_loss,
        profit_factor=_over(gross_profit, gross_loss),
        expectancy_quote=_over(math.fsum(results), count),
        win_mean_quote=_over(gross_profit, len(won)),
        loss_mean_quote=_over(gross_loss, len(lost)),
        win_max_quote=float(won.max()) if len(won) else math.nan,
        loss_max_quote=float(lost.max()) if len(lost) else math.nan,
        losses_in_a_row_max=_longest_run([trade.pnl_quote < 0 for trade in closed]),
        bars_held_mean=_over(sum(trade.bars_held for trade in closed), count),
        fees_quote=math.fsum(trade.fee_quote for trade in closed),
        sqn=_sqn(results.tolist()),
    )


def _sqn(results: Sequence[float]) -> float:
    if len(results) < 2:
        return math.nan
    spread = float(np.std(results, ddof=1))
    return _over(math.sqrt(len(results)) * float(np.mean(results)), spread)


def _longest_run(flags: Sequence[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
