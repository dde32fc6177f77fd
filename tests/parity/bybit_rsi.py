"""The two BYBIT perpetual lists, 30 minutes: RSI crossings inside ranges, a bracket in percent."""

from collections.abc import Mapping
from dataclasses import dataclass

from engines.context import Context
from engines.costs import Costs
from engines.features.oscillators import rsi
from engines.instrument import Instrument
from engines.klines import Klines
from engines.plan import Plan
from engines.resample import last_closed, project
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import OrderStrategy
from tests.parity.case import Case

NOTIONAL_QUOTE = 1000.0


@dataclass(frozen=True)
class RsiRange(OrderStrategy):
    """Long when RSI crosses a level upwards inside a range, short mirrored; only while flat.

    With `source` the RSI is that of another series. With `is_bracket_in_entry_bar` the bracket is
    issued together with the entry, otherwise at the entry bar's close.
    """

    cross_long: float = 18.0
    long_low: float = 10.0
    long_high: float = 40.0
    cross_short: float = 63.0
    short_low: float = 50.0
    short_high: float = 65.0
    profit_ratio: float = 0.015
    loss_ratio: float = 0.091
    source: str = ""
    is_bracket_in_entry_bar: bool = False
    profit_name: str = "TP"
    loss_name: str = "SL"

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        if not self.source:
            return {"rsi": rsi(klines.close, 14)}
        other = klines.others[self.source]
        return {"rsi": project(rsi(other.close, 14), last_closed(other, klines))}

    def on_bar(self, ctx: Context) -> None:
        value = ctx["rsi"]
        if ctx.is_flat:
            in_range = self.long_low <= value[0] <= self.long_high
            if value[1] <= self.cross_long < value[0] and in_range:
                self._enter(ctx, "RsiLE", Side.BUY)
            in_range = self.short_low <= value[0] <= self.short_high
            if value[1] >= self.cross_short > value[0] and in_range:
                self._enter(ctx, "RsiSE", Side.SELL)
        elif not self.is_bracket_in_entry_bar:
            self._bracket(ctx, Side.BUY if ctx.is_long else Side.SELL, ctx.entry_price_avg)

    def _enter(self, ctx: Context, name: str, side: Side) -> None:
        ctx.entry(name, side, qty=NOTIONAL_QUOTE / ctx.close[0])
        if self.is_bracket_in_entry_bar:
            self._bracket(ctx, side, ctx.close[0])

    def _bracket(self, ctx: Context, side: Side, entry: float) -> None:
        ctx.exit(
            "X",
            "RsiLE" if side is Side.BUY else "RsiSE",
            limit=entry * (1 + side * self.profit_ratio),
            stop=entry * (1 - side * self.loss_ratio),
            comment_profit=self.profit_name,
            comment_loss=self.loss_name,
        )


COSTS = Costs(commission=0.0007)
TRADING_START = "2025-01-01T00:00Z"
BTC = Instrument("BTCUSDT", tick_size=0.1, qty_step=0.000001)
ETH = Instrument("ETHUSDT", tick_size=0.01, qty_step=0.0001)

BTC_CASE = Case(
    RsiRange(),
    Plan(capital_quote=1_000_000),
    COSTS,
    history="2023-11-29T00:00Z",
    since=TRADING_START,
)
ETH_STRATEGY = RsiRange(
    cross_long=24.0,
    long_low=28.0,
    long_high=70.0,
    cross_short=52.0,
    short_low=50.0,
    short_high=70.0,
    profit_ratio=0.023,
    loss_ratio=0.132,
    source="BTC",
    is_bracket_in_entry_bar=True,
)
ETH_CASE = Case(
    ETH_STRATEGY,
    Plan(capital_quote=10_000),
    COSTS,
    history="2024-11-01T00:00Z",
    since=TRADING_START,
)
