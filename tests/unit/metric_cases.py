"""Trades and runs that tests of metrics are made of."""

from collections.abc import Sequence

import numpy as np

from engines.backtest import Backtest
from engines.costs import Costs
from engines.equity import equity_curve
from engines.instrument import Instrument
from engines.klines import Klines
from engines.plan import Plan
from engines.trades import ExitReason, Side, Trade

JANUARY_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
INSTRUMENT = Instrument("TEST", tick_size=0.01, qty_step=0.001)


def trade_of(
    pnl: float,
    *,
    entry_bar: int = 0,
    exit_bar: int = 1,
    exit_ms: int | None = None,
    fee: float = 0.0,
    fee_entry: float = 0.0,
    side: Side = Side.BUY,
    qty: float = 1.0,
    mfe: float = 0.0,
    mae: float = 0.0,
    is_open: bool = False,
    exit_reason: ExitReason = ExitReason.SIGNAL,
    funding: float = 0.0,
    slippage: float = 0.0,
) -> Trade:
    """Return a trade from 100 with the result `pnl`, on hourly bars unless `exit_ms` is given."""
    return Trade(
        side=side, qty=qty, entry_bar=entry_bar, entry_time_ms=JANUARY_MS + entry_bar * HOUR_MS,
        entry_price=100.0, entry_name="in", exit_bar=exit_bar,
        exit_time_ms=JANUARY_MS + exit_bar * HOUR_MS if exit_ms is None else exit_ms,
        exit_price=100.0 + side * (pnl + fee) / qty, exit_name="out", pnl_quote=pnl,
        pnl_ratio=pnl / (100.0 * qty + fee_entry), fee_quote=fee, fee_entry_quote=fee_entry,
        mfe_quote=mfe, mfe_ratio=mfe / 100.0, mae_quote=mae, mae_ratio=mae / 100.0,
        cumulative_quote=0.0, is_open=is_open, exit_reason=exit_reason, funding_quote=funding,
        slippage_quote=slippage,
    )  # fmt: skip  # twenty fields of no interest


def hourly(close: Sequence[float]) -> Klines:
    """Return hourly bars that open at the close before, from 2025 on."""
    ends = np.array(close, dtype=np.float64)
    opens = np.concatenate((ends[:1], ends[:-1]))
    return Klines(
        symbol="TEST", interval_ms=HOUR_MS,
        open_time_ms=JANUARY_MS + HOUR_MS * np.arange(len(ends), dtype=np.int64), open=opens,
        high=np.maximum(opens, ends), low=np.minimum(opens, ends), close=ends,
        volume=np.ones(len(ends)),
    )  # fmt: skip  # columns in their order


def run_of(
    trades: Sequence[Trade],
    close: Sequence[float] = (100.0,) * 48,
    *,
    plan: Plan | None = None,
    start_bar: int = 0,
) -> Backtest:
    """Return a run that made these trades on these closes."""
    klines, plan = hourly(close), plan or Plan(capital_quote=1000.0)
    return Backtest(
        klines=klines,
        instrument=INSTRUMENT,
        plan=plan,
        costs=Costs(),
        start_bar=start_bar,
        trades=tuple(trades),
        fills=(),
        equity_quote=equity_curve(trades, klines, plan.capital_quote, 1.0),
        refusals={},
    )
