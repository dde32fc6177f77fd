"""The EURUSD 1 hour lists and their neighbours, in TradingView's own export format."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engines.context import Context
from engines.costs import FREE, Costs
from engines.features.channels import bollinger
from engines.features.extremes import highest, lowest
from engines.features.momentum import macd
from engines.features.moving_averages import sma
from engines.features.oscillators import rsi
from engines.instrument import Instrument
from engines.klines import Klines
from engines.orders import OcaKind
from engines.plan import Plan, Sizing, SizingKind
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import OrderStrategy
from tests.parity.case import ONE_CONTRACT, Case

EURUSD = Instrument("EURUSD", tick_size=0.00001, qty_step=0.1, time_zone="America/New_York")
QM1 = Instrument("QM1!", tick_size=0.025, qty_step=1.0, point_value=500.0)
BTCUSDT = Instrument("BTCUSDT", tick_size=0.01, qty_step=0.00001)


def bar_numbers(klines: Klines) -> F64_1D:
    """Return 0, 1, 2 ... [T], Pine's bar_index."""
    return np.arange(len(klines), dtype=np.float64)


@dataclass(frozen=True)
class MacdZero(OrderStrategy):
    """The MACD's histogram crosses zero."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"delta": macd(klines.close, 12, 26, 9).histogram}

    def on_bar(self, ctx: Context) -> None:
        delta = ctx["delta"]
        if delta[0] > 0 and delta[1] <= 0:
            ctx.entry("MacdLE", Side.BUY)
        if delta[0] < 0 and delta[1] >= 0:
            ctx.entry("MacdSE", Side.SELL)


@dataclass(frozen=True)
class RsiCross(OrderStrategy):
    """RSI leaves the outer bands."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"rsi": rsi(klines.close, 14)}

    def on_bar(self, ctx: Context) -> None:
        value = ctx["rsi"]
        if value[0] > 30 and value[1] <= 30:
            ctx.entry("RsiLE", Side.BUY)
        if value[0] < 70 and value[1] >= 70:
            ctx.entry("RsiSE", Side.SELL)


@dataclass(frozen=True)
class BollingerStops(OrderStrategy):
    """Stop entries at the bands in one cancel group."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        bands = bollinger(klines.close, 20, 2.0)
        return {"upper": bands.upper, "lower": bands.lower}

    def on_bar(self, ctx: Context) -> None:
        close, lower, upper = ctx.close, ctx["lower"], ctx["upper"]
        group, cancel = "BollingerBands", OcaKind.CANCEL
        if close[0] > lower[0] and close[1] <= lower[1]:
            ctx.entry("BBandLE", Side.BUY, stop=lower[0], oca_name=group, oca_kind=cancel)
        else:
            ctx.cancel("BBandLE")
        if close[0] < upper[0] and close[1] >= upper[1]:
            ctx.entry("BBandSE", Side.SELL, stop=upper[0], oca_name=group, oca_kind=cancel)
        else:
            ctx.cancel("BBandSE")


@dataclass(frozen=True)
class ChannelStops(OrderStrategy):
    """Stop entries one tick beyond the 5-bar channel, re-priced on every bar."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {
            "top": highest(klines.high, 5),
            "bottom": lowest(klines.low, 5),
            "number": bar_numbers(klines),
        }

    def on_bar(self, ctx: Context) -> None:
        if ctx["number"][0] >= 5:
            ctx.entry("ChBrkLE", Side.BUY, stop=ctx["top"][0] + ctx.tick_size)
        ctx.entry("ChBrkSE", Side.SELL, stop=ctx["bottom"][0] - ctx.tick_size)


@dataclass(frozen=True)
class NumberedBars(OrderStrategy):
    """Market orders on fixed bars."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"number": bar_numbers(klines)}

    def on_bar(self, ctx: Context) -> None:
        number = int(ctx["number"][0])
        if number == 10:
            ctx.entry("Long", Side.BUY, comment="Long Entry")
        if number == 20:
            ctx.close_entry("Long", comment="Long Exit")
        if number == 40:
            ctx.entry("Short", Side.SELL, comment="Short Entry")
        if number == 50:
            ctx.close_entry("Short", comment="Short Exit")


@dataclass(frozen=True)
class LimitEntries(OrderStrategy):
    """Limit entries on an average cross, with a stop around the average entry."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"fast": sma(klines.close, 10), "slow": sma(klines.close, 20)}

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        for side, name, ratio in ((Side.BUY, "Long", 0.995), (Side.SELL, "Short", 1.005)):
            if (fast[0] - slow[0]) * side > 0 and (fast[1] - slow[1]) * side <= 0:
                price = ctx.close[0] * ratio
                shown = f"{price:.2f}".rstrip("0").rstrip(".")  # Pine's "#.##"
                ctx.entry(name, side, limit=price, comment=f"Limit {name} @ {shown}")
        if ctx.is_long:
            ctx.exit("Long Stop", "Long", stop=ctx.entry_price_avg * 0.99, comment="Stop Exit")
        if ctx.is_short:
            ctx.exit("Short Stop", "Short", stop=ctx.entry_price_avg * 1.01, comment="Stop Exit")


@dataclass(frozen=True)
class NumberedAdds(OrderStrategy):
    """Three adds on fixed bars, closed together."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"number": bar_numbers(klines)}

    def on_bar(self, ctx: Context) -> None:
        number = int(ctx["number"][0])
        if number in (20, 25, 30):
            ctx.entry(f"Long{number}", Side.BUY, comment=f"Entry #{(number - 15) // 5}")
        if number == 40:
            ctx.close_all(comment="Close All Positions")


@dataclass(frozen=True)
class FuturesCross(OrderStrategy):
    """Average cross both ways."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"fast": sma(klines.close, 10), "slow": sma(klines.close, 30)}

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        if fast[0] > slow[0] and fast[1] <= slow[1]:
            ctx.entry("L", Side.BUY)
        if fast[0] < slow[0] and fast[1] >= slow[1]:
            ctx.entry("S", Side.SELL)


@dataclass(frozen=True)
class DailyCross(OrderStrategy):
    """Average cross on days with a bracket in money, filled on the hours inside."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"fast": sma(klines.close, 3), "slow": sma(klines.close, 10)}

    def on_bar(self, ctx: Context) -> None:
        fast, slow, close = ctx["fast"], ctx["slow"], ctx.close[0]
        if fast[0] > slow[0] and fast[1] <= slow[1]:
            ctx.entry("Long", Side.BUY)
            ctx.exit("XL", "Long", limit=close + 1500, stop=close - 1000)
        if fast[0] < slow[0] and fast[1] >= slow[1]:
            ctx.entry("Short", Side.SELL)
            ctx.exit("XS", "Short", limit=close - 1500, stop=close + 1000)


@dataclass(frozen=True)
class ExportCase(Case):
    """A list in TradingView's export format with the file of its bars and its instrument."""

    bars: str = "ohlcv.csv"
    instrument: Instrument = EURUSD


def _plan(capital_quote: float, sizing: Sizing = ONE_CONTRACT, pyramiding: int = 1) -> Plan:
    return Plan(capital_quote=capital_quote, sizing=sizing, pyramiding=pyramiding)


CASES = {
    "macd_trades": ExportCase(MacdZero()),
    "rsi_trades": ExportCase(RsiCross()),
    "bollinger_trades": ExportCase(BollingerStops()),
    "channelbreakout_trades": ExportCase(ChannelStops()),
    "slippage_basic_trades": ExportCase(
        NumberedBars(), _plan(10_000), Costs(commission=0.001, slippage_ticks=10)
    ),
    "slippage_limit_trades": ExportCase(
        LimitEntries(),
        _plan(10_000),
        Costs(commission=0.001, slippage_ticks=20),
        bars="slippage_limit_ohlcv.csv",
    ),
    "slippage_pyramiding_trades": ExportCase(
        NumberedAdds(),
        _plan(10_000, Sizing(SizingKind.EQUITY_RATIO, 0.1), pyramiding=3),
        Costs(commission=0.001, slippage_ticks=5),
        bars="slippage_pyramiding_ohlcv.csv",
    ),
    "futures_pnl_trades": ExportCase(
        FuturesCross(), _plan(100_000), FREE, bars="futures_pnl_ohlcv.csv", instrument=QM1
    ),
    "bar_magnifier_tv_trades_1_28": ExportCase(
        DailyCross(),
        _plan(10_000, Sizing(SizingKind.QTY, 0.01)),
        FREE,
        bars="bar_magnifier_BINANCE_BTCUSDT_60m.csv",
        instrument=BTCUSDT,
    ),
}
