"""Make a run of a list of trades: what TradingView's report says of them can then be computed.

Theory. A list shows prices and quantities in full but rounds money to cents, and sums of 154
rounded results miss the report's last digit. So results and commissions are computed from prices,
quantities and costs, and the list only confirms them. Excursions depend on the path inside the
entry's and the exit's bar, which a list does not show; but the extreme price of a trade is nearly
always the high or low of one of its bars, and where that price gives what the list shows it is
taken. Where none does, the listed amount stands.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from engines.backtest import Backtest
from engines.costs import Costs
from engines.equity import equity_curve
from engines.errors import TradeListFault
from engines.instrument import Instrument
from engines.klines import Klines, time_text
from engines.parity import ListedTrade, Shown
from engines.plan import Plan
from engines.trades import OPEN_AT_END, ExitReason, Trade


def listed_run(
    listed: Sequence[ListedTrade],
    klines: Klines,
    instrument: Instrument,
    plan: Plan,
    costs: Costs,
    *,
    since_ms: int | None = None,
    margin_calls: Collection[int] = (),
) -> Backtest:
    """Return the run that made these trades on these bars.

    `margin_calls` are the numbers of the trades that a margin call ended.

    Raises: TradeListFault for a trade outside the bars or in a gap of them, or whose listed result
    is not that of its prices and these costs.
    """
    trades = [
        _trade(trade, klines, instrument, costs, is_call=trade.number in margin_calls)
        for trade in listed
    ]
    capital = plan.capital_quote
    return Backtest(
        klines=klines,
        instrument=instrument,
        plan=plan,
        costs=costs,
        start_bar=0 if since_ms is None else klines.index_at(since_ms),
        trades=tuple(trades),
        fills=(),
        equity_quote=equity_curve(trades, klines, capital, instrument.point_value),
        refusals={},
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a listed trade lies on the bars, and at what price it ended or is valued."""

    entry_bar: int
    exit_bar: int
    exit_price: float


def _trade(
    listed: ListedTrade, klines: Klines, instrument: Instrument, costs: Costs, *, is_call: bool
) -> Trade:
    span = _span(listed, klines)
    point, qty, side = instrument.point_value, listed.qty, listed.side
    cost = qty * listed.entry_price * point
    fee_entry = costs.fee(qty, cost)
    fee = fee_entry + costs.fee(qty, qty * span.exit_price * point)
    pnl = side * qty * (span.exit_price - listed.entry_price) * point - fee
    _require_listed(listed, pnl)
    prices = _extremes(span, klines)
    results = [side * qty * (price - listed.entry_price) * point - fee_entry for price in prices]
    best = _excursion(listed.mfe, [max(0.0, result) for result in results])
    worst = _excursion(listed.mae, [max(0.0, -result) for result in results])
    paid = cost + fee_entry
    return Trade(
        side=side,
        qty=qty,
        entry_bar=span.entry_bar,
        entry_time_ms=listed.entry_time_ms,
        entry_price=listed.entry_price,
        entry_name=listed.entry_name,
        exit_bar=span.exit_bar,
        exit_time_ms=int(klines.open_time_ms[span.exit_bar]),
        exit_price=span.exit_price,
        exit_name=OPEN_AT_END if listed.is_open else listed.exit_name,
        pnl_quote=pnl,
        pnl_ratio=pnl / paid,
        fee_quote=fee,
        fee_entry_quote=fee_entry,
        mfe_quote=best,
        mfe_ratio=best / paid,
        mae_quote=worst,
        mae_ratio=worst / paid,
        cumulative_quote=math.nan if listed.cumulative is None else listed.cumulative.value,
        is_open=listed.is_open,
        exit_reason=ExitReason.MARGIN_CALL if is_call else ExitReason.SIGNAL,
    )


def _require_listed(listed: ListedTrade, pnl_quote: float) -> None:
    """Raise TradeListFault unless a closed trade's result is shown as listed."""
    if listed.is_open or listed.pnl is None or listed.pnl.admits(pnl_quote):
        return
    raise TradeListFault(
        f"result of trade {listed.number}",
        f"{listed.pnl.value:g} as listed",
        f"{pnl_quote:.2f} by its prices and the costs given (--commission, --point-value)",
    )


def _span(listed: ListedTrade, klines: Klines) -> _Span:
    entry_bar = _bar(listed, listed.entry_time_ms, "entry", klines)
    if listed.is_open or listed.exit_time_ms is None or listed.exit_price is None:
        return _Span(entry_bar, len(klines) - 1, float(klines.close[-1]))
    exit_bar = _bar(listed, listed.exit_time_ms, "exit", klines)
    if exit_bar < entry_bar:
        raise TradeListFault(
            f"trade {listed.number}",
            f"an exit not before its entry at {time_text(listed.entry_time_ms)}",
            time_text(listed.exit_time_ms),
        )
    return _Span(entry_bar, exit_bar, listed.exit_price)


def _bar(listed: ListedTrade, time_ms: int, what: str, klines: Klines) -> int:
    """Return the bar that a listed time lies in.

    Raises: TradeListFault if there is none.
    """
    bar = klines.index_at(time_ms + 1) - 1
    if bar < 0 or time_ms >= int(klines.open_time_ms[bar]) + klines.interval_ms:
        first, last = int(klines.open_time_ms[0]), int(klines.close_time_ms[-1])
        raise TradeListFault(
            f"{what} of trade {listed.number}",
            f"a time with a bar of {klines.symbol}, {time_text(first)} to {time_text(last)}",
            time_text(time_ms),
        )
    return bar


def _extremes(span: _Span, klines: Klines) -> list[float]:
    """Return the prices at which a trade may have been at its best or worst."""
    prices = [span.exit_price]
    for column in (klines.high, klines.low):
        inner = column[span.entry_bar + 1 : span.exit_bar]
        if len(inner):
            prices += [float(inner.max()), float(inner.min())]
        prices += [float(column[span.entry_bar]), float(column[span.exit_bar])]
    return prices


def _excursion(listed: Shown | None, amounts: Sequence[float]) -> float:
    """Return the amount that is shown as listed, else the listed one, NaN if none is listed."""
    if listed is None:
        return math.nan
    shown = replace(listed, value=abs(listed.value))
    return next((amount for amount in amounts if shown.admits(amount)), shown.value)
