"""The order-* lists of BINANCE:ETHUSDT.P, 15 minutes, written as a user would."""

from collections.abc import Mapping
from dataclasses import dataclass

from engines.context import Context
from engines.costs import CommissionKind, Costs
from engines.features.moving_averages import ema
from engines.features.oscillators import rsi
from engines.klines import Klines
from engines.plan import Plan, Sizing, SizingKind
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import OrderStrategy
from tests.parity.case import ONE_CONTRACT, Case, opened_at


@dataclass(frozen=True)
class MarketClose(OrderStrategy):
    """Long and short legs closed at market."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "03:15"):
            ctx.entry("long", Side.BUY)
        if opened_at(ctx, "05:15"):
            ctx.close_entry("long", comment="market close long")
        if opened_at(ctx, "15:15"):
            ctx.entry("short", Side.SELL)
        if opened_at(ctx, "17:15"):
            ctx.close_entry("short", comment="market close short")


@dataclass(frozen=True)
class ImplicitReversal(OrderStrategy):
    """Entries reverse each other."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "00:15"):
            ctx.entry("open long", Side.BUY)
        if opened_at(ctx, "00:45"):
            ctx.entry("reverse short", Side.SELL)
        if opened_at(ctx, "01:15"):
            ctx.entry("reverse long", Side.BUY)
        if opened_at(ctx, "01:45"):
            ctx.close_all(comment="flat")


@dataclass(frozen=True)
class CloseImmediately(OrderStrategy):
    """A close at the next open against one at this close."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "02:15"):
            ctx.entry("N", Side.BUY, comment="normal close case")
        if opened_at(ctx, "03:15"):
            ctx.close_entry("N", comment="normal close")
        if opened_at(ctx, "10:15"):
            ctx.entry("I", Side.BUY, comment="immediate close case")
        if opened_at(ctx, "11:15"):
            ctx.close_entry("I", immediately=True, comment="immediate close")


@dataclass(frozen=True)
class CloseAllCancelAll(OrderStrategy):
    """Far limits cancelled together, two entries closed together."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "04:15"):
            ctx.entry("far long", Side.BUY, limit=ctx.close[0] * 0.8)
            ctx.entry("far short", Side.SELL, limit=ctx.close[0] * 1.2)
        if opened_at(ctx, "04:30"):
            ctx.cancel_all()
        if opened_at(ctx, "05:15"):
            ctx.entry("A", Side.BUY, comment="first")
        if opened_at(ctx, "05:45"):
            ctx.entry("B", Side.BUY, comment="second")
        if opened_at(ctx, "06:15"):
            ctx.close_all(immediately=True, comment="global flat")


@dataclass(frozen=True)
class ProcessOnClose(OrderStrategy):
    """EMA cross, filled at the deciding close."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {
            "fast": ema(klines.close, 9),
            "slow": ema(klines.close, 21),
            "rsi": rsi(klines.close, 14),
        }

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        if fast[0] > slow[0] and fast[1] <= slow[1] and ctx["rsi"][0] < 70 and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="entry")
        if fast[0] < slow[0] and fast[1] >= slow[1]:
            ctx.close_entry("L", comment="exit")


@dataclass(frozen=True)
class CrossEntryClose(OrderStrategy):
    """Entry and close of the same id in one pass, everything only if flat."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "07:15", "19:15"):
            ctx.close_all(comment="cleanup" if opened_at(ctx, "07:15") else "short cleanup")
        if not ctx.is_flat:
            return
        for entry_time, second_time, side, prefix in (
            ("00:15", "06:15", Side.BUY, ""),
            ("12:15", "18:15", Side.SELL, "short "),
        ):
            if opened_at(ctx, entry_time):
                ctx.entry("E" + prefix, side, comment=prefix + "entry first")
                ctx.close_entry("E" + prefix, comment=prefix + "close after")
            if opened_at(ctx, second_time):
                ctx.close_entry("E2" + prefix, comment=prefix + "close first")
                ctx.entry("E2" + prefix, side, comment=prefix + "entry after")


@dataclass(frozen=True)
class StopModification(OrderStrategy):
    """Stop entries re-priced under one id while flat."""

    def on_bar(self, ctx: Context) -> None:
        if ctx.is_flat and opened_at(ctx, "02:00", "02:15", "02:30", "02:45"):
            ctx.entry("L", Side.BUY, stop=ctx.high[0] + ctx.tick_size, comment="moving long stop")
        if ctx.is_flat and opened_at(ctx, "14:00", "14:15", "14:30", "14:45"):
            ctx.entry("S", Side.SELL, stop=ctx.low[0] - ctx.tick_size, comment="moving short stop")
        if opened_at(ctx, "06:15"):
            ctx.close_entry("L", comment="long close")
        if opened_at(ctx, "18:15"):
            ctx.close_entry("S", comment="short close")


@dataclass(frozen=True)
class DualStop(OrderStrategy):
    """Two opposite stop entries at once; what is not filled stays and may fill later."""

    def on_bar(self, ctx: Context) -> None:
        close = ctx.close[0]
        if opened_at(ctx, "02:45") and ctx.is_flat:
            ctx.entry("NL", Side.BUY, stop=close * 1.002, comment="near long stop")
            ctx.entry("NS", Side.SELL, stop=close * 0.998, comment="near short stop")
        if opened_at(ctx, "06:15"):
            ctx.close_all(comment="morning flat")
        if opened_at(ctx, "14:45") and ctx.is_flat:
            ctx.entry("FL", Side.BUY, stop=close * 1.004, comment="farther long stop")
            ctx.entry("FS", Side.SELL, stop=close * 0.996, comment="farther short stop")
        if opened_at(ctx, "18:15"):
            ctx.close_all(comment="evening flat")


@dataclass(frozen=True)
class StopTouchBoundary(OrderStrategy):
    """Stop entries one tick beyond the previous bar's range."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "02:15") and ctx.is_flat:
            ctx.entry("L", Side.BUY, stop=ctx.high[1] + ctx.tick_size, comment="one tick over high")
            ctx.cancel("S")
        if opened_at(ctx, "14:15") and ctx.is_flat:
            ctx.entry("S", Side.SELL, stop=ctx.low[1] - ctx.tick_size, comment="one tick under low")
            ctx.cancel("L")
        if opened_at(ctx, "06:15"):
            ctx.close_entry("L", comment="long timeout")
        if opened_at(ctx, "18:15"):
            ctx.close_entry("S", comment="short timeout")


@dataclass(frozen=True)
class StopCancelRegime(OrderStrategy):
    """One working stop entry by regime; the other side's is cancelled."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"fast": ema(klines.close, 8), "slow": ema(klines.close, 21)}

    def on_bar(self, ctx: Context) -> None:
        if ctx["fast"][0] > ctx["slow"][0]:
            ctx.entry("L", Side.BUY, stop=ctx.high[1], comment="live long stop")
            ctx.cancel("S")
        else:
            ctx.entry("S", Side.SELL, stop=ctx.low[1], comment="live short stop")
            ctx.cancel("L")


@dataclass(frozen=True)
class DailyLong(OrderStrategy):
    """Long at one time of day, closed at another."""

    entry_time: str = "08:15"
    exit_time: str = "12:15"
    entry_name: str = "default percent sizing"
    exit_name: str = "sizing close"

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, self.entry_time) and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment=self.entry_name)
        if opened_at(ctx, self.exit_time):
            ctx.close_entry("L", comment=self.exit_name)


CASES = {
    "order-market-close-fill-basis": Case(MarketClose()),
    "order-entry-implicit-reversal-exit": Case(ImplicitReversal()),
    "order-close-immediate-vs-next-bar": Case(CloseImmediately()),
    "order-close-all-cancel-all": Case(
        CloseAllCancelAll(), Plan(capital_quote=1_000_000, sizing=ONE_CONTRACT, pyramiding=2)
    ),
    "order-process-on-close-true": Case(
        ProcessOnClose(),
        Plan(capital_quote=1_000_000, sizing=ONE_CONTRACT, process_on_close=True),
    ),
    "order-cross-entry-close-same-pass": Case(CrossEntryClose()),
    "order-same-id-stop-modification": Case(StopModification()),
    "order-dual-stop-both-touch-priority": Case(DualStop()),
    "order-stop-entry-touch-boundary": Case(StopTouchBoundary()),
    "order-stop-cancel-no-regime-close": Case(StopCancelRegime()),
    "order-percent-equity-cash-commission": Case(
        DailyLong(),
        Plan(capital_quote=1_000_000, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.25)),
        Costs(commission=1.5, commission_kind=CommissionKind.PER_ORDER),
    ),
}
