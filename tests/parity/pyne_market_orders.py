"""Twins of market orders: reversals, adds, netting, closes, sizing, costs and margin."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from engines.context import Context
from engines.costs import CommissionKind, Costs
from engines.features.moving_averages import sma
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.plan import CloseRule, Plan, Sizing, SizingKind
from engines.trades import Side
from engines.types import F64_1D
from tests.parity.pyne_opinion import Twin, TwinCase

ONE = Sizing(SizingKind.QTY, 1.0)
AMPLE_QUOTE = 1_000_000.0


@dataclass(frozen=True)
class SmaReversal(Twin):
    """Reverse on every cross of two averages."""

    pine: ClassVar[str] = """
    fast = ta.sma(close, 5)
    slow = ta.sma(close, 13)
    if ta.crossover(fast, slow):
        strategy.entry("L", strategy.long)
    if ta.crossunder(fast, slow):
        strategy.entry("S", strategy.short)
    """

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"fast": sma(klines.close, 5), "slow": sma(klines.close, 13)}

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        if fast[0] > slow[0] and fast[1] <= slow[1]:
            ctx.entry("L", Side.BUY)
        if fast[0] < slow[0] and fast[1] >= slow[1]:
            ctx.entry("S", Side.SELL)


@dataclass(frozen=True)
class RsiBands(Twin):
    """Enter when the RSI comes back from an outer band, close in the middle."""

    pine: ClassVar[str] = """
    value = ta.rsi(close, 9)
    if ta.crossover(value, 35):
        strategy.entry("up", strategy.long, comment="from below")
    if ta.crossunder(value, 65):
        strategy.entry("down", strategy.short)
    if ta.crossover(value, 50):
        strategy.close("up", comment="middle")
    if ta.crossunder(value, 50):
        strategy.close("down")
    """

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"rsi": rsi(klines.close, 9)}

    def on_bar(self, ctx: Context) -> None:
        value = ctx["rsi"]
        if value[0] > 35 and value[1] <= 35:
            ctx.entry("up", Side.BUY, comment="from below")
        if value[0] < 65 and value[1] >= 65:
            ctx.entry("down", Side.SELL)
        if value[0] > 50 and value[1] <= 50:
            ctx.close_entry("up", comment="middle")
        if value[0] < 50 and value[1] >= 50:
            ctx.close_entry("down")


@dataclass(frozen=True)
class AddsClosedById(Twin):
    """Add under two names and close each name, whole or by quantity, on bars of its own."""

    pine: ClassVar[str] = """
    if bar_index % 3 == 0:
        strategy.entry("A", strategy.long, qty=1.5)
    if bar_index % 5 == 0:
        strategy.entry("B", strategy.long, qty=2.25)
    if bar_index % 17 == 0:
        strategy.close("A")
    if bar_index % 22 == 4:
        strategy.close("B", qty=0.7)
    if bar_index % 22 == 15:
        strategy.close("B")
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 3 == 0:
            ctx.entry("A", Side.BUY, qty=1.5)
        if ctx.bar_index % 5 == 0:
            ctx.entry("B", Side.BUY, qty=2.25)
        if ctx.bar_index % 17 == 0:
            ctx.close_entry("A")
        if ctx.bar_index % 22 == 4:
            ctx.close_entry("B", qty=0.7)
        if ctx.bar_index % 22 == 15:
            ctx.close_entry("B")


@dataclass(frozen=True)
class HalfCloses(Twin):
    """Add under one name, close halves of it, then all."""

    pine: ClassVar[str] = """
    if bar_index % 3 == 0:
        strategy.entry("A", strategy.long, qty=1.5)
    if bar_index % 22 in (4, 8, 9):
        strategy.close("A", qty_percent=50)
    if bar_index % 22 == 15:
        strategy.close("A")
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 3 == 0:
            ctx.entry("A", Side.BUY, qty=1.5)
        if ctx.bar_index % 22 in (4, 8, 9):
            ctx.close_entry("A", qty_ratio=0.5)
        if ctx.bar_index % 22 == 15:
            ctx.close_entry("A")


@dataclass(frozen=True)
class RawNetting(Twin):
    """Buy and sell without position rules; the sizes follow the bar's number."""

    pine: ClassVar[str] = """
    if bar_index % 4 == 0:
        strategy.order("buy", strategy.long, qty=1 + bar_index % 3)
    if bar_index % 5 == 0:
        strategy.order("sell", strategy.short, qty=1 + bar_index % 4)
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 4 == 0:
            ctx.order("buy", Side.BUY, qty=1 + ctx.bar_index % 3)
        if ctx.bar_index % 5 == 0:
            ctx.order("sell", Side.SELL, qty=1 + ctx.bar_index % 4)


@dataclass(frozen=True)
class CloseAll(Twin):
    """Enter on either side under several names, close everything at once."""

    pine: ClassVar[str] = """
    if bar_index % 4 == 0:
        strategy.entry("one", strategy.long if close > open else strategy.short)
    if bar_index % 6 == 1:
        strategy.entry("two", strategy.long if close > close[3] else strategy.short, qty=0.5)
    if bar_index % 9 == 0:
        strategy.close_all()
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 4 == 0:
            ctx.entry("one", Side.BUY if ctx.close[0] > ctx.open[0] else Side.SELL)
        if ctx.bar_index % 6 == 1:
            ctx.entry("two", Side.BUY if ctx.close[0] > ctx.close[3] else Side.SELL, qty=0.5)
        if ctx.bar_index % 9 == 0:
            ctx.close_all()


@dataclass(frozen=True)
class ImmediateCloses(Twin):
    """Close at the very close, by name and all at once."""

    pine: ClassVar[str] = """
    if bar_index % 5 == 0:
        strategy.entry("L", strategy.long)
    if bar_index % 8 == 0:
        strategy.entry("S", strategy.short, qty=2)
    if bar_index % 7 == 0:
        strategy.close("L", immediately=True)
    if bar_index % 13 == 0:
        strategy.close_all(immediately=True)
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 5 == 0:
            ctx.entry("L", Side.BUY)
        if ctx.bar_index % 8 == 0:
            ctx.entry("S", Side.SELL, qty=2)
        if ctx.bar_index % 7 == 0:
            ctx.close_entry("L", immediately=True)
        if ctx.bar_index % 13 == 0:
            ctx.close_all(immediately=True)


@dataclass(frozen=True)
class ShortHolds(Twin):
    """Sell short with everything and hold while the price may rise."""

    pine: ClassVar[str] = """
    if bar_index % 40 == 0:
        strategy.entry("S", strategy.short)
    if bar_index % 40 == 38:
        strategy.close("S")
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 40 == 0:
            ctx.entry("S", Side.SELL)
        if ctx.bar_index % 40 == 38:
            ctx.close_entry("S")


def _plan(sizing: Sizing = ONE, pyramiding: int = 1, capital_quote: float = AMPLE_QUOTE) -> Plan:
    return Plan(capital_quote=capital_quote, sizing=sizing, pyramiding=pyramiding)


FEE_AND_SLIP = Costs(commission=0.001, slippage_ticks=3)
PER_CONTRACT = Costs(commission=0.02, commission_kind=CommissionKind.PER_CONTRACT)
PER_ORDER = Costs(commission=1.5, commission_kind=CommissionKind.PER_ORDER)
HALF = Sizing(SizingKind.EQUITY_RATIO, 0.5)
ALL_IN = Sizing(SizingKind.EQUITY_RATIO, 1.0)
CASH = Sizing(SizingKind.CASH, 5_000.0)

CASES = {
    "sma_reversal": TwinCase(SmaReversal()),
    "rsi_bands": TwinCase(RsiBands()),
    "rsi_bands_ratio_fee": TwinCase(RsiBands(), costs=FEE_AND_SLIP),
    "adds_closed_by_id": TwinCase(AddsClosedById(), _plan(pyramiding=3)),
    "adds_closed_by_id_any": TwinCase(
        AddsClosedById(),
        Plan(AMPLE_QUOTE, sizing=ONE, pyramiding=3, close_rule=CloseRule.ANY),
        PER_CONTRACT,
    ),
    "half_closes_any": TwinCase(
        HalfCloses(), Plan(AMPLE_QUOTE, sizing=ONE, pyramiding=3, close_rule=CloseRule.ANY)
    ),
    "half_closes": TwinCase(HalfCloses(), _plan(pyramiding=3), PER_CONTRACT),
    "raw_netting": TwinCase(RawNetting()),
    "raw_netting_per_order": TwinCase(RawNetting(), costs=PER_ORDER),
    "close_all": TwinCase(CloseAll(), _plan(pyramiding=2)),
    "half_of_equity": TwinCase(SmaReversal(), _plan(HALF, 1, 10_000.0), FEE_AND_SLIP),
    "half_of_equity_per_order": TwinCase(SmaReversal(), _plan(HALF, 1, 10_000.0), PER_ORDER),
    "cash_per_contract": TwinCase(CloseAll(), _plan(CASH, 3, 50_000.0), PER_CONTRACT),
    "process_on_close": TwinCase(
        SmaReversal(), Plan(AMPLE_QUOTE, sizing=ONE, process_on_close=True), FEE_AND_SLIP
    ),
    "immediate_closes": TwinCase(ImmediateCloses(), costs=FEE_AND_SLIP),
    "all_in_reversal": TwinCase(SmaReversal(), _plan(ALL_IN, 1, 10_000.0), FEE_AND_SLIP),
    "margin_calls": TwinCase(ShortHolds(), _plan(ALL_IN, 1, 10_000.0)),
    "margin_calls_fee": TwinCase(ShortHolds(), _plan(ALL_IN, 1, 10_000.0), FEE_AND_SLIP),
}
