"""Twins that throw dice: one command a bar, and any may follow any other.

The bar's volume is the die: it chooses the command, its side, its distance and its quantity. Each
twin leaves out what the note in `test_second_opinion` sets aside.
"""

from dataclasses import dataclass
from typing import ClassVar

from engines.context import Context
from engines.costs import Costs
from engines.plan import Plan, Sizing, SizingKind
from engines.trades import Side
from tests.parity.pyne_opinion import Twin, TwinCase

# A throw on both sides: what is done, at which distance, how much, and on which side.
FACES, DISTANCES, SIZES = 18, 40, 8
THROW = f"""
    throw = int(volume)
    what = throw % {FACES}
    far = throw // {FACES} % {DISTANCES} * 0.05
    qty = 0.5 + throw // {FACES * DISTANCES} % {SIZES} * 0.25
    is_buy = throw // {FACES * DISTANCES * SIZES} % 2 == 0
    side = strategy.long if is_buy else strategy.short
    name = "L" if is_buy else "S"
    sign = 1 if is_buy else -1
"""


@dataclass(frozen=True, slots=True)
class Throw:
    """What one bar's die says."""

    what: int
    far: float
    qty: float
    side: Side

    @property
    def name(self) -> str:
        """Return the id of the side's entries."""
        return "L" if self.side is Side.BUY else "S"


def throw_of(ctx: Context) -> Throw:
    """Return the throw of the bar that has just closed, as `THROW` reads it."""
    rest, what = divmod(int(ctx.volume[0]), FACES)
    rest, distance = divmod(rest, DISTANCES)
    rest, size = divmod(rest, SIZES)
    return Throw(what, distance * 0.05, 0.5 + size * 0.25, Side.SELL if rest % 2 else Side.BUY)


@dataclass(frozen=True)
class EntryAndRawDice(Twin):
    """Entries, raw orders, closes and cancels."""

    pine: ClassVar[str] = f"""{THROW}
    if what <= 1:
        strategy.entry(name, side, qty=qty)
    if what == 2:
        strategy.entry(name, side, qty=qty, stop=close + sign * far)
    if what == 3:
        strategy.entry(name, side, qty=qty, limit=close - sign * far)
    if what == 4:
        strategy.order("raw " + name, side, qty=qty)
    if what == 5:
        strategy.order("raw " + name, side, qty=qty, limit=close - sign * far)
    if what == 6:
        strategy.order("raw " + name, side, qty=qty, stop=close + sign * far)
    if what == 7:
        strategy.order("raw " + name, side, qty=qty, stop=close + sign * far, limit=close)
    if what == 8:
        strategy.close(name)
    if what == 9:
        strategy.close(name, qty=qty)
    if what == 10:
        strategy.close_all()
    if what == 11:
        strategy.cancel(name)
    if what == 12:
        strategy.close(name, immediately=True)
    """

    def on_bar(self, ctx: Context) -> None:
        throw = throw_of(ctx)
        what, name, side, qty = throw.what, throw.name, throw.side, throw.qty
        above, below = ctx.close[0] + side * throw.far, ctx.close[0] - side * throw.far
        if what <= 1:
            ctx.entry(name, side, qty=qty)
        if what == 2:
            ctx.entry(name, side, qty=qty, stop=above)
        if what == 3:
            ctx.entry(name, side, qty=qty, limit=below)
        if what == 4:
            ctx.order(f"raw {name}", side, qty=qty)
        if what == 5:
            ctx.order(f"raw {name}", side, qty=qty, limit=below)
        if what == 6:
            ctx.order(f"raw {name}", side, qty=qty, stop=above)
        if what == 7:
            ctx.order(f"raw {name}", side, qty=qty, stop=above, limit=ctx.close[0])
        if what == 8:
            ctx.close_entry(name)
        if what == 9:
            ctx.close_entry(name, qty=qty)
        if what == 10:
            ctx.close_all()
        if what == 11:
            ctx.cancel(name)
        if what == 12:
            ctx.close_entry(name, immediately=True)


BRACKETS = f"""{THROW}
    held = strategy.position_size * sign
    if strategy.position_size > 0 or what != 2 and what != 3 and what <= 12:
        strategy.cancel("S")
    if strategy.position_size < 0 or what != 2 and what != 3 and what <= 12:
        strategy.cancel("L")
    if what <= 1:
        strategy.entry(name, side, qty=qty)
    if what == 2 and held >= 0:
        strategy.entry(name, side, qty=qty, stop=close + sign * far)
    if what == 3 and held >= 0:
        strategy.entry(name, side, qty=qty, limit=close - sign * far)
    if what <= 6 and what >= 4 and held > 0:
        strategy.exit("all", name, profit=20 + far * 50, loss=120 - far * 50, comment="out")
    if what == 7 and held > 0 and is_sliced:
        strategy.exit("part", name, qty_percent=40, profit=30 + far * 50, comment="out")
    if what == 8 and held > 0 and is_sliced:
        strategy.exit("step", name, qty=qty, stop=close - sign * far, limit=close + sign,
                      comment="out")
    if what == 9 and held > 0 and is_trailing:
        strategy.exit("all", name, trail_price=close + sign * (0.01 + far * 0.3),
                      trail_offset=15, comment="out")
    if what == 10:
        strategy.close(name)
    if what == 11:
        strategy.close_all()
    if what == 12:
        strategy.close(name, immediately=True)
"""


@dataclass(frozen=True)
class BracketDice(Twin):
    """Entries and their brackets; no other entry waits when a bracket or a close is issued."""

    pine: ClassVar[str] = f"""
    is_sliced, is_trailing = False, False
{BRACKETS}"""
    is_sliced: ClassVar[bool] = False
    is_trailing: ClassVar[bool] = False

    def on_bar(self, ctx: Context) -> None:
        throw = throw_of(ctx)
        what, name, side, qty = throw.what, throw.name, throw.side, throw.qty
        far, close = throw.far, ctx.close[0]
        held = ctx.position_qty * side
        is_cleared = what not in (2, 3) and what <= 12
        if ctx.is_long or is_cleared:
            ctx.cancel("S")
        if ctx.is_short or is_cleared:
            ctx.cancel("L")
        if what <= 1:
            ctx.entry(name, side, qty=qty)
        if what == 2 and held >= 0:
            ctx.entry(name, side, qty=qty, stop=close + side * far)
        if what == 3 and held >= 0:
            ctx.entry(name, side, qty=qty, limit=close - side * far)
        if 4 <= what <= 9 and held > 0:
            _bracket(ctx, throw, close, self.is_sliced, self.is_trailing)
        if what == 10:
            ctx.close_entry(name)
        if what == 11:
            ctx.close_all()
        if what == 12:
            ctx.close_entry(name, immediately=True)


@dataclass(frozen=True)
class SliceDice(BracketDice):
    """The same with exits of a part of the entry."""

    pine: ClassVar[str] = BracketDice.pine.replace("False, False", "True, False")
    is_sliced: ClassVar[bool] = True


@dataclass(frozen=True)
class TrailDice(BracketDice):
    """The same with trailing exits that take the bracket's place and give it back."""

    pine: ClassVar[str] = BracketDice.pine.replace("False, False", "False, True")
    is_trailing: ClassVar[bool] = True


def _bracket(ctx: Context, throw: Throw, close: float, is_sliced: bool, is_trailing: bool) -> None:
    what, name, side, far = throw.what, throw.name, throw.side, throw.far
    if what <= 6:
        profit, loss = 20 + far * 50, 120 - far * 50
        ctx.exit("all", name, profit_ticks=profit, loss_ticks=loss, comment="out")
    if what == 7 and is_sliced:
        ctx.exit("part", name, qty_ratio=0.4, profit_ticks=30 + far * 50, comment="out")
    if what == 8 and is_sliced:
        stop, limit = close - side * far, close + side
        ctx.exit("step", name, qty=throw.qty, stop=stop, limit=limit, comment="out")
    if what == 9 and is_trailing:
        arm = close + side * (0.01 + far * 0.3)
        ctx.exit("all", name, trail_price=arm, trail_offset=15, comment="out")


AMPLE_QUOTE = 1_000_000.0
ONE = Sizing(SizingKind.QTY, 1.0)
ADDS = Plan(AMPLE_QUOTE, sizing=ONE, pyramiding=3)
ON_CLOSE = Plan(AMPLE_QUOTE, sizing=ONE, pyramiding=2, process_on_close=True)
SLIPPED = Costs(commission=0.0005, slippage_ticks=2)
FEE = Costs(commission=0.0005)

CASES = {
    "entry_and_raw_dice": TwinCase(EntryAndRawDice()),
    "entry_and_raw_dice_adds": TwinCase(EntryAndRawDice(), ADDS, SLIPPED),
    "entry_and_raw_dice_on_close": TwinCase(EntryAndRawDice(), ON_CLOSE, SLIPPED),
    "slice_dice": TwinCase(SliceDice()),
    "trail_dice": TwinCase(TrailDice(), costs=SLIPPED),
    "bracket_dice_adds": TwinCase(BracketDice(), ADDS, FEE),
    "bracket_dice_on_close": TwinCase(BracketDice(), ON_CLOSE, FEE),
}
