"""The ta-* and mtf-* lists of BINANCE:ETHUSDT.P, 15 minutes, written as a user would."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engines.context import Context
from engines.features.channels import bollinger, donchian
from engines.features.momentum import macd
from engines.features.moving_averages import ema
from engines.features.oscillators import rsi, slow_stoch
from engines.features.trend import supertrend
from engines.klines import HOUR_MS, Klines
from engines.resample import aggregate, last_closed, project
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import OrderStrategy
from tests.parity.case import Case


@dataclass(frozen=True)
class RsiBands(OrderStrategy):
    """RSI leaves the outer bands."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"rsi": rsi(klines.close, 14)}

    def on_bar(self, ctx: Context) -> None:
        value = ctx["rsi"]
        if value[0] > 30 and value[1] <= 30:
            ctx.entry("L", Side.BUY, comment="rsi cross up 30")
        if value[0] < 70 and value[1] >= 70:
            ctx.entry("S", Side.SELL, comment="rsi cross dn 70")


@dataclass(frozen=True)
class MacdCross(OrderStrategy):
    """MACD crosses its signal line."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        lines = macd(klines.close, 12, 26, 9)
        return {"macd": lines.macd, "signal": lines.signal}

    def on_bar(self, ctx: Context) -> None:
        line, signal = ctx["macd"], ctx["signal"]
        if line[0] > signal[0] and line[1] <= signal[1]:
            ctx.entry("L", Side.BUY, comment="macd cross up")
        if line[0] < signal[0] and line[1] >= signal[1]:
            ctx.entry("S", Side.SELL, comment="macd cross dn")


@dataclass(frozen=True)
class SupertrendFlip(OrderStrategy):
    """Close what is open, then enter the new direction."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        lines = supertrend(klines.high, klines.low, klines.close, 3.0, 10)
        return {"direction": lines.direction}

    def on_bar(self, ctx: Context) -> None:
        direction = ctx["direction"]
        if direction[0] < direction[1]:
            ctx.close_entry("S", comment="flip flat")
            ctx.entry("L", Side.BUY, comment="st bull flip")
        if direction[0] > direction[1]:
            ctx.close_entry("L", comment="flip flat")
            ctx.entry("S", Side.SELL, comment="st bear flip")


@dataclass(frozen=True)
class DonchianBreakout(OrderStrategy):
    """20-bar breakout, 10-bar exit; entries are issued before closes."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        wide = donchian(klines.high, klines.low, 20)
        narrow = donchian(klines.high, klines.low, 10)
        return {"high": wide.upper, "low": wide.lower, "top": narrow.upper, "bottom": narrow.lower}

    def on_bar(self, ctx: Context) -> None:
        close = ctx.close[0]
        if close > ctx["high"][1]:
            ctx.entry("Long", Side.BUY)
        if close < ctx["low"][1]:
            ctx.entry("Short", Side.SELL)
        if close < ctx["bottom"][1]:
            ctx.close_entry("Long")
        if close > ctx["top"][1]:
            ctx.close_entry("Short")


@dataclass(frozen=True)
class StochCross(OrderStrategy):
    """Slow %K crosses %D."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        lines = slow_stoch(klines.high, klines.low, klines.close, 14, 3, 3)
        return {"k": lines.k, "d": lines.d}

    def on_bar(self, ctx: Context) -> None:
        k, d = ctx["k"], ctx["d"]
        if k[0] > d[0] and k[1] <= d[1] and k[0] < 80:
            ctx.entry("L", Side.BUY, comment="slowK cross above D")
        if k[0] < d[0] and k[1] >= d[1] and k[0] > 20:
            ctx.entry("S", Side.SELL, comment="slowK cross below D")


@dataclass(frozen=True)
class BollingerReversion(OrderStrategy):
    """Beyond the band with RSI; closed at the middle."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        bands = bollinger(klines.close, 20, 2.0)
        return {
            "upper": bands.upper,
            "middle": bands.middle,
            "lower": bands.lower,
            "rsi": rsi(klines.close, 14),
        }

    def on_bar(self, ctx: Context) -> None:
        close, value = ctx.close[0], ctx["rsi"][0]
        if close < ctx["lower"][0] and value < 30:
            ctx.entry("Long", Side.BUY)
        if close > ctx["upper"][0] and value > 70:
            ctx.entry("Short", Side.SELL)
        if ctx.is_long and close > ctx["middle"][0]:
            ctx.close_entry("Long")
        if ctx.is_short and close < ctx["middle"][0]:
            ctx.close_entry("Short")


@dataclass(frozen=True)
class EmaRibbon(OrderStrategy):
    """Three averages stacked, on a change of the stack."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        fast, middle, slow = (ema(klines.close, period) for period in (8, 21, 55))
        up = (fast > middle) & (middle > slow)
        down = (fast < middle) & (middle < slow)
        return {"stack": up.astype(np.float64) - down.astype(np.float64)}

    def on_bar(self, ctx: Context) -> None:
        stack = ctx["stack"]
        if stack[0] == 1 and stack[1] != 1:
            ctx.entry("Long", Side.BUY)
        if stack[0] == -1 and stack[1] != -1:
            ctx.entry("Short", Side.SELL)


@dataclass(frozen=True)
class HourlyRsi(OrderStrategy):
    """RSI of completed 1-hour bars, seen on 15-minute bars."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        hours = aggregate(klines, HOUR_MS)
        return {"rsi": project(rsi(hours.close, 14), last_closed(hours, klines))}

    def on_bar(self, ctx: Context) -> None:
        value = ctx["rsi"]
        if value[0] > 50 and value[1] <= 50:
            ctx.entry("L", Side.BUY)
        if value[0] < 50 and value[1] >= 50:
            ctx.close_entry("L")


MAGNIFIED = "2025-04-05T00:00Z"

CASES = {
    "ta-rsi14-bands-30-70": Case(RsiBands()),
    "ta-macd-12-26-9-line-signal-cross": Case(MacdCross()),
    "ta-supertrend-direction-flip": Case(SupertrendFlip()),
    "ta-stoch-slow-k-d-cross": Case(StochCross()),
    "ta-donchian-channel-breakout": Case(
        DonchianBreakout(), history=MAGNIFIED, compares_excursions=False
    ),
    "ta-bb-rsi-mean-reversion": Case(
        BollingerReversion(), history=MAGNIFIED, compares_excursions=False
    ),
    "ta-ema-ribbon-stack-transition": Case(
        EmaRibbon(), history=MAGNIFIED, compares_excursions=False
    ),
    "mtf-htf-60-rsi14-inside-security": Case(HourlyRsi(), history="2025-04-20T00:00Z"),
}
