"""One market seen from both sides: what holds of a long on some bars holds of a short on others.

Prices are mirrored at 100, so an entry at 100.0 keeps its ratios too. A test is written for a long;
`Mirror` says the same of a short and turns what it did back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engines.backtest import Backtest
from engines.costs import FREE, Costs
from engines.plan import Plan
from engines.trades import ExitReason, Side
from tests.unit.market import Bar, Command, Row, Script, plan_with, play

AXIS = 200.0
PRICES = ("limit", "stop", "trail_price")
STACKED = plan_with(pyramiding=9)
Exit = tuple[int, float, ExitReason]


def flipped(price: float) -> float:
    """Return the price on the other side of 100, on the tick."""
    return round(AXIS - price, 6)


@dataclass(frozen=True)
class Mirror:
    """Says commands and reads results as if the entry were long."""

    side: Side

    def price(self, price: float) -> float:
        """Return a price as this side sees it."""
        return price if self.side is Side.BUY else flipped(price)

    def _terms(self, terms: dict[str, Any]) -> dict[str, Any]:
        return {n: self.price(v) if n in PRICES else v for n, v in terms.items()}

    def enters(self, id: str = "L", **terms: Any) -> Command:
        """Return an entry."""
        said = self._terms(terms)
        return lambda ctx: ctx.entry(id, self.side, **said)

    def reverses(self, id: str = "S", **terms: Any) -> Command:
        """Return an entry against it."""
        said = self._terms(terms)
        return lambda ctx: ctx.entry(id, self.side.opposite, **said)

    def exits(self, id: str = "X", from_entry: str = "", **terms: Any) -> Command:
        """Return an exit bracket."""
        said = self._terms(terms)
        return lambda ctx: ctx.exit(id, from_entry, **said)

    def play(
        self, bars: Sequence[Bar], script: Script, plan: Plan = STACKED, costs: Costs = FREE
    ) -> Backtest:
        """Trade a script on the bars as this side sees them."""
        if self.side is Side.SELL:
            bars = [
                (flipped(o), flipped(low), flipped(high), flipped(c)) for o, high, low, c in bars
            ]
        return play(bars, script, plan, costs)

    def fills(self, result: Backtest) -> list[Row]:
        """Return the fills as (bar, signed quantity, price) of a long."""
        return [
            (fill.bar_index, int(fill.side * self.side) * fill.qty, self.price(fill.price))
            for fill in result.fills
        ]

    def filled(self, bars: Sequence[Bar], script: Script, plan: Plan = STACKED) -> list[Row]:
        """Trade a script and return its fills."""
        return self.fills(self.play(bars, script, plan))

    def exited(self, bars: Sequence[Bar], script: Script, plan: Plan = STACKED) -> list[Exit]:
        """Trade a script and return its closed trades as (bar, exit price of a long, reason)."""
        trades = self.play(bars, script, plan).trades
        return [
            (trade.exit_bar, self.price(trade.exit_price), trade.exit_reason)
            for trade in trades
            if not trade.is_open
        ]


BOTH_SIDES = pytest.mark.parametrize(
    "market", [Mirror(Side.BUY), Mirror(Side.SELL)], ids=["long", "short"]
)


def without_ties(bars: Sequence[Bar], tick: float = 0.1) -> list[Bar]:
    """Return bars none of whose extremes are equally near to the open.

    There the low comes first whichever side looks on, so a mirrored bar would take another path.
    """
    apart = []
    for bar in bars:
        open_price, high, low, close = bar
        if abs((high - open_price) - (open_price - low)) < tick / 2:
            high = round(high + tick, 6)
        apart.append((open_price, high, low, close))
    return apart


def verified(ticks: int) -> Plan:
    """Return the plan in which a limit wants so many ticks beyond its price."""
    return replace(STACKED, limit_verify_ticks=ticks)
