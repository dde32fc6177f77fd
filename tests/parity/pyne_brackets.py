"""Twins of exit brackets: re-priced, attached at once, trailing, partial, in ticks."""

from dataclasses import dataclass
from typing import ClassVar

from engines.context import Context
from engines.costs import Costs
from engines.plan import Plan, Sizing, SizingKind
from engines.trades import Side
from tests.parity.pyne_opinion import Twin, TwinCase


@dataclass(frozen=True)
class BracketEachBar(Twin):
    """A market long; in a position, a bracket around its price at every close."""

    pine: ClassVar[str] = """
    if bar_index % 4 == 0 and strategy.position_size == 0:
        strategy.entry("L", strategy.long)
    if strategy.position_size > 0:
        strategy.exit("out", "L", limit=strategy.position_avg_price * 1.007,
                      stop=strategy.position_avg_price * 0.994,
                      comment_profit="profit", comment_loss="loss")
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 4 == 0 and ctx.is_flat:
            ctx.entry("L", Side.BUY)
        if ctx.is_long:
            price = ctx.entry_price_avg
            ctx.exit(
                "out",
                "L",
                limit=price * 1.007,
                stop=price * 0.994,
                comment_profit="profit",
                comment_loss="loss",
            )


@dataclass(frozen=True)
class BracketSamePass(Twin):
    """An entry on either side with its bracket in the same pass; entries may reverse."""

    pine: ClassVar[str] = """
    if bar_index % 6 == 0:
        strategy.entry("L", strategy.long)
        strategy.exit("out of L", "L", limit=close + 0.9, stop=close - 0.5)
    if bar_index % 9 == 4:
        strategy.entry("S", strategy.short)
        strategy.exit("out of S", "S", limit=close - 0.9, stop=close + 0.5)
    """

    def on_bar(self, ctx: Context) -> None:
        close = ctx.close[0]
        if ctx.bar_index % 6 == 0:
            ctx.entry("L", Side.BUY)
            ctx.exit("out of L", "L", limit=close + 0.9, stop=close - 0.5)
        if ctx.bar_index % 9 == 4:
            ctx.entry("S", Side.SELL)
            ctx.exit("out of S", "S", limit=close - 0.9, stop=close + 0.5)


@dataclass(frozen=True)
class StopEntryBracket(Twin):
    """A stop or limit entry whose bracket is live from the fill inside the bar."""

    pine: ClassVar[str] = """
    if strategy.position_size == 0:
        strategy.entry("L", strategy.long, stop=high + 0.05)
        strategy.exit("out of L", "L", profit=60, loss=40)
        strategy.entry("S", strategy.short, limit=high + 0.60)
        strategy.exit("out of S", "S", profit=50, loss=70)
    else:
        strategy.cancel("L")
        strategy.cancel("S")
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.is_flat:
            ctx.entry("L", Side.BUY, stop=ctx.high[0] + 0.05)
            ctx.exit("out of L", "L", profit_ticks=60, loss_ticks=40)
            ctx.entry("S", Side.SELL, limit=ctx.high[0] + 0.60)
            ctx.exit("out of S", "S", profit_ticks=50, loss_ticks=70)
        else:
            ctx.cancel("L")
            ctx.cancel("S")


@dataclass(frozen=True)
class TrailingEachBar(Twin):
    """A trailing exit with an offset, issued at every close in a position."""

    pine: ClassVar[str] = """
    if bar_index % 7 == 0 and strategy.position_size == 0:
        strategy.entry("L", strategy.long)
    if bar_index % 7 == 3 and strategy.position_size == 0:
        strategy.entry("S", strategy.short)
    gain = (close - strategy.position_avg_price) * (1 if strategy.position_size > 0 else -1)
    if strategy.position_size != 0 and math.round(gain * 100) != 45:
        strategy.exit("trail", trail_points=45, trail_offset=25)
    if bar_index % 70 == 69:
        strategy.close_all()
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 7 == 0 and ctx.is_flat:
            ctx.entry("L", Side.BUY)
        if ctx.bar_index % 7 == 3 and ctx.is_flat:
            ctx.entry("S", Side.SELL)
        gain = (ctx.close[0] - ctx.entry_price_avg) * (1 if ctx.is_long else -1)
        if not ctx.is_flat and round(gain * 100) != 45:
            ctx.exit("trail", trail_points=45, trail_offset=25)
        if ctx.bar_index % 70 == 69:
            ctx.close_all()


@dataclass(frozen=True)
class TrailingSamePass(Twin):
    """A trailing exit with a hard stop and a target, issued once with the entry."""

    pine: ClassVar[str] = """
    if bar_index % 8 == 0 and strategy.position_size == 0:
        strategy.entry("L", strategy.long)
        strategy.exit("out", "L", trail_points=20, trail_offset=15, stop=close * 0.99,
                      limit=close * 1.02, comment_trailing="trailed")
    if bar_index % 8 == 5 and strategy.position_size == 0:
        strategy.entry("S", strategy.short)
        strategy.exit("out", "S", trail_points=30, trail_offset=0, stop=close * 1.01)
    """

    def on_bar(self, ctx: Context) -> None:
        close = ctx.close[0]
        if ctx.bar_index % 8 == 0 and ctx.is_flat:
            ctx.entry("L", Side.BUY)
            ctx.exit(
                "out",
                "L",
                trail_points=20,
                trail_offset=15,
                stop=close * 0.99,
                limit=close * 1.02,
                comment_trailing="trailed",
            )
        if ctx.bar_index % 8 == 5 and ctx.is_flat:
            ctx.entry("S", Side.SELL)
            ctx.exit("out", "S", trail_points=30, trail_offset=0, stop=close * 1.01)


@dataclass(frozen=True)
class PartialExits(Twin):
    """Two targets of a third each and a stop for the rest."""

    pine: ClassVar[str] = """
    if bar_index % 5 == 0 and strategy.position_size == 0:
        strategy.entry("L", strategy.long, qty=3)
    if strategy.position_size > 0:
        strategy.exit("first", "L", qty_percent=30, limit=strategy.position_avg_price + 0.4)
        strategy.exit("second", "L", qty_percent=30, limit=strategy.position_avg_price + 0.9,
                      stop=strategy.position_avg_price - 0.7)
        strategy.exit("rest", "L", stop=strategy.position_avg_price - 1.1)
    if bar_index % 60 == 58:
        strategy.close("L", comment="enough")
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 5 == 0 and ctx.is_flat:
            ctx.entry("L", Side.BUY, qty=3)
        if ctx.is_long:
            price = ctx.entry_price_avg
            ctx.exit("first", "L", qty_ratio=0.3, limit=price + 0.4)
            ctx.exit("second", "L", qty_ratio=0.3, limit=price + 0.9, stop=price - 0.7)
            ctx.exit("rest", "L", stop=price - 1.1)
        if ctx.bar_index % 60 == 58:
            ctx.close_entry("L", comment="enough")


@dataclass(frozen=True)
class AddsWithBracket(Twin):
    """Adds under one name, each with its own leg of one bracket in ticks."""

    pine: ClassVar[str] = """
    if bar_index % 4 == 0:
        strategy.entry("L", strategy.long)
    strategy.exit("out", "L", profit=110, loss=90)
    """

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar_index % 4 == 0:
            ctx.entry("L", Side.BUY)
        ctx.exit("out", "L", profit_ticks=110, loss_ticks=90)


AMPLE_QUOTE = 1_000_000.0
ONE = Sizing(SizingKind.QTY, 1.0)
ADDS = Plan(AMPLE_QUOTE, sizing=ONE, pyramiding=3)
ON_CLOSE = Plan(AMPLE_QUOTE, sizing=ONE, process_on_close=True)
ALL_IN = Plan(10_000.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.998))
SLIPPED = Costs(commission=0.0005, slippage_ticks=2)

CASES = {
    "bracket_each_bar": TwinCase(BracketEachBar(), gap_name="out"),
    "bracket_each_bar_slipped": TwinCase(BracketEachBar(), costs=SLIPPED, gap_name="out"),
    "bracket_all_in": TwinCase(BracketEachBar(), ALL_IN, gap_name="out"),
    "bracket_same_pass": TwinCase(BracketSamePass()),
    "bracket_same_pass_on_close": TwinCase(BracketSamePass(), ON_CLOSE, SLIPPED),
    "stop_entry_bracket": TwinCase(StopEntryBracket(), costs=SLIPPED),
    "trailing_each_bar": TwinCase(TrailingEachBar(), costs=SLIPPED),
    "trailing_same_pass": TwinCase(TrailingSamePass()),
    "partial_exits": TwinCase(PartialExits(), costs=SLIPPED),
    "adds_with_bracket": TwinCase(AddsWithBracket(), ADDS),
}
