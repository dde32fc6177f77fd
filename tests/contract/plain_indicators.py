"""The indicators of the eleven strategies once more, from their textbook words, in pandas.

Nothing here knows engines/features: this is the second opinion that the strategies are held to.
"""

import numpy as np
import pandas as pd

Column = pd.Series


def mean(values: Column, period: int) -> Column:
    """Return the mean of each window, summed anew."""
    return windows(values, period).mean(axis=1)


def deviation(values: Column, period: int) -> Column:
    """Return the population deviation of each window."""
    return windows(values, period).std(axis=1, ddof=0)


def windows(values: Column, period: int) -> pd.DataFrame:
    """Return the window that ends on each bar as a row; NaN, and so no mean, while it is short."""
    lags = {lag: values.shift(lag) for lag in range(period)}
    table = pd.DataFrame(lags)
    return table.where(table.notna().all(axis=1))


def smoothed(values: Column, period: int, alpha: float) -> Column:
    """Return an exponential mean that begins with the mean of the first `period` values."""
    first = values.first_valid_index()
    if first is None or len(values.loc[first:]) < period:
        return values * np.nan
    known = values.loc[first:].copy()
    known.iloc[period - 1] = known.iloc[:period].mean()
    known.iloc[: period - 1] = np.nan
    return known.ewm(alpha=alpha, adjust=False).mean().reindex(values.index)


def ema(values: Column, period: int) -> Column:
    """Return TradingView's EMA."""
    return smoothed(values, period, 2 / (period + 1))


def rma(values: Column, period: int) -> Column:
    """Return Wilder's smoothing."""
    return smoothed(values, period, 1 / period)


def rsi(close: Column, period: int) -> Column:
    """Return Wilder's relative strength index; 100 without falls, else 0 without rises."""
    move = close.diff()
    rises, falls = rma(move.clip(lower=0), period), rma((-move).clip(lower=0), period)
    index = 100 - 100 / (1 + rises / falls)
    return index.mask(rises == 0, 0.0).mask(falls == 0, 100.0).where(rises.notna())


def atr(bars: pd.DataFrame, period: int) -> Column:
    """Return Wilder's average true range."""
    before = bars.close.shift()
    spans = [bars.high - bars.low, (bars.high - before).abs(), (bars.low - before).abs()]
    return rma(pd.concat(spans, axis=1).max(axis=1), period)


def crosses_above(a: Column, b: Column | float) -> Column:
    """Return where `a`, when both were last known at or below `b`, is above it."""
    gap = a - b
    return (gap > 0) & (gap.ffill().shift() <= 0)


def crosses_below(a: Column, b: Column | float) -> Column:
    """Return where `a`, when both were last known at or above `b`, is below it."""
    gap = a - b
    return (gap < 0) & (gap.ffill().shift() >= 0)


def before(condition: Column) -> Column:
    """Return the condition of the bar before, False on the first."""
    return condition.shift(fill_value=False)
