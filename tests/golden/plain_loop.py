"""A broker in one loop, for signals with a bracket of their own: a second opinion on the trades.

It shares nothing with the engine but the rules: a decision fills at the next open; the bracket is
live from then on, inside the entry bar too; a level that an open has passed fills at that open; the
high comes first where it is nearer to the open; levels are rounded to the tick away from the entry;
an opposite entry reverses; a share of equity at the deciding close, commission included, sizes an
entry, down to the step.
"""

import math
from dataclasses import dataclass

import numpy as np

from engines.klines import Klines
from engines.signals import Signals

TICKS_PER_QUOTE = 10
STEPS_PER_CONTRACT = 1000
NOISE = 1e-6


@dataclass
class Lot:
    """One open entry: side, steps of quantity, entry and its bracket in ticks, None without."""

    side: int
    steps: int
    bar: int
    price: int
    stop: int | None
    target: int | None


Line = tuple[int, int, int, int, int, int, str]


@dataclass(frozen=True)
class Terms:
    """What the plan says: share of equity, entries a side, a target above the average or None."""

    capital: float
    fee_ratio: float
    share: float = 0.1
    entries_max: int = 1
    average_target_ratio: float | None = None


class PlainLoop:
    """Trades signals bar by bar; `trades` are (side, steps, bars and prices of both fills, why)."""

    def __init__(self, klines: Klines, signals: Signals, terms: Terms) -> None:
        columns = (klines.open, klines.high, klines.low, klines.close)
        ticks = [[round(price * TICKS_PER_QUOTE) for price in column] for column in columns]
        self.rows = list(zip(*ticks, strict=True))
        self.signals, self.terms, self.cash = signals.priced(), terms, terms.capital
        self.lots: list[Lot] = []
        self.trades: list[Line] = []

    def run(self) -> list[Line]:
        """Return the trades; what is open at the end is closed at the last close."""
        for bar, row in enumerate(self.rows):
            if bar:
                self.fill_wishes(bar - 1)
            for lot in list(self.lots):
                self.walk(lot, bar, row)
        self.close_all(len(self.rows) - 1, self.rows[-1][3], "end_of_data")
        return self.trades

    def fill_wishes(self, decided: int) -> None:
        """Fill at this open what was decided at the close before."""
        signals, bar = self.signals, decided + 1
        side = int(signals.entry_long[decided]) - int(signals.entry_short[decided])
        equity = self.equity(decided)
        opened = self.rows[bar][0]
        held = self.lots[0].side if self.lots else 0
        if (held > 0 and signals.exit_long[decided]) or (held < 0 and signals.exit_short[decided]):
            self.close_all(bar, opened, "signal")
        elif side and held and side != held:
            self.close_all(bar, opened, "reversal")
        if side and len(self.lots) < self.terms.entries_max:
            self.open(side, decided, equity, opened)

    def equity(self, bar: int) -> float:
        """Return cash and the open result at a close."""
        close = self.rows[bar][3]
        return self.cash + sum(
            money(lot.side * lot.steps * (close - lot.price)) for lot in self.lots
        )

    def open(self, side: int, decided: int, equity: float, price: int) -> None:
        """Open a lot, its bracket rounded away from the entry."""
        signals, close = self.signals, self.rows[decided][3] / TICKS_PER_QUOTE
        given = signals.equity_ratio
        share = self.terms.share if given is None else float(given[decided])
        qty = share * equity / (close * (1 + self.terms.fee_ratio))
        steps = math.floor(qty * STEPS_PER_CONTRACT + NOISE)
        if not steps:
            return
        stop = level(signals.stop_price, decided, -side)
        target = level(signals.target_price, decided, side)
        self.lots.append(Lot(side, steps, decided + 1, price, stop, target))
        self.cash -= self.terms.fee_ratio * money(steps * price)
        if self.terms.average_target_ratio is not None:
            total = sum(lot.steps * lot.price for lot in self.lots)
            average = total / sum(lot.steps for lot in self.lots)
            for lot in self.lots:
                lot.target = away(average * (1 + side * self.terms.average_target_ratio), side)

    def close_all(self, bar: int, price: int, reason: str) -> None:
        """Close every lot at one price."""
        for lot in list(self.lots):
            self.close(lot, bar, price, reason)

    def close(self, lot: Lot, bar: int, price: int, reason: str) -> None:
        """Close a lot and note the trade."""
        self.cash += money(lot.side * lot.steps * (price - lot.price))
        self.cash -= self.terms.fee_ratio * money(lot.steps * price)
        self.trades.append((lot.side, lot.steps, lot.bar, lot.price, bar, price, reason))
        self.lots.remove(lot)

    def walk(self, lot: Lot, bar: int, row: tuple[int, ...]) -> None:
        """Follow the bar's path to the first level of a lot that it reaches."""
        opened, high, low, _ = row
        is_high_first = high - opened < opened - low
        path = [opened, high, low] if is_high_first else [opened, low, high]
        for step, price in enumerate(path):
            if lot.stop is not None and lot.side * (price - lot.stop) <= 0:
                self.close(lot, bar, price if step == 0 else lot.stop, "stop_loss")
                return
            if lot.target is not None and lot.side * (price - lot.target) >= 0:
                self.close(lot, bar, price if step == 0 else lot.target, "take_profit")
                return


def money(tick_steps: int) -> float:
    """Return quote for ticks times steps."""
    return tick_steps / (TICKS_PER_QUOTE * STEPS_PER_CONTRACT)


def level(prices: np.ndarray | None, bar: int, direction: int) -> int | None:
    """Return the level of a bar in whole ticks, None without one."""
    if prices is None or np.isnan(prices[bar]):
        return None
    return away(float(prices[bar]) * TICKS_PER_QUOTE, direction)


def away(ticks: float, direction: int) -> int:
    """Return a level in whole ticks, rounded up for direction 1 and down for -1."""
    return math.ceil(ticks - NOISE) if direction > 0 else math.floor(ticks + NOISE)
