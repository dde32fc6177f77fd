"""The net position of one instrument, its lots, and the trades made by closing them.

Theory. Two books are kept of the same quantity, because TradingView does so. `lots` are the rows
of the trade list: an exit consumes them by the close rule, oldest first under FIFO, whichever entry
it names. `entries` say what each entry's own exits may still close; they also hold its place under
the pyramiding limit until its own quantity is spent. Both sum to the position at all times.
Quantities are whole steps, so the sums are exact.

A trade's excursion is the best and worst price between its two fills along the path that the price
took: of the entry bar what came after the entry, of the exit bar what came before the exit, of the
bars between their full range. The lot records the first part, the broker passes the second, and
the bars between are read from the columns when the trade closes.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engines.instrument import Instrument
from engines.klines import Klines
from engines.orders import Entry
from engines.plan import Basis, CloseRule
from engines.trades import ExitReason, Side, Trade
from engines.types import F64_1D

# Over so few bars a scan of a list is faster than a numpy reduction.
LIST_BARS_MAX = 200


@dataclass(slots=True, eq=False)
class Lot:
    """An open row of the trade list.

    `fee_quote` is what is left of its entry commission, `funding_quote` what it has paid at
    settlements, both in account currency; `slip` the slippage in its price, in quote.
    """

    entry: Entry
    name: str
    side: Side
    steps: int
    price: float
    fee_quote: float
    rate: float
    bar_index: int
    time_ms: int
    high: float
    low: float
    slip: float = 0.0
    funding_quote: float = 0.0


class Round(NamedTuple):
    """One position from flat to flat, all its trades together, in account currency.

    `pnl_ratio` is over what its entries cost.
    """

    exit_bar: int
    exit_time_ms: int
    pnl_quote: float
    pnl_ratio: float


class Result(NamedTuple):
    """What a part of a lot made, in account currency."""

    pnl_quote: float
    fee_entry_quote: float
    fee_exit_quote: float
    funding_quote: float


class ExitPoint(NamedTuple):
    """Where, how and why lots are closed: the fill, and the path of its bar up to it.

    `slip` is the slippage in `price`, in quote.
    """

    bar_index: int
    time_ms: int
    price: float
    name: str
    rate: float
    bar_high: float
    bar_low: float
    is_open: bool = False
    reason: ExitReason = ExitReason.SIGNAL
    slip: float = 0.0


class Position:
    """Lots and entries of one instrument; `signed_steps` > 0 is long.

    `net_quote` is the result of what has been closed, `fees_open_quote` the entry commission of
    what is open and `funding_open_quote` the funding it has paid, all in account currency.
    `price_last` is the last fill that opened or added.
    """

    def __init__(
        self,
        klines: Klines,
        highs: list[float],
        lows: list[float],
        instrument: Instrument,
        rule: CloseRule,
        rates: F64_1D | None,
    ) -> None:
        self.klines = klines
        self.highs = highs
        self.lows = lows
        self.instrument = instrument
        self.rates = rates
        self.rule = rule
        self.signed_steps = 0
        self.price_avg = 0.0
        self.price_last = 0.0
        self.lots: list[Lot] = []
        self.entries: list[Entry] = []
        self.trades: list[Trade] = []
        self.rounds: list[Round] = []
        self._round_start = 0
        self.net_quote = 0.0
        self.fees_open_quote = 0.0
        self.funding_open_quote = 0.0
        self.peer: Position | None = None  # the other side's, in hedge mode

    @property
    def signed_qty(self) -> float:
        """Return the position in contracts, long above zero."""
        return self.instrument.qty_of(self.signed_steps)

    @property
    def settled_quote(self) -> float:
        """Return the net result of what was closed less what open lots have paid so far."""
        return self.net_quote - self.fees_open_quote - self.funding_open_quote

    @property
    def earned_quote(self) -> float:
        """Return the same of the account: with what the other side's position has earned."""
        own = self.net_quote - self.fees_open_quote - self.funding_open_quote
        return own if self.peer is None else own + self.peer.settled_quote

    def pnl_open_quote(self, price: float) -> float:
        """Return the gross result of the open lots at `price`, in quote."""
        gain = (price - self.price_avg) * self.instrument.qty_of(self.signed_steps)
        return gain * self.instrument.point_value

    @property
    def bases(self) -> dict[Basis, float]:
        """Return the prices that the distances of shared exits count from."""
        return {Basis.AVERAGE: self.price_avg, Basis.LAST: self.price_last}

    def base_price(self, basis: Basis, entry: Entry) -> float:
        """Return the price that the distances of an exit of `entry` count from."""
        return entry.price if basis is Basis.ENTRY else self.bases[basis]

    def add(self, lot: Lot) -> None:
        """Open `lot`: a new row and a new entry."""
        assert lot.steps > 0 and self.signed_steps * lot.side >= 0
        self.lots.append(lot)
        self.entries.append(lot.entry)
        self.price_last = lot.price
        self.signed_steps += lot.side * lot.steps
        self.fees_open_quote += lot.fee_quote
        self._average()

    def pay_funding(self, paid_quote: float) -> None:
        """Share a settlement among the open lots by quantity; below zero is received."""
        held = abs(self.signed_steps)
        for lot in self.lots:
            lot.funding_quote += paid_quote * lot.steps / held
        self.funding_open_quote += paid_quote

    def reduce(
        self, steps: int, fee_quote: float, point: ExitPoint, bound: Sequence[Entry] = ()
    ) -> None:
        """Close `steps` of the position at `point`, paying `fee_quote` for it.

        `bound` are the entries whose exit this is; a reduction that is bound to none spends the
        entries oldest first. Lots are consumed by the close rule.
        """
        assert 0 < steps <= abs(self.signed_steps), "a reduction never flips"
        self._spend(steps, bound)
        side = Side.BUY if self.signed_steps > 0 else Side.SELL
        left = steps
        for lot in self._consumed_order(bound):
            if not left:
                break
            part = min(left, lot.steps)
            self.trades.append(self._close(lot, part, fee_quote * part / steps, point))
            left -= part
        assert not left
        self.signed_steps -= side * steps
        if not self.signed_steps:
            self.lots = []
            self.fees_open_quote = self.funding_open_quote = self.price_avg = 0.0
            self._end_round()
            return
        self.lots = [lot for lot in self.lots if lot.steps]
        self.fees_open_quote = _added(lot.fee_quote for lot in self.lots)
        if self.funding_open_quote:
            self.funding_open_quote = _added(lot.funding_quote for lot in self.lots)
        self._average()

    def _end_round(self) -> None:
        """Note the position that has just ended."""
        trades = self.trades[self._round_start :]
        self._round_start = len(self.trades)
        last, pnl_quote, pnl_ratio = trades[-1], trades[0].pnl_quote, trades[0].pnl_ratio
        if len(trades) > 1:
            weights = [trade.entry_price * trade.qty for trade in trades]
            pnl_quote = math.fsum(trade.pnl_quote for trade in trades)
            parts = (t.pnl_ratio * w for t, w in zip(trades, weights, strict=True))
            pnl_ratio = math.fsum(parts) / math.fsum(weights)
        self.rounds.append(Round(last.exit_bar, last.exit_time_ms, pnl_quote, pnl_ratio))

    def open_trades(self, point: ExitPoint, fee_quote: Callable[[int], float]) -> list[Trade]:
        """Return the open lots as trades valued at `point`.

        Their result takes off the commission that closing them would cost (`fee_quote` of steps),
        as TradingView's list does.
        """
        kept = self.net_quote, self.fees_open_quote, self.funding_open_quote
        trades = [
            self._close(replace(lot), lot.steps, fee_quote(lot.steps), point) for lot in self.lots
        ]
        self.net_quote, self.fees_open_quote, self.funding_open_quote = kept
        return trades

    def _average(self) -> None:
        if len(self.lots) <= 1:
            self.price_avg = self.lots[0].price if self.lots else 0.0
            return
        total = _added(lot.price * lot.steps for lot in self.lots)
        self.price_avg = total / abs(self.signed_steps)

    def _consumed_order(self, bound: Sequence[Entry]) -> list[Lot]:
        if self.rule is CloseRule.LIFO:
            return self.lots[::-1]
        if len(self.lots) > 1 and self.rule is CloseRule.ANY and bound:
            # The entry's own rows first: they can be fewer after an unbound reduction.
            return sorted(self.lots, key=lambda lot: lot.entry not in bound)
        return list(self.lots)

    def _spend(self, steps: int, bound: Sequence[Entry]) -> None:
        if len(self.entries) == 1:  # the usual case, without the lists
            self.entries[0].bound_steps -= steps
            if not self.entries[0].bound_steps:
                self.entries = []
            return
        for entry in (*bound, *(entry for entry in self.entries if entry not in bound)):
            part = min(steps, entry.bound_steps)
            entry.bound_steps -= part
            steps -= part
        self.entries = [entry for entry in self.entries if entry.bound_steps]

    def _cut(self, lot: Lot, steps: int) -> tuple[float, float]:
        """Take `steps` off `lot`; return their share of its entry commission and its funding."""
        fee_quote = lot.fee_quote * steps / lot.steps
        funding_quote = lot.funding_quote * steps / lot.steps
        lot.steps -= steps
        lot.fee_quote -= fee_quote
        lot.funding_quote -= funding_quote
        self.fees_open_quote -= fee_quote
        self.funding_open_quote -= funding_quote
        return fee_quote, funding_quote

    def _close(self, lot: Lot, steps: int, exit_fee_quote: float, point: ExitPoint) -> Trade:
        """Cut `steps` off `lot` and return them as a trade."""
        entry_fee_quote, funding_quote = self._cut(lot, steps)
        qty = self.instrument.qty_of(steps)
        unit = qty * self.instrument.point_value
        sign = int(lot.side)
        gross = sign * (point.price - lot.price) * unit * point.rate
        pnl_quote = gross - entry_fee_quote - exit_fee_quote - funding_quote
        self.net_quote += pnl_quote
        return self._trade(
            lot, qty, Result(pnl_quote, entry_fee_quote, exit_fee_quote, funding_quote), point
        )

    def _trade(self, lot: Lot, qty: float, result: Result, point: ExitPoint) -> Trade:
        """Return a part of `lot` that has just been closed as a row of the trade list."""
        unit = qty * self.instrument.point_value
        rise, fall = self._excursion(lot, point)
        gain, loss = (rise, fall) if lot.side > 0 else (fall, rise)
        mfe_quote = max(0.0, gain * unit - result.fee_entry_quote)
        mae_quote = max(0.0, loss * unit + result.fee_entry_quote)
        # TradingView's percentages are of what the entry cost: its notional and its commission; the
        # notional is converted at the exit's rate like the result, so that the rate cancels.
        cost_quote = lot.price * unit * point.rate + result.fee_entry_quote
        stop_price, target_price = _levels_of(lot.entry)
        return Trade(
            side=lot.side,
            qty=qty,
            entry_bar=lot.bar_index,
            entry_time_ms=lot.time_ms,
            entry_price=lot.price,
            entry_name=lot.name,
            exit_bar=point.bar_index,
            exit_time_ms=point.time_ms,
            exit_price=point.price,
            exit_name=point.name,
            pnl_quote=result.pnl_quote,
            pnl_ratio=result.pnl_quote / cost_quote,
            fee_quote=result.fee_entry_quote + result.fee_exit_quote,
            fee_entry_quote=result.fee_entry_quote,
            mfe_quote=mfe_quote,
            mfe_ratio=mfe_quote / cost_quote,
            mae_quote=mae_quote,
            mae_ratio=mae_quote / cost_quote,
            cumulative_quote=self.earned_quote,
            is_open=point.is_open,
            funding_quote=result.funding_quote,
            slippage_quote=(lot.slip * lot.rate + point.slip * point.rate) * unit,
            exit_reason=point.reason,
            stop_price=stop_price,
            target_price=target_price,
        )

    def _excursion(self, lot: Lot, point: ExitPoint) -> tuple[float, float]:
        """Return how far the price rose above and fell below the entry until `point`, both >= 0.

        In account currency per contract and point: each bar's distance at the bar's own rate.
        """
        price, first, last = lot.price, lot.bar_index, point.bar_index
        rise = (lot.high - price) * lot.rate
        fall = (price - lot.low) * lot.rate
        if last > first:
            rise = max(rise, (point.bar_high - price) * point.rate)
            fall = max(fall, (price - point.bar_low) * point.rate)
        if last - first > 1:
            between = slice(first + 1, last)
            if self.rates is not None:
                rates = self.rates[between]
                rise = max(rise, float(((self.klines.high[between] - price) * rates).max()))
                fall = max(fall, float(((price - self.klines.low[between]) * rates).max()))
            elif last - first > LIST_BARS_MAX:
                rise = max(rise, float(self.klines.high[between].max()) - price)
                fall = max(fall, price - float(self.klines.low[between].min()))
            else:
                rise = max(rise, max(self.highs[between]) - price)
                fall = max(fall, price - min(self.lows[between]))
        result = (point.price - price) * point.rate
        return max(0.0, rise, result), max(0.0, fall, -result)


def _added(amounts: Iterable[float]) -> float:
    """Return a sum added up from left to right; from Python 3.12 on `sum` corrects its roundings.

    The doubles of a run must not depend on the Python that runs it, and compiled engines add so.
    """
    total = 0.0
    for amount in amounts:
        total += amount
    return total


def _levels_of(entry: Entry) -> tuple[float | None, float | None]:
    """Return stop and target of an entry's first leg, None where it has none."""
    if not entry.legs:
        return None, None
    leg = entry.legs[0]
    stop, limit = leg.stop, leg.limit
    return (stop if stop == stop else None), (limit if limit == limit else None)
