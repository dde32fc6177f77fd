"""Ratios of return to risk: TradingView's Sharpe and Sortino, and those of daily returns.

Theory. TradingView takes calendar months in the exchange's time zone and closed equity: a trade's
result belongs to the month of its exit, every month from the first to the last counts, empty ones
and the partial last one too, and nothing is annualised. All others take equity at the end of every
UTC day; the annualised ones scale by the square root of 365, the days on which crypto trades. The
risk-free rate is 2 % a year. A return from equity that is not above zero, or no more than float
noise beside the capital, is NaN, and so is every figure that would need it.
"""

import math
from datetime import UTC, datetime
from functools import lru_cache
from statistics import NormalDist
from zoneinfo import ZoneInfo

import numpy as np

from engines.klines import DAY_MS
from engines.types import F64_1D, I64_1D

RISK_FREE_ANNUAL = 0.02
MONTHS_PER_YEAR = 12
DAYS_PER_YEAR = 365
# Of the capital: an account that has no more is gone. Sums of results differ by far less where they
# are added in another order, which must not tell whether anything is left.
LOST = 1e-9
TAIL = 0.05  # of the 95 % value at risk
EULER = 0.5772156649015329  # Euler-Mascheroni, in the expected maximum of Gaussian draws
NORMAL = NormalDist()


def monthly_returns(
    pnl_quote: F64_1D,
    exit_time_ms: I64_1D,
    capital_quote: float,
    first_ms: int,
    last_ms: int,
    time_zone: str,
) -> F64_1D:
    """Return the return of closed equity in each calendar month from `first_ms` to `last_ms`.

    Shape: results and exit times of trades [K] -> [months].
    r[m] = result of the trades that exit in month m / closed equity at the end of month m - 1.
    """
    starts = month_starts(first_ms, last_ms, ZoneInfo(time_zone))
    month = np.searchsorted(starts, exit_time_ms, side="right") - 1
    results = np.bincount(month, pnl_quote, len(starts)).astype(np.float64)
    return _returns(np.cumsum(results) + capital_quote, capital_quote)


def daily_returns(equity_quote: F64_1D, open_time_ms: I64_1D, capital_quote: float) -> F64_1D:
    """Return the return of equity in each UTC day that has a bar; the first is over capital."""
    day = open_time_ms // DAY_MS
    ends = np.flatnonzero(np.append(day[1:] != day[:-1], True))
    return _returns(equity_quote[ends], capital_quote)


def sharpe(returns: F64_1D, risk_free: float = RISK_FREE_ANNUAL / MONTHS_PER_YEAR) -> float:
    """Return (mean(r) - risk_free) / population standard deviation of r.

    NaN for fewer than two returns or returns that are all alike.
    Source: TradingView's Sharpe ratio, from its own exports.
    """
    spread = float(np.std(returns)) if len(returns) > 1 else 0.0
    return _over(float(np.mean(returns)) - risk_free if len(returns) else math.nan, spread)


def sortino(returns: F64_1D, risk_free: float = RISK_FREE_ANNUAL / MONTHS_PER_YEAR) -> float:
    """Return (mean(r) - risk_free) / sqrt(sum(min(r - risk_free, 0)^2) / N).

    NaN for fewer than two returns or none below the risk-free rate.
    Source: TradingView's Sortino ratio, from its own exports.
    """
    if len(returns) < 2:
        return math.nan
    below = np.minimum(returns - risk_free, 0.0)
    return _over(float(np.mean(returns)) - risk_free, math.sqrt(float(np.mean(below * below))))


def annualised(ratio: float) -> float:
    """Return a figure of daily returns that grows with the root of time, for 365 days."""
    return ratio * math.sqrt(DAYS_PER_YEAR)


def volatility(returns: F64_1D) -> float:
    """Return the sample standard deviation of returns, NaN for fewer than two."""
    return float(np.std(returns, ddof=1)) if len(returns) > 1 else math.nan


def stability_r2(returns: F64_1D) -> float:
    """Return the squared correlation of cumulative log returns with time, NaN if they are flat.

    Source: the stability of a time series in empyrical.
    """
    if len(returns) < 3 or not (returns > -1.0).all():
        return math.nan
    line = np.cumsum(np.log1p(returns))
    line -= line.mean()
    time = np.arange(len(line)) - (len(line) - 1) / 2
    return _over(float(line @ time) ** 2, float(line @ line) * float(time @ time))


def omega(returns: F64_1D) -> float:
    """Return the sum of gains over the sum of losses, NaN without a loss.

    Source: Keating and Shadwick (2002), threshold 0.
    """
    return _over(float(np.maximum(returns, 0.0).sum()), float(-np.minimum(returns, 0.0).sum()))


def gain_to_pain(returns: F64_1D) -> float:
    """Return the sum of returns over the sum of losses, NaN without a loss; Schwager (2012)."""
    return _over(float(returns.sum()), float(-np.minimum(returns, 0.0).sum()))


def tails(returns: F64_1D) -> tuple[float, float, float]:
    """Return (value at risk, conditional value at risk, tail ratio) at 95 %; losses above zero.

    NaN for fewer than two returns. The tail ratio is NaN unless the 95 % quantile is a gain and
    the 5 % quantile a loss.
    """
    if len(returns) < 2 or not np.isfinite(returns).all():
        return math.nan, math.nan, math.nan
    low, high = (float(value) for value in np.quantile(returns, (TAIL, 1.0 - TAIL)))
    ratio = high / -low if low < 0.0 < high else math.nan
    return -low, -float(returns[returns <= low].mean()), ratio


def sharpe_deflated_ratio(returns: F64_1D, risk_free: float, trials: int = 1) -> float:
    """Return the probability that the true Sharpe ratio beats the best of `trials` worthless ones.

    With one trial the bar is zero and this is the probabilistic Sharpe ratio. With more, the bar
    is the expected maximum of `trials` Sharpe ratios that are zero but for sampling, whose variance
    is 1 / (n - 1); a spread of the trials' own ratios needs all of them and belongs to research.
    Source: Bailey and López de Prado (2012, 2014).
    """
    count = len(returns)
    ratio = sharpe(returns, risk_free)
    if count < 3 or math.isnan(ratio):
        return math.nan
    centred = (returns - returns.mean()) / np.std(returns)
    skew, kurtosis = float(np.mean(centred**3)), float(np.mean(centred**4))
    variance = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio
    if variance <= 0:
        return math.nan
    bar = 0.0
    if trials > 1:
        draws = (NORMAL.inv_cdf(1 - 1 / trials), NORMAL.inv_cdf(1 - 1 / (trials * math.e)))
        bar = ((1 - EULER) * draws[0] + EULER * draws[1]) / math.sqrt(count - 1)
    return NORMAL.cdf((ratio - bar) * math.sqrt(count - 1) / math.sqrt(variance))


@lru_cache(maxsize=32)  # of the same bars, run after run
def month_starts(first_ms: int, last_ms: int, zone: ZoneInfo) -> I64_1D:
    """Return when each month from that of `first_ms` to that of `last_ms` begins in a zone."""
    first, last = (_month(time_ms, zone) for time_ms in (first_ms, last_ms))
    starts = [
        datetime(month // MONTHS_PER_YEAR, month % MONTHS_PER_YEAR + 1, 1, tzinfo=zone)
        for month in range(first, last + 1)
    ]
    found = np.array([round(start.timestamp() * 1000) for start in starts], dtype=np.int64)
    found.flags.writeable = False
    return found


def _month(time_ms: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone)
    return local.year * MONTHS_PER_YEAR + local.month - 1


def _returns(equity_quote: F64_1D, capital_quote: float) -> F64_1D:
    """Return the returns between marks of equity; NaN from a mark at which all is lost."""
    before = np.append(capital_quote, equity_quote[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns: F64_1D = np.where(
            before > LOST * capital_quote, equity_quote / before - 1.0, np.nan
        )
    return returns


def _over(numerator: float, denominator: float) -> float:
    # Returns that differ by float noise only have no spread.
    return numerator / denominator if denominator > 1e-15 else math.nan
