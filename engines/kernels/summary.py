"""The figures that a sweep keeps of a set, from sums that grow trade by trade: `metrics` again.

Theory. No figure of the summary needs the curve of equity. What closed trades add up to is summed
as they close, in the order of the list; the spread of results and of monthly returns is kept as a
mean and the squares around it, both moved by each value (Welford), which loses nothing where values
are alike. A month ends when a bar of a later one comes; its return then follows from closed equity
(`metrics.ratios`). The drawdown inside bars follows from the worst mark of each trade and from the
stretches that several trades share (`metrics.run_ups_and_drawdowns`): who knows them says them.

The sums lie SUMS_SIZE places long in the caller's array, from `first` on; the caller decides what a
trade is and in which order they come. Closed equity is rounded as the reference rounds it, so the
monthly returns and closed drawdowns are its doubles; other sums are added one by one where it uses
`math.fsum` or NumPy's pairs, and differ by rounding.
Source: Welford (1962), "Note on a method for calculating corrected sums of squares and products".
"""

import math

from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import Run
from engines.metrics.ratios import DAYS_PER_YEAR, LOST, MONTHS_PER_YEAR, RISK_FREE_ANNUAL

SUMMARY = (
    "net_profit_quote", "return_ratio", "cagr_ratio", "drawdown_closed_quote_max",
    "drawdown_quote_max", "drawdown_ratio_max", "trades", "wins", "win_ratio", "profit_factor",
    "expectancy_quote", "sharpe", "sortino", "calmar", "bars_held_mean", "exposure_ratio",
    "fees_quote", "funding_quote", "liquidations", "win_quote_max", "loss_quote_max",
    "losses_in_a_row_max", "sqn", "recovery_factor",
)  # fmt: skip # one list
FIGURES = len(SUMMARY)

(
    CAPITAL, NET_PROFIT, TRADES, WINS, GAINS, LOSSES, FEES, FUNDING, LIQUIDATIONS, BARS_HELD,
    PNL_MEAN, PNL_SQUARES, PNL_MAX, PNL_MIN, LOSSES_IN_A_ROW, LOSSES_IN_A_ROW_MAX, CLOSED_PEAK,
    CLOSED_FALL_MAX, BEFORE, BEFORE_PEAK, FALL_MAX, FALL_RATIO_MAX, BARS_EXPOSED, EXPOSED_FROM,
    MONTH_PNL, MONTHS_PNL, MONTH_EQUITY, MONTHS, MONTH_MEAN, MONTH_SQUARES, MONTH_SHORTFALLS,
    SUMS_SIZE,
) = range(32)  # fmt: skip # one list

RISK_FREE = RISK_FREE_ANNUAL / MONTHS_PER_YEAR
SAME_RETURNS = 1e-15  # a spread of returns up to here is float noise; so in `metrics.ratios`
SAME_RESULTS = 1e-12  # the same for results, over their mean; so in `metrics.trade_figures`


@rule
def begin_sums(sums: Run, first: int, capital_quote: float) -> None:
    """Put the sums into the state before the first trade."""
    for place in range(first, first + SUMS_SIZE):
        sums[place] = 0.0
    for offset in (CAPITAL, CLOSED_PEAK, BEFORE_PEAK, MONTH_EQUITY):
        sums[first + offset] = capital_quote


@inlined
def add_result(
    sums: Run, first: int, pnl: float, fees: float, funding: float, bars_held: float
) -> None:
    """Add a trade that has closed."""
    sums[first + NET_PROFIT] += pnl
    sums[first + TRADES] += 1
    sums[first + FEES] += fees
    sums[first + FUNDING] += funding
    sums[first + BARS_HELD] += bars_held
    sums[first + MONTH_PNL] += pnl
    away = pnl - sums[first + PNL_MEAN]
    sums[first + PNL_MEAN] += away / sums[first + TRADES]
    sums[first + PNL_SQUARES] += away * (pnl - sums[first + PNL_MEAN])
    if pnl > 0:
        sums[first + WINS] += 1
        sums[first + GAINS] += pnl
        sums[first + PNL_MAX] = max(sums[first + PNL_MAX], pnl)
    if pnl < 0:
        sums[first + LOSSES] -= pnl
        sums[first + PNL_MIN] = min(sums[first + PNL_MIN], pnl)
        sums[first + LOSSES_IN_A_ROW] += 1
        in_a_row = sums[first + LOSSES_IN_A_ROW]
        sums[first + LOSSES_IN_A_ROW_MAX] = max(sums[first + LOSSES_IN_A_ROW_MAX], in_a_row)
    else:
        sums[first + LOSSES_IN_A_ROW] = 0.0
    capital_quote, net = sums[first + CAPITAL], sums[first + NET_PROFIT]
    sums[first + CLOSED_PEAK] = max(sums[first + CLOSED_PEAK], capital_quote + net)
    fall = sums[first + CLOSED_PEAK] - (capital_quote + net)
    sums[first + CLOSED_FALL_MAX] = max(sums[first + CLOSED_FALL_MAX], fall)
    _stand_before(sums, first, capital_quote + (net - pnl))


@rule
def add_open(sums: Run, first: int, fees: float, funding: float) -> None:
    """Add a trade that is still open at the end: what it has paid."""
    sums[first + FEES] += fees
    sums[first + FUNDING] += funding
    _stand_before(sums, first, sums[first + CAPITAL] + sums[first + NET_PROFIT])


@rule
def _stand_before(sums: Run, first: int, before: float) -> None:
    """Note the closed equity before a trade, and the highest before any so far."""
    sums[first + BEFORE] = before
    sums[first + BEFORE_PEAK] = max(sums[first + BEFORE_PEAK], before)


@rule
def may_deepen(sums: Run, first: int, peak: float, worst: float) -> bool:
    """Return whether a mark of equity as low as `worst` after `peak` is the deepest so far."""
    fall = peak - worst
    return fall > sums[first + FALL_MAX] or fall / peak > sums[first + FALL_RATIO_MAX]


@rule
def add_fall(sums: Run, first: int, peak: float, worst: float) -> None:
    """Add a mark of equity after a peak, which is above zero."""
    fall = max(peak - worst, 0.0)
    deepen(sums, first, fall, fall / peak)


@rule
def deepen(sums: Run, first: int, fall: float, fall_ratio: float) -> None:
    """Add a fall inside bars, which may be the deepest in money or in relation to its peak."""
    sums[first + FALL_MAX] = max(sums[first + FALL_MAX], fall)
    sums[first + FALL_RATIO_MAX] = max(sums[first + FALL_RATIO_MAX], fall_ratio)


@rule
def add_exposure(sums: Run, first: int, entry_bar: float, exit_bar: float) -> None:
    """Add the bars of a position, both ends counted; those that count already are left out."""
    start = max(entry_bar, sums[first + EXPOSED_FROM])
    sums[first + BARS_EXPOSED] += max(0.0, exit_bar + 1 - start)
    sums[first + EXPOSED_FROM] = max(sums[first + EXPOSED_FROM], exit_bar + 1)


@rule
def end_month(sums: Run, first: int) -> None:
    """Turn the results of the month that ends into its return."""
    sums[first + MONTHS_PNL] += sums[first + MONTH_PNL]
    sums[first + MONTH_PNL] = 0.0
    before, equity = sums[first + MONTH_EQUITY], sums[first + MONTHS_PNL] + sums[first + CAPITAL]
    sums[first + MONTH_EQUITY] = equity
    gained = equity / before - 1 if before > LOST * sums[first + CAPITAL] else math.nan
    sums[first + MONTHS] += 1
    away = gained - sums[first + MONTH_MEAN]
    sums[first + MONTH_MEAN] += away / sums[first + MONTHS]
    sums[first + MONTH_SQUARES] += away * (gained - sums[first + MONTH_MEAN])
    below = gained - RISK_FREE
    if not below >= 0:  # NaN counts, so that it shows
        sums[first + MONTH_SHORTFALLS] += below * below


@rule
def finish(sums: Run, first: int, days: float, bars: float, figures: Run, start: int) -> None:
    """Write the summary into `figures`, from `start` on; its months have ended.

    `days` and `bars` count from the first traded bar's open to the last one's close.
    """
    capital_quote, net = sums[first + CAPITAL], sums[first + NET_PROFIT]
    trades = sums[first + TRADES]
    wins, losses = sums[first + WINS], sums[first + LOSSES]
    closed_fall, fall_ratio = sums[first + CLOSED_FALL_MAX], sums[first + FALL_RATIO_MAX]
    growth = _cagr_ratio(net / capital_quote, days)
    sharpe, sortino = _monthly_ratios(sums, first)
    found = (
        net, net / capital_quote, growth, closed_fall, sums[first + FALL_MAX], fall_ratio, trades,
        wins, _over(wins, trades), _over(sums[first + GAINS], losses), _over(net, trades), sharpe,
        sortino, _over(growth, fall_ratio), _over(sums[first + BARS_HELD], trades),
        sums[first + BARS_EXPOSED] / bars, sums[first + FEES], sums[first + FUNDING],
        sums[first + LIQUIDATIONS], sums[first + PNL_MAX] if wins > 0 else math.nan,
        -sums[first + PNL_MIN] if losses > 0 else math.nan, sums[first + LOSSES_IN_A_ROW_MAX],
        _quality(sums, first), _over(net, closed_fall),
    )  # fmt: skip # the order of SUMMARY
    for place in range(FIGURES):
        value = found[place]
        figures[start + place] = value if math.isfinite(value) else math.nan


@rule
def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator != 0 else math.nan


@rule
def _cagr_ratio(return_ratio: float, days: float) -> float:
    if not return_ratio > LOST - 1.0 or days <= 0:
        return math.nan
    return float((1 + return_ratio) ** (DAYS_PER_YEAR / days) - 1)


@rule
def _monthly_ratios(sums: Run, first: int) -> tuple[float, float]:
    """Return Sharpe and Sortino; NaN for fewer than two months or months without a spread."""
    months = sums[first + MONTHS]
    if months < 2:
        return math.nan, math.nan
    excess = sums[first + MONTH_MEAN] - RISK_FREE
    spread = math.sqrt(sums[first + MONTH_SQUARES] / months)
    shortfall = math.sqrt(sums[first + MONTH_SHORTFALLS] / months)
    return (
        excess / spread if spread > SAME_RETURNS else math.nan,
        excess / shortfall if shortfall > SAME_RETURNS else math.nan,
    )


@rule
def _quality(sums: Run, first: int) -> float:
    """Return the system quality number, NaN for fewer than two results or equal ones."""
    trades, mean = sums[first + TRADES], sums[first + PNL_MEAN]
    if trades < 2:
        return math.nan
    spread = math.sqrt(sums[first + PNL_SQUARES] / (trades - 1))
    return math.sqrt(trades) * mean / spread if spread > abs(mean) * SAME_RESULTS else math.nan
