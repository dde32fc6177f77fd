"""Measure a run: a value for every metric of the table.

1. `columns`: the trades as arrays, once; closed ones, and those of each side.
2. `trade_figures`: what closed trades add up to, for all, long and short.
3. `run_ups_and_drawdowns`, `margin`, `growth`, `ratios`: the rest, from trades, bars and equity.

Two equities are in use and each figure says which. *Closed* equity is capital plus the results of
closed trades. *Equity* is marked at every bar's close and holds the open result too. What is
undefined is NaN: a profit factor without a loss, a ratio without spread, the yearly growth of an
account that is gone. Nothing is infinite.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engines.instrument import Instrument
from engines.klines import DAY_MS, Klines
from engines.metrics.columns import TradeColumns, trade_columns
from engines.metrics.growth import buy_and_hold, cagr_ratio
from engines.metrics.margin import exposure_ratio, margin_used_quote
from engines.metrics.ratios import (
    DAYS_PER_YEAR,
    RISK_FREE_ANNUAL,
    annualised,
    daily_returns,
    gain_to_pain,
    monthly_returns,
    omega,
    sharpe,
    sharpe_deflated_ratio,
    sortino,
    stability_r2,
    tails,
    volatility,
)
from engines.metrics.run_ups_and_drawdowns import (
    closed_swings,
    drawdown_days_max,
    drawdown_quote,
    fall_of_closed_quote_max,
    intrabar_swings,
)
from engines.metrics.table import METRICS, TradeSide
from engines.metrics.trade_figures import longest_run, over, sqn, trade_figures
from engines.plan import Plan
from engines.trades import Side, Trade
from engines.types import BOOL_1D, F64_1D, I64_1D

SIGNS = {TradeSide.LONG: int(Side.BUY), TradeSide.SHORT: int(Side.SELL)}
RISK_FREE_DAILY = RISK_FREE_ANNUAL / DAYS_PER_YEAR


class Result(Protocol):
    """What is measured: a `Backtest`, or any run that has its trades as columns already."""

    @property
    def klines(self) -> Klines:
        """Return the bars."""
        ...

    @property
    def instrument(self) -> Instrument:
        """Return what was traded."""
        ...

    @property
    def plan(self) -> Plan:
        """Return the plan that ran."""
        ...

    @property
    def start_bar(self) -> int:
        """Return the first bar that counts."""
        ...

    @property
    def trades(self) -> Sequence[Trade] | TradeColumns:
        """Return the trades, the ones still open among them."""
        ...

    @property
    def equity_quote(self) -> F64_1D:
        """Return equity at each close [T]."""
        ...


@dataclass(frozen=True)
class _Run:
    """What all steps read: the result, its trades as columns and the bars from `start` on."""

    result: Result
    trades: TradeColumns
    start: int
    times: I64_1D
    equity: F64_1D
    days: float

    @property
    def capital(self) -> float:
        return self.result.plan.capital_quote

    @property
    def point_value(self) -> float:
        return self.result.instrument.point_value

    @property
    def closed(self) -> TradeColumns:
        return self.trades.where(~self.trades.is_open)

    def of_side(self, side: TradeSide) -> BOOL_1D:
        if side is TradeSide.ALL:
            return np.ones(len(self.trades), dtype=np.bool_)
        mask: BOOL_1D = self.trades.side == SIGNS[side]
        return mask


def measure(result: Result, trials: int = 1) -> dict[str, float]:
    """Return the value of every metric of the table, in its order; NaN where undefined.

    `trials` is how many parameter sets were tried to find this one, for the deflated Sharpe ratio.
    """
    run = _read(result)
    values: dict[str, float] = {}
    for side in TradeSide:
        suffix = "" if side is TradeSide.ALL else f"_{side}"
        values.update({name + suffix: value for name, value in _side(run, side).items()})
    values.update(_swings(run))
    values.update(_margin(run, values))
    values.update(_account(run, trials))
    values.update(
        buy_and_hold(
            float(result.klines.open[run.start]),
            float(result.klines.close[-1]),
            run.capital,
            values["net_profit_quote"],
        )
    )
    _share_with_sides(values)
    return {item.name: _finite(values[item.name]) for item in METRICS}


def _read(result: Result) -> _Run:
    klines, trades = result.klines, result.trades
    start = min(result.start_bar, len(klines) - 1)
    times = klines.open_time_ms[start:]
    return _Run(
        result=result,
        trades=trades if isinstance(trades, TradeColumns) else trade_columns(trades),
        start=start,
        times=times,
        equity=result.equity_quote[start:],
        days=(int(times[-1]) + klines.interval_ms - int(times[0])) / DAY_MS,
    )


def _side(run: _Run, side: TradeSide) -> dict[str, float]:
    """Return what counts the trades of one side alone."""
    mask = run.of_side(side)
    closed, trades = run.trades.where(mask & ~run.trades.is_open), run.trades.where(mask)
    figures = trade_figures(closed, run.capital)
    growth = cagr_ratio(figures["net_profit_ratio"], run.days)
    monthly = _monthly(run, closed)
    _, falls = intrabar_swings(trades, run.result.klines, run.capital, run.point_value)
    return figures | {
        "trades_open": int((mask & run.trades.is_open).sum()),
        "fees_quote": math.fsum(np.where(trades.is_open, trades.fee_entry_quote, trades.fee_quote)),
        "cagr_ratio": growth,
        "calmar": over(growth, falls["ratio_max"]),
        "recovery_factor": over(
            figures["net_profit_quote"], fall_of_closed_quote_max(closed, run.capital)
        ),
        "sharpe": sharpe(monthly),
        "sortino": sortino(monthly),
    }


def _monthly(run: _Run, closed: TradeColumns) -> F64_1D:
    first_ms, last_ms = int(run.times[0]), int(run.times[-1])
    zone = run.result.instrument.time_zone
    return monthly_returns(
        closed.pnl_quote, closed.exit_time_ms, run.capital, first_ms, last_ms, zone
    )


def _swings(run: _Run) -> dict[str, float]:
    """Return the run-ups and drawdowns of the whole account."""
    by_close = closed_swings(run.closed, run.capital, int(run.times[0]))
    by_bar = intrabar_swings(run.trades, run.result.klines, run.capital, run.point_value)
    rises, falls = (one | other for one, other in zip(by_close, by_bar, strict=True))
    found = {f"run_up_{name}": value for name, value in rises.items()}
    return found | {f"drawdown_{name}": value for name, value in falls.items()}


def _margin(run: _Run, values: dict[str, float]) -> dict[str, float]:
    """Return what positions tied up, and the largest quantities held."""
    result, trades = run.result, run.trades
    bars = len(result.klines)
    long, short = (trades.held(trades.qty * (trades.side == sign), bars) for sign in SIGNS.values())
    used = margin_used_quote(long, short, result.klines.close, result.plan, run.point_value)[
        run.start :
    ]
    most = {}
    for side, held in ((TradeSide.LONG, long), (TradeSide.SHORT, short)):
        # A position that opens and closes inside one bar is at no close.
        single = trades.qty[run.of_side(side)]
        most[side] = max(float(held.max()), float(single.max()) if len(single) else 0.0)
    account_size = float(used.max()) + values["drawdown_quote_max"]
    return {
        "qty_max": max(most.values()),
        **{f"qty_max_{side}": value for side, value in most.items()},
        "margin_used_quote_mean": float(used.mean()),
        "margin_used_quote_max": float(used.max()),
        "account_size_quote": account_size,
        "exposure_ratio": exposure_ratio(trades, bars, run.start),
    }


def _share_with_sides(values: dict[str, float]) -> None:
    """Set each side's net profit in relation to what the account as a whole needed or lost."""
    for side in TradeSide:
        suffix = "" if side is TradeSide.ALL else f"_{side}"
        net = values[f"net_profit_quote{suffix}"]
        values[f"return_on_account_size_ratio{suffix}"] = over(net, values["account_size_quote"])
        values[f"margin_efficiency{suffix}"] = over(values["margin_used_quote_mean"], net)
        values[f"return_on_drawdown{suffix}"] = over(net, values["drawdown_quote_max"])


def _account(run: _Run, trials: int) -> dict[str, float]:
    """Return what follows from equity at bar closes, and what concerns all trades alone."""
    capital, equity, trades = run.capital, run.equity, run.trades
    daily = daily_returns(equity, run.times, capital)
    fall = drawdown_quote(equity, capital)
    fall_ratio = fall / (fall + equity)
    at_risk, at_risk_mean, tail_ratio = tails(daily)
    pnl, pnl_open = run.closed.pnl_quote, math.fsum(trades.pnl_quote[run.trades.is_open])
    losing = pnl[pnl < 0]
    return {
        "capital_quote": capital,
        "pnl_open_quote": pnl_open,
        "pnl_open_ratio": pnl_open / capital,
        "sqn": sqn(pnl),
        "stability_r2": stability_r2(daily),
        "ulcer_ratio": math.sqrt(float(np.mean(fall_ratio * fall_ratio))),
        "volatility_ratio_annual": annualised(volatility(daily)),
        "wins_in_a_row_max": longest_run(pnl > 0),
        "losses_in_a_row_max": longest_run(pnl < 0),
        "expectancy_ratio": over(
            over(math.fsum(pnl), len(pnl)), over(-math.fsum(losing), len(losing))
        ),
        "days": run.days,
        "bars": len(run.times),
        "equity_end_quote": float(equity[-1]),
        "drawdown_equity_quote_max": float(fall.max()),
        "drawdown_equity_ratio_max": float(fall_ratio.max()),
        "sharpe_annual": annualised(sharpe(daily, RISK_FREE_DAILY)),
        "sortino_annual": annualised(sortino(daily, RISK_FREE_DAILY)),
        "sharpe_deflated_ratio": sharpe_deflated_ratio(daily, RISK_FREE_DAILY, trials),
        "value_at_risk_ratio_95": at_risk,
        "conditional_value_at_risk_ratio_95": at_risk_mean,
        "omega": omega(daily),
        "tail_ratio": tail_ratio,
        "gain_to_pain": gain_to_pain(_monthly(run, run.closed)),
        "liquidations": int(run.closed.is_liquidation.sum()),
        "funding_quote": math.fsum(trades.funding_quote),
        "slippage_quote": math.fsum(trades.slippage_quote),
        "drawdown_days_max": drawdown_days_max(fall, run.times),
    }


def _finite(value: float) -> float:
    """Return a value as it is, NaN if it grew beyond what a float can say."""
    return value if math.isfinite(value) else math.nan
