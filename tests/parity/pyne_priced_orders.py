"""Twins of priced entries: stops, limits, stop-limits, and groups that cancel or reduce."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from engines.context import Context
from engines.costs import Costs
from engines.features.channels import bollinger
from engines.features.extremes import highest, lowest
from engines.klines import Klines
from engines.orders import OcaKind
from engines.plan import Plan, Sizing, SizingKind
from engines.trades import Side
from engines.types import F64_1D
from tests.parity.pyne_opinion import Twin, TwinCase


@dataclass(frozen=True)
class ChannelStops(Twin):
    """Stop entries on both sides of a channel, re-priced on every bar."""

    pine: ClassVar[str] = """
    top = ta.highest(high, 5)
    bottom = ta.lowest(low, 5)
    if bar_index >= 5:
        strategy.entry("up", strategy.long, stop=top + 0.01)
        strategy.entry("down", strategy.short, stop=bottom - 0.01)
    """

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"top": highest(klines.high, 5), "bottom": lowest(klines.low, 5)}

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index >= 5:
            ctx.entry("up", Side.BUY, stop=ctx["top"][0] + 0.01)
            ctx.entry("down", Side.SELL, stop=ctx["bottom"][0] - 0.01)


@dataclass(frozen=True)
class LimitEntries(Twin):
    """Fade the last bars with limit entries; every so often cancel one or close."""

    pine: ClassVar[str] = """
    if bar_index % 3 == 0:
        strategy.entry("dip", strategy.long, limit=close * 0.994)
        strategy.entry("peak", strategy.short, limit=close * 1.006)
    if bar_index % 10 == 0:
        strategy.cancel("dip")
    if bar_index % 21 == 0:
        strategy.close_all()
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 3 == 0:
            ctx.entry("dip", Side.BUY, limit=ctx.close[0] * 0.994)
            ctx.entry("peak", Side.SELL, limit=ctx.close[0] * 1.006)
        if ctx.bar_index % 10 == 0:
            ctx.cancel("dip")
        if ctx.bar_index % 21 == 0:
            ctx.close_all()


@dataclass(frozen=True)
class BollingerStops(Twin):
    """Stop entries at the bands in one group of which one cancels the other."""

    pine: ClassVar[str] = """
    basis = ta.sma(close, 20)
    reach = 1.5 * ta.stdev(close, 20)
    upper = basis + reach
    lower = basis - reach
    if ta.crossover(close, lower):
        strategy.entry("BBandLE", strategy.long, stop=lower + 0.3,
                       oca_name="bands", oca_type=strategy.oca.cancel)
    if ta.crossunder(close, upper):
        strategy.entry("BBandSE", strategy.short, stop=upper - 0.3,
                       oca_name="bands", oca_type=strategy.oca.cancel)
    """

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        bands = bollinger(klines.close, 20, 1.5)
        return {"upper": bands.upper, "lower": bands.lower}

    def on_bar(self, ctx: Context) -> None:
        close, lower, upper = ctx.close, ctx["lower"], ctx["upper"]
        group, cancel = "bands", OcaKind.CANCEL
        if close[0] > lower[0] and close[1] <= lower[1]:
            ctx.entry("BBandLE", Side.BUY, stop=lower[0] + 0.3, oca_name=group, oca_kind=cancel)
        if close[0] < upper[0] and close[1] >= upper[1]:
            ctx.entry("BBandSE", Side.SELL, stop=upper[0] - 0.3, oca_name=group, oca_kind=cancel)


@dataclass(frozen=True)
class StopLimits(Twin):
    """Entries that a stop wakes and a limit fills."""

    pine: ClassVar[str] = """
    if bar_index % 4 == 0:
        strategy.entry("up", strategy.long, stop=close + 0.25, limit=close + 0.10)
    if bar_index % 6 == 0:
        strategy.entry("down", strategy.short, stop=close - 0.20, limit=close - 0.30)
    if bar_index % 25 == 0:
        strategy.close_all()
    """

    def on_bar(self, ctx: Context) -> None:
        close = ctx.close[0]
        if ctx.bar_index % 4 == 0:
            ctx.entry("up", Side.BUY, stop=close + 0.25, limit=close + 0.10)
        if ctx.bar_index % 6 == 0:
            ctx.entry("down", Side.SELL, stop=close - 0.20, limit=close - 0.30)
        if ctx.bar_index % 25 == 0:
            ctx.close_all()


@dataclass(frozen=True)
class RawReduceGroup(Twin):
    """A market entry with a target and a stop as raw orders that reduce each other."""

    pine: ClassVar[str] = """
    if bar_index % 15 == 0 and strategy.position_size == 0:
        strategy.entry("L", strategy.long, qty=2)
    if strategy.position_size > 0:
        strategy.order("target", strategy.short, qty=1.5, limit=strategy.position_avg_price + 0.8,
                       oca_name="out", oca_type=strategy.oca.reduce)
        strategy.order("stop", strategy.short, qty=2, stop=strategy.position_avg_price - 0.6,
                       oca_name="out", oca_type=strategy.oca.reduce)
    else:
        strategy.cancel("target")
        strategy.cancel("stop")
    if bar_index % 15 == 13:
        strategy.close_all()
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 15 == 0 and ctx.is_flat:
            ctx.entry("L", Side.BUY, qty=2)
        group, reduce = "out", OcaKind.REDUCE
        if ctx.is_long:
            target, stop = ctx.entry_price_avg + 0.8, ctx.entry_price_avg - 0.6
            ctx.order("target", Side.SELL, qty=1.5, limit=target, oca_name=group, oca_kind=reduce)
            ctx.order("stop", Side.SELL, qty=2, stop=stop, oca_name=group, oca_kind=reduce)
        else:
            ctx.cancel("target")
            ctx.cancel("stop")
        if ctx.bar_index % 15 == 13:
            ctx.close_all()


SLIPPED = Costs(commission=0.0005, slippage_ticks=2)
HALF_OF_EQUITY = Plan(10_000.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.5))
FIFTH_OF_EQUITY = Plan(10_000.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.2))
ADDS = Plan(1_000_000.0, sizing=Sizing(SizingKind.QTY, 1.0), pyramiding=3)

CASES = {
    "channel_stops": TwinCase(ChannelStops()),
    "channel_stops_adds": TwinCase(ChannelStops(), ADDS, SLIPPED),
    "channel_stops_half_of_equity": TwinCase(ChannelStops(), HALF_OF_EQUITY, SLIPPED),
    "limit_entries": TwinCase(LimitEntries()),
    "limit_entries_fifth_of_equity": TwinCase(LimitEntries(), FIFTH_OF_EQUITY, SLIPPED),
    "limit_entries_half_of_equity": TwinCase(LimitEntries(), HALF_OF_EQUITY, SLIPPED),
    "bollinger_oca_cancel": TwinCase(BollingerStops(), costs=SLIPPED),
    "stop_limits": TwinCase(StopLimits(), costs=SLIPPED),
    "raw_reduce_group": TwinCase(RawReduceGroup()),
}
