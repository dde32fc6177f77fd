"""The USD value of one USDT on each UTC day, as all the ETHUSDT lists together fix it.

TradingView converts each result at one rate a day, the same in every list. Every cell shown bounds
that day's rate: a result of p USD from a gain of g USDT means (p +/- half a cent) / g, a quantity q
bought with m USD at a close c means m / (c * rate) truncates to q. The intersection of all bounds
is empty unless every list agrees on one constant a day, so a day without a rate is a failure of the
broker, not of the rates. The running sums of the lists tie the days together: inside the bounds,
least squares finds the rates that fit the sums best.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engines.costs import CommissionKind
from engines.klines import DAY_MS, Klines
from engines.parity import ListedTrade, Shown
from engines.plan import SizingKind
from engines.types import F64_1D
from tests.parity.case import Case

HALF_A_CENT = 0.005
QTY_STEP = 0.0001
F64_2D: TypeAlias = npt.NDArray[np.float64]
# A fitted rate stays this share of the way from the middle to its bound.
INSIDE = 0.8
# The table of bounds shows seven decimals.
TABLE_ROUNDING = 1e-7


@dataclass(frozen=True)
class Bound:
    """What one cell says about the rate of one day."""

    day: int
    low: float
    high: float
    source: str


def fit_rates(
    lists: Mapping[str, tuple[Case, tuple[ListedTrade, ...]]],
    klines: Klines,
    known: Mapping[int, tuple[float, float]],
) -> dict[int, float]:
    """Return a rate for each day (days since the epoch) inside every bound.

    Raises: AssertionError naming the two cells that contradict each other.
    """
    limits = {
        day: (low - TABLE_ROUNDING, "table", high + TABLE_ROUNDING, "table")
        for day, (low, high) in known.items()
    }
    for name, (case, trades) in lists.items():
        for bound in (*_results(name, case, trades), *_sizes(name, case, trades, klines)):
            low, low_source, high, high_source = limits.get(bound.day, (0.0, "", 9.0, ""))
            if bound.low > low:
                low, low_source = bound.low, bound.source
            if bound.high < high:
                high, high_source = bound.high, bound.source
            assert low <= high, f"{low_source} and {high_source} need different rates that day"
            limits[bound.day] = (low, low_source, high, high_source)
    return _fit_sums(lists, {day: (low, high) for day, (low, _, high, _) in limits.items()})


def _fit_sums(
    lists: Mapping[str, tuple[Case, tuple[ListedTrade, ...]]],
    days: Mapping[int, tuple[float, float]],
) -> dict[int, float]:
    """Return the rates that fit every running sum best while staying near the middle of `days`."""
    column = {day: index for index, day in enumerate(days)}
    middle = np.array([(low + high) / 2 for low, high in days.values()])
    doubt = np.array([(high - low) / 2 for low, high in days.values()])
    # Normal equations of the deviations, each measured in its own doubt.
    normal, target = np.eye(len(days)), np.zeros(len(days))
    for case, trades in lists.values():
        gains, sums = _running_gains(case, trades, column)
        scaled = gains * doubt / HALF_A_CENT
        normal += scaled.T @ scaled
        target += scaled.T @ ((sums - gains @ middle) / HALF_A_CENT)
    fitted = middle + doubt * np.clip(np.linalg.solve(normal, target), -INSIDE, INSIDE)
    return dict(zip(days, fitted.tolist(), strict=True))


def _running_gains(
    case: Case, trades: tuple[ListedTrade, ...], column: Mapping[int, int]
) -> tuple[F64_2D, F64_1D]:
    """Return the gains so far by day in USDT [K, D] and the running sums before commission [K]."""
    closed = [trade for trade in trades if not trade.is_open]
    gains, sums = np.zeros((len(closed), len(column))), np.zeros(len(closed))
    paid = 0.0
    for index, trade in enumerate(closed):
        assert trade.exit_time_ms is not None
        assert trade.exit_price is not None
        assert trade.cumulative is not None
        gain = trade.side * (trade.exit_price - trade.entry_price) * trade.qty
        gains[index, column[trade.exit_time_ms // DAY_MS]] = gain
        paid += _fees(case, trade)
        sums[index] = trade.cumulative.value + paid
        if case.costs.commission:
            # The entry commission of what is still open is off the running sum already. These
            # lists enter before they close at one open.
            still_open = [t for t in closed[index + 1 :] if t.entry_time_ms <= trade.exit_time_ms]
            sums[index] += sum(_fees(case, t) / 2 for t in still_open)
    return np.cumsum(gains, axis=0), sums


def _fees(case: Case, trade: ListedTrade) -> float:
    """Return the commission of both fills in account currency."""
    fee = 2 * case.costs.commission
    return fee * trade.qty if case.costs.commission_kind is CommissionKind.PER_CONTRACT else fee


def _results(name: str, case: Case, trades: tuple[ListedTrade, ...]) -> Iterator[Bound]:
    for trade in trades:
        if trade.is_open or trade.exit_time_ms is None or trade.exit_price is None:
            continue
        fee = _fees(case, trade)
        gain = trade.side * (trade.exit_price - trade.entry_price) * trade.qty
        exit_day = trade.exit_time_ms // DAY_MS
        yield from _cell(exit_day, trade.pnl, gain, fee, f"P&L of {name} {trade.number}")


def _cell(day: int, shown: Shown | None, gain: float, fee: float, source: str) -> Iterator[Bound]:
    if shown is None or abs(gain) < HALF_A_CENT:
        return
    edges = (shown.value - HALF_A_CENT + fee) / gain, (shown.value + HALF_A_CENT + fee) / gain
    yield Bound(day, min(edges), max(edges), source)


def _sizes(
    name: str, case: Case, trades: tuple[ListedTrade, ...], klines: Klines
) -> Iterator[Bound]:
    sizing, capital = case.plan.sizing, case.plan.capital_quote
    if sizing.kind is SizingKind.QTY:
        return
    equity, doubt = capital, 0.0
    for trade in trades:
        money, slack = sizing.value, 0.0
        if sizing.kind is SizingKind.EQUITY_RATIO:
            money, slack = sizing.value * equity, sizing.value * doubt
            if case.costs.commission_kind is CommissionKind.PER_ORDER:
                money -= case.costs.commission
        decided = klines.index_at(trade.entry_time_ms) - 1
        close, day = float(klines.close[decided]), int(klines.open_time_ms[decided]) // DAY_MS
        low = (money - slack) / (close * (trade.qty + QTY_STEP))
        yield Bound(
            day, low, (money + slack) / (close * trade.qty), f"size of {name} {trade.number}"
        )
        if trade.cumulative is not None:
            equity, doubt = capital + trade.cumulative.value, HALF_A_CENT
