"""The pyramid-*, cap-* and sizing lists of BINANCE:ETHUSDT.P, 15 minutes, as a user would write."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from engines.context import Context
from engines.costs import CommissionKind, Costs
from engines.features.moving_averages import ema, sma
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.plan import Plan, Sizing, SizingKind
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import OrderStrategy
from tests.parity.case import ONE_CONTRACT, Case, opened_at


@dataclass(frozen=True)
class CashAdds(OrderStrategy):
    """Adds of a fixed amount of money, closed at the end of the day."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {
            "fast": ema(klines.close, 9),
            "slow": ema(klines.close, 21),
            "rsi": rsi(klines.close, 14),
        }

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        if fast[0] > slow[0] and fast[1] <= slow[1] and 40 < ctx["rsi"][0] < 70:
            ctx.entry("L", Side.BUY, comment="cash add")
        if opened_at(ctx, "23:45"):
            ctx.close_all(comment="session close")


@dataclass(frozen=True)
class CloseByName(OrderStrategy):
    """Three entries of one id closed by one command."""

    def on_bar(self, ctx: Context) -> None:
        for hour, side, id, prefix in ((0, Side.BUY, "L", ""), (12, Side.SELL, "S", "short ")):
            for lot, minute in ((1, 15), (2, 30), (3, 45)):
                if opened_at(ctx, f"{hour:02}:{minute}") and (lot > 1 or ctx.is_flat):
                    ctx.entry(id, side, comment=f"{prefix}lot {lot}")
            if opened_at(ctx, f"{hour + 1:02}:15"):
                ctx.close_entry(id, comment=f"close all {id}")


@dataclass(frozen=True)
class FlipStop(OrderStrategy):
    """A close and an opposite stop entry in one pass, in both orders."""

    def on_bar(self, ctx: Context) -> None:
        below = ctx.low[0] - ctx.tick_size
        if opened_at(ctx, "00:15") and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="open long")
        if opened_at(ctx, "00:45") and ctx.is_long:
            ctx.entry("S", Side.SELL, stop=below, comment="opposite stop first")
            ctx.close_entry("L", comment="close long second")
        if opened_at(ctx, "06:15") and ctx.is_flat:
            ctx.entry("L2", Side.BUY, comment="open long2")
        if opened_at(ctx, "06:45") and ctx.is_long:
            ctx.close_entry("L2", comment="close long first")
            ctx.entry("S2", Side.SELL, stop=below, comment="opposite stop second")
        if opened_at(ctx, "12:15") and ctx.is_short:
            ctx.close_all(comment="cleanup short")


@dataclass(frozen=True)
class CrossReversal(OrderStrategy):
    """Two averages, always in the market."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"fast": sma(klines.close, 5), "slow": sma(klines.close, 13)}

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        if fast[0] > slow[0] and fast[1] <= slow[1] and ctx.position_qty <= 0:
            ctx.entry("L", Side.BUY, comment="ma cross up")
        if fast[0] < slow[0] and fast[1] >= slow[1] and ctx.position_qty >= 0:
            ctx.entry("S", Side.SELL, comment="ma cross dn")


@dataclass(frozen=True)
class MondayLong(OrderStrategy):
    """Long on Monday's second bar, closed at the close of the bar after the entry bar."""

    def on_bar(self, ctx: Context) -> None:
        is_monday = datetime.fromtimestamp(ctx.open_time_ms / 1000, UTC).weekday() == 0
        if is_monday and opened_at(ctx, "00:00") and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="auto-sized 99% equity")
        if opened_at(ctx, "00:30"):
            ctx.close_entry("L", comment="next-bar flatten")


CASES = {
    "pyramid-cash-fractional-commission": Case(
        CashAdds(),
        Plan(capital_quote=1_000_000, sizing=Sizing(SizingKind.CASH, 50_000), pyramiding=3),
        Costs(commission=0.05, commission_kind=CommissionKind.PER_CONTRACT),
    ),
    "pyramid-close-id-grouping": Case(
        CloseByName(), Plan(capital_quote=1_000_000, sizing=ONE_CONTRACT, pyramiding=3)
    ),
    "pyramid-flip-stop-pyramiding-2": Case(
        FlipStop(), Plan(capital_quote=1_000_000, sizing=ONE_CONTRACT, pyramiding=2)
    ),
    "cap-max-intraday-filled-orders-isolate": Case(
        CrossReversal(),
        Plan(capital_quote=1_000_000, sizing=ONE_CONTRACT, intraday_fills_max=5),
    ),
    "analyzer-parity-percent-of-equity-sizing": Case(
        MondayLong(),
        Plan(capital_quote=1_000_000, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.99), pyramiding=0),
    ),
}
