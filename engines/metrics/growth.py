"""What the account grew by: yearly growth, and what holding the market would have made."""

import math

from engines.metrics.ratios import DAYS_PER_YEAR, LOST


def cagr_ratio(return_ratio: float, days: float) -> float:
    """Return the yearly growth that makes `return_ratio` in `days`, NaN if all is lost."""
    if not return_ratio > LOST - 1.0 or days <= 0:
        return math.nan
    try:
        return float((1.0 + return_ratio) ** (DAYS_PER_YEAR / days) - 1.0)
    except OverflowError:
        return math.nan


def buy_and_hold(
    first_open: float, last_close: float, capital_quote: float, net_quote: float
) -> dict[str, float]:
    """Return what the capital would have made in the instrument, and by how much it was beaten."""
    held = last_close / first_open - 1.0
    return {
        "buy_and_hold_quote": capital_quote * held,
        "buy_and_hold_ratio": held,
        "buy_and_hold_return_ratio": held,
        "outperformance_quote": net_quote - capital_quote * held,
    }
