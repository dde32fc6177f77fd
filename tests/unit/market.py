"""Markets of a few bars, and strategies that say at which bar what is done.

A bar is written (open, high, low, close). A script names what is said at the close of a bar; a fill
is written (bar, signed quantity, price).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engines.backtest import Backtest, run_backtest
from engines.context import Context
from engines.costs import FREE, Costs
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import HOUR_MS, Klines
from engines.plan import Plan, Sizing, SizingKind
from engines.signals import Signals
from engines.trades import Side, Trade
from engines.types import BOOL_1D, F64_1D
from engines.wishes import Tradable
from strategies.base import SignalStrategy, Strategy

START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
TENTHS = Instrument("T/USDT:USDT", tick_size=0.1, qty_step=0.001)
ONE_LOT = Plan(capital_quote=1_000_000.0, sizing=Sizing(SizingKind.QTY, 1.0))
BUY, SELL = Side.BUY, Side.SELL

Bar = tuple[float, float, float, float]
Row = tuple[int, float, float]
Command = Callable[[Context], object]
Script = Mapping[int, Command | Sequence[Command]]


def still(price: float) -> Bar:
    """Return a bar in which the price does not move."""
    return (price, price, price, price)


def klines_of(
    bars: Sequence[Bar],
    interval_ms: int = HOUR_MS,
    start_ms: int = START_MS,
    symbol: str = TENTHS.symbol,
    others: Mapping[str, Klines] | None = None,
    volume: Sequence[float] | None = None,
) -> Klines:
    """Return klines of these bars, one after the other."""
    columns = np.array(bars, dtype=np.float64).T
    return Klines(
        symbol,
        interval_ms,
        start_ms + interval_ms * np.arange(len(bars), dtype=np.int64),
        open=columns[0].copy(),
        high=columns[1].copy(),
        low=columns[2].copy(),
        close=columns[3].copy(),
        volume=np.ones(len(bars)) if volume is None else np.array(volume, dtype=np.float64),
        others={} if others is None else others,
    )


# What a script may say. `terms` are those of the command that is named.


def buys(id: str = "L", **terms: Any) -> Command:
    """Return a long entry."""
    return lambda ctx: ctx.entry(id, BUY, **terms)


def sells(id: str = "S", **terms: Any) -> Command:
    """Return a short entry."""
    return lambda ctx: ctx.entry(id, SELL, **terms)


def orders(id: str, side: Side, **terms: Any) -> Command:
    """Return a raw order."""
    return lambda ctx: ctx.order(id, side, **terms)


def exits(id: str, from_entry: str = "", **terms: Any) -> Command:
    """Return an exit bracket."""
    return lambda ctx: ctx.exit(id, from_entry, **terms)


def closes(entry_id: str, **terms: Any) -> Command:
    """Return a close of the entries of one name."""
    return lambda ctx: ctx.close_entry(entry_id, **terms)


def closes_all(**terms: Any) -> Command:
    """Return a close of the whole position."""
    return lambda ctx: ctx.close_all(**terms)


def cancels(id: str) -> Command:
    """Return the cancellation of an id."""
    return lambda ctx: ctx.cancel(id)


def cancels_all() -> Command:
    """Return the cancellation of everything."""
    return lambda ctx: ctx.cancel_all()


@dataclass(frozen=True)
class Scripted(Strategy):
    """Says at the close of a bar what its script has for it."""

    script: Script = field(default_factory=dict)

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: a script is not a parameter that could be swept."""
        return ()

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        """Return none."""
        return {}

    def on_bar(self, ctx: Context) -> None:
        """Say what the script has for this bar."""
        said = self.script.get(ctx.bar_index, ())
        for command in (said,) if callable(said) else said:
            command(ctx)


@dataclass(frozen=True)
class Wishes(SignalStrategy):
    """Wants what it was told, by bar: +1 long, -1 short, 0 out."""

    at: Mapping[int, int] = field(default_factory=dict)
    stop: Mapping[int, float] = field(default_factory=dict)
    target: Mapping[int, float] = field(default_factory=dict)
    size: Mapping[int, float] = field(default_factory=dict)
    share: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: what a test tells it is no parameter."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return the columns of what it was told."""

        def wish(value: int) -> BOOL_1D:
            return np.array([self.at.get(bar) == value for bar in range(len(klines))])

        def column(values: Mapping[int, float]) -> F64_1D | None:
            if not values:
                return None
            return np.array([values.get(bar, math.nan) for bar in range(len(klines))])

        return Signals(
            wish(1), wish(0), wish(-1), wish(0),
            column(self.stop), column(self.target), column(self.size), column(self.share),
        )  # fmt: skip # long and short side by side


def play(
    bars: Sequence[Bar] | Klines,
    script: Script | Tradable,
    plan: Plan = ONE_LOT,
    costs: Costs = FREE,
    instrument: Instrument = TENTHS,
    magnifier: Klines | None = None,
    rates: F64_1D | None = None,
    funding: Funding | None = None,
    mark: Klines | None = None,
) -> Backtest:
    """Trade a script (or a strategy) on a few bars."""
    strategy = Scripted(script) if isinstance(script, Mapping) else script
    klines = bars if isinstance(bars, Klines) else klines_of(bars)
    return run_backtest(
        strategy, klines, instrument, plan, costs,
        magnifier=magnifier, rates=rates, funding=funding, mark=mark,
    )  # fmt: skip # what is always there, then what may be missing


def fills(result: Backtest) -> list[Row]:
    """Return the fills in order as (bar, signed quantity, price)."""
    return [(fill.bar_index, int(fill.side) * fill.qty, fill.price) for fill in result.fills]


def filled(
    bars: Sequence[Bar], script: Script, plan: Plan = ONE_LOT, costs: Costs = FREE
) -> list[Row]:
    """Trade a script on a few bars and return its fills."""
    return fills(play(bars, script, plan, costs))


def closed(result: Backtest) -> list[Trade]:
    """Return the trades that were closed."""
    return [trade for trade in result.trades if not trade.is_open]


def plan_with(**changes: Any) -> Plan:
    """Return the plan of one lot an order with some settings changed."""
    return replace(ONE_LOT, **changes)
