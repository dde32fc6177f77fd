"""The bracket-* and oca-* lists of BINANCE:ETHUSDT.P, 15 minutes, written as a user would."""

from collections.abc import Mapping
from dataclasses import dataclass

from engines.context import Context
from engines.features.moving_averages import ema, sma
from engines.features.oscillators import rsi
from engines.features.volatility import atr
from engines.klines import Klines
from engines.orders import OcaKind
from engines.plan import Plan, Sizing, SizingKind
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import OrderStrategy
from tests.parity.case import Case, opened_at

TWO_CONTRACTS = Plan(capital_quote=1_000_000, sizing=Sizing(SizingKind.QTY, 2.0))


@dataclass(frozen=True)
class FixedBracket(OrderStrategy):
    """A bracket around the entry price, issued at every close in position."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "00:15") and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="periodic long")
        if ctx.is_long:
            entry = ctx.entry_price_avg
            ctx.exit("X", "L", limit=entry * 1.004, stop=entry * 0.996, comment="bracket")
        if opened_at(ctx, "06:15"):
            ctx.close_entry("L", comment="timeout")


@dataclass(frozen=True)
class SamePassBracket(OrderStrategy):
    """A bracket issued together with its entry."""

    def on_bar(self, ctx: Context) -> None:
        close = ctx.close[0]
        if opened_at(ctx, "08:15") and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="entry with bracket")
            ctx.exit(
                "XL", "L", limit=close * 1.005, stop=close * 0.995, comment="same-pass bracket"
            )
        if opened_at(ctx, "16:15") and ctx.is_flat:
            ctx.entry("S", Side.SELL, comment="short entry with bracket")
            ctx.exit(
                "XS", "S", limit=close * 0.995, stop=close * 1.005,
                comment="same-pass short bracket",
            )  # fmt: skip # one price a line would hide the mirror image
        if opened_at(ctx, "23:45"):
            ctx.close_all(comment="timeout")


@dataclass(frozen=True)
class ThreeWayExit(OrderStrategy):
    """Stop, limit and a trailing part in one exit, set once with the entry."""

    stop_ratio: float = 0.01
    limit_ratio: float = 0.02
    trail_points: float = 20.0
    exit_name: str = "3-way set once"

    def on_bar(self, ctx: Context) -> None:
        if not ctx.is_flat:
            return
        for time, side, name in (("08:00", Side.BUY, "long"), ("20:00", Side.SELL, "short")):
            if opened_at(ctx, time):
                ctx.entry(name, side, comment=f"entry {name}")
                ctx.exit(
                    f"X {name}",
                    name,
                    stop=ctx.close[0] * (1 - side * self.stop_ratio),
                    limit=ctx.close[0] * (1 + side * self.limit_ratio),
                    trail_points=self.trail_points,
                    trail_offset=0,
                    comment=self.exit_name,
                )


@dataclass(frozen=True)
class TrailWithOffset(OrderStrategy):
    """A trailing exit issued at every close in position."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "09:15") and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="trail long")
        if opened_at(ctx, "15:15") and ctx.is_flat:
            ctx.entry("S", Side.SELL, comment="trail short")
        if ctx.is_long:
            ctx.exit("XL", "L", trail_points=80, trail_offset=40, comment="trail long")
        if ctx.is_short:
            ctx.exit("XS", "S", trail_points=80, trail_offset=40, comment="trail short")
        if opened_at(ctx, "23:45"):
            ctx.close_all(comment="timeout")


@dataclass(frozen=True)
class PartialExit(OrderStrategy):
    """Half by a limit, the rest by a stop."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "01:15") and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="two lots")
        if ctx.is_long:
            entry = ctx.entry_price_avg
            ctx.exit("A", "L", qty_ratio=0.5, limit=entry * 1.003, comment="half tp")
            ctx.exit("B", "L", stop=entry * 0.994, comment="rest stop")
        if opened_at(ctx, "09:15"):
            ctx.close_entry("L", comment="timeout")


@dataclass(frozen=True)
class ReplacedExit(OrderStrategy):
    """One exit id issued twice in a pass: the second replaces the first."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "08:15") and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="long for exit replace")
        if ctx.is_long:
            entry = ctx.entry_price_avg
            ctx.exit("X", "L", limit=entry * 1.01, stop=entry * 0.99, comment="first exit")
            ctx.exit("X", "L", limit=entry * 1.003, stop=entry * 0.997, comment="replacement exit")
        if opened_at(ctx, "16:15"):
            ctx.close_entry("L", comment="timeout")


@dataclass(frozen=True)
class RawReduceGroup(OrderStrategy):
    """Raw target and stop orders in a reduce group, beside reversing entries."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"fast": sma(klines.close, 9), "slow": sma(klines.close, 21)}

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        if fast[0] > slow[0] and fast[1] <= slow[1] and ctx.position_qty <= 0:
            ctx.entry("L", Side.BUY, comment="ma cross up")
        if fast[0] < slow[0] and fast[1] >= slow[1] and ctx.position_qty >= 0:
            ctx.entry("S", Side.SELL, comment="ma cross dn")
        if ctx.is_flat:
            ctx.cancel("TP")
            ctx.cancel("SL")
            return
        side = Side.SELL if ctx.is_long else Side.BUY
        entry, qty, reach = ctx.entry_price_avg, abs(ctx.position_qty), 10 * ctx.tick_size * -side
        group, reduce = "bracket", OcaKind.REDUCE
        ctx.order("TP", side, qty=qty, limit=entry + reach, oca_name=group, oca_kind=reduce)
        ctx.order("SL", side, qty=qty, stop=entry - reach, oca_name=group, oca_kind=reduce)


@dataclass(frozen=True)
class TwoBrackets(OrderStrategy):
    """Two independent brackets of one entry, re-priced at every close."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {
            "fast": ema(klines.close, 9),
            "slow": ema(klines.close, 21),
            "rsi": rsi(klines.close, 14),
            "atr": atr(klines.high, klines.low, klines.close, 14),
        }

    def on_bar(self, ctx: Context) -> None:
        fast, slow = ctx["fast"], ctx["slow"]
        if fast[0] > slow[0] and fast[1] <= slow[1] and ctx["rsi"][0] < 60 and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="entry")
        if ctx.is_long:
            entry, atr_now = ctx.entry_price_avg, ctx["atr"][0]
            for id, multiple in (("X_A", 1), ("X_B", 2)):
                reach = multiple * atr_now
                ctx.exit(id, "L", qty=1, limit=entry + reach, stop=entry - reach)


@dataclass(frozen=True)
class RawReduceDaily(OrderStrategy):
    """Raw target and stop in a reduce group, once a day."""

    def on_bar(self, ctx: Context) -> None:
        if opened_at(ctx, "07:15") and ctx.is_flat:
            ctx.entry("L", Side.BUY, comment="oca source")
        if ctx.is_long:
            entry, group, reduce = ctx.entry_price_avg, "pair", OcaKind.REDUCE
            ctx.order("TP", Side.SELL, qty=1, limit=entry * 1.004, oca_name=group, oca_kind=reduce)
            ctx.order("SL", Side.SELL, qty=1, stop=entry * 0.996, oca_name=group, oca_kind=reduce)
        else:
            ctx.cancel("TP")
            ctx.cancel("SL")
        if opened_at(ctx, "13:15"):
            ctx.close_entry("L", comment="timeout")


CASES = {
    "bracket-exit-tp-sl-fixed": Case(FixedBracket()),
    "bracket-entry-exit-same-pass-attach": Case(SamePassBracket()),
    "bracket-exit-three-way-set-once-entry": Case(ThreeWayExit()),
    "bracket-trail-points-no-offset-explicit": Case(
        ThreeWayExit(0.05, 0.05, 8.0, "trail8 + far stop/limit")
    ),
    "bracket-trail-points-with-offset-only": Case(TrailWithOffset()),
    "bracket-partial-exit-qty-percent": Case(PartialExit(), TWO_CONTRACTS),
    "bracket-same-id-exit-replace": Case(ReplacedExit()),
    "bracket-tp-sl-oca-reduce-isolate": Case(RawReduceGroup()),
    "oca-multi-bracket-isolation": Case(TwoBrackets(), TWO_CONTRACTS),
    "oca-raw-strategy-order-reduce": Case(RawReduceDaily()),
}
