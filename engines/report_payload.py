"""Everything that the report page shows, as one mapping that becomes JSON inside the page.

Runs on the same bars share them. Bars, equities and trades are packed (`report_packing`), so that
two years of 15-minute bars with 2,000 trades take about a megabyte. The page computes nothing that
is a result: it draws, sorts and filters what stands here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from engines.klines import Klines, interval_text, time_text
from engines.metrics.table import METRICS
from engines.report import Run, fingerprint, is_synthetic, run_labels, traded_from_ms
from engines.report_headline import CARDS, COMPARED
from engines.report_levels import trade_levels
from engines.report_packing import floats, packed, packed_exactly
from engines.report_periods import Period, drawdown_periods, month_returns, run_up_periods
from engines.report_terms import terms
from engines.trades import Trade
from engines.types import F64_1D

PERIODS_SHOWN = 10
EQUITY_STEP_PER_CAPITAL = 1e-6  # a cent of 10,000
MONEY_STEP_PER_CAPITAL = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Bars that runs share, from the first one that any of them traded."""

    klines: Klines
    start_bar: int
    tick_size: float


def payload(runs: Sequence[Run]) -> dict[str, object]:
    """Return what the page of one command's runs shows."""
    markets = _markets(runs)
    labels = run_labels(runs)
    return {
        "command": runs[0].command,
        "versions": dict(runs[0].versions),
        "metrics": [
            {
                "name": metric.name,
                "label": metric.label,
                "group": metric.group,
                "unit": metric.unit.name.lower(),
                "side": metric.side,
                "decimals": metric.decimals,
                "formula": metric.formula,
                "source": metric.source,
            }
            for metric in METRICS
        ],
        "cards": CARDS,
        "compared": COMPARED,
        "markets": [_market_columns(market) for market in markets.values()],
        "runs": [
            _run(run, label, list(markets).index(_key(run)), markets[_key(run)])
            for run, label in zip(runs, labels, strict=True)
        ],
    }


def _key(run: Run) -> int:
    return id(run.result.klines)


def _markets(runs: Sequence[Run]) -> dict[int, Market]:
    markets: dict[int, Market] = {}
    for run in runs:
        klines, key = run.result.klines, _key(run)
        start = _start_bar(run)
        if key in markets:
            start = min(start, markets[key].start_bar)
        markets[key] = Market(klines, start, run.result.instrument.tick_size)
    return markets


def _start_bar(run: Run) -> int:
    return min(run.result.start_bar, len(run.result.klines) - 1)


def _market_columns(market: Market) -> dict[str, object]:
    klines, shown = market.klines, slice(market.start_bar, None)
    times = klines.open_time_ms[shown]
    step = int(np.gcd.reduce(np.diff(times))) if len(times) > 1 else klines.interval_ms
    prices = {
        name: packed_exactly(getattr(klines, name)[shown], market.tick_size)
        for name in ("open", "high", "low", "close")
    }
    return {
        "symbol": klines.symbol,
        "is_synthetic": is_synthetic(klines),
        "interval": interval_text(klines.interval_ms),
        "interval_ms": klines.interval_ms,
        "bars": len(klines),
        "sha256": fingerprint(klines),
        "tick_size": market.tick_size,
        "first_ms": int(times[0]),
        "open_time": packed((times - times[0]).astype(np.float64), float(step)),
        **prices,
    }


def _run(run: Run, label: str, index: int, market: Market) -> dict[str, object]:
    result, start = run.result, _start_bar(run)
    capital = result.plan.capital_quote
    equity, times = result.equity_quote[start:], result.klines.open_time_ms[start:]
    refusals = [f"Not placed: {count:,} {reason}." for reason, count in result.refusals.items()]
    return {
        "label": label,
        "strategy": run.strategy,
        "market": index,
        "offset": start - market.start_bar,
        "range": [
            time_text(traded_from_ms(result)),
            time_text(int(result.klines.close_time_ms[-1])),
        ],
        "capital": capital,
        "notes": [*run.notes, *refusals],
        "trials_counted": run.trials,
        "terms": terms(run),
        "metrics": dict(run.metrics),
        "equity": packed(equity, _decimal_step(capital * EQUITY_STEP_PER_CAPITAL)),
        "months": month_returns(equity, times, capital),
        "drawdowns": [_period(p) for p in drawdown_periods(equity, capital, PERIODS_SHOWN)],
        "run_ups": [_period(p) for p in run_up_periods(equity, capital, PERIODS_SHOWN)],
        "trades": _trade_columns(run, start),
    }


def _period(period: Period) -> list[float | int | None]:
    return [
        period.from_bar,
        period.turn_bar,
        period.end_bar,
        period.depth_quote,
        period.depth_ratio,
    ]


def _trade_columns(run: Run, start: int) -> dict[str, object]:
    """Return the trades as columns; bars count from the first traded one."""
    result, trades = run.result, run.result.trades
    money = _decimal_step(result.plan.capital_quote * MONEY_STEP_PER_CAPITAL)
    tick = result.instrument.tick_size
    stops, targets = trade_levels(trades)

    def column(value: Callable[[Trade], float]) -> F64_1D:
        return np.array([value(trade) for trade in trades], dtype=np.float64)

    quotes = ("pnl", "fee", "funding", "slippage", "mfe", "mae", "cumulative")
    return {
        "count": len(trades),
        "side": packed(column(lambda trade: trade.side), 1.0),
        "is_open": packed(column(lambda trade: trade.is_open), 1.0),
        "entry_bar": packed(column(lambda trade: trade.entry_bar - start), 1.0),
        "exit_bar": packed(column(lambda trade: trade.exit_bar - start), 1.0),
        "entry_time": packed(column(lambda trade: trade.entry_time_ms), 1.0),
        "exit_time": packed(column(lambda trade: trade.exit_time_ms), 1.0),
        "entry_price": packed_exactly(column(lambda trade: trade.entry_price), tick),
        "exit_price": packed_exactly(column(lambda trade: trade.exit_price), tick),
        "stop_price": floats(stops),
        "target_price": floats(targets),
        "qty": packed_exactly(column(lambda trade: trade.qty), result.instrument.qty_step),
        **{name: packed(column(attrgetter(f"{name}_quote")), money) for name in quotes},
        "pnl_ratio": packed(column(lambda trade: trade.pnl_ratio), 1e-7),
        "entry_name": _coded([trade.entry_name for trade in trades]),
        "exit_name": _coded([trade.exit_name for trade in trades]),
        "reason": _coded([trade.exit_reason.value for trade in trades]),
    }


def _coded(texts: Sequence[str]) -> dict[str, object]:
    """Return texts as a list of the distinct ones and a packed column of places in it."""
    names = list(dict.fromkeys(texts))
    places = {name: place for place, name in enumerate(names)}
    codes = np.array([places[text] for text in texts], dtype=np.float64)
    return {"names": names, "codes": packed(codes, 1.0)}


def _decimal_step(wanted: float) -> float:
    """Return the power of ten at or below `wanted`, one at most."""
    return float(10.0 ** min(0.0, np.floor(np.log10(wanted))))
