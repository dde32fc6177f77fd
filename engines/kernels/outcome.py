"""What came of one run, as columns: the figures of its summary, its trades, equity at every close.

Theory. A run of the kernel leaves its sums and its notes, a row for each trade, fill and payment of
funding. What follows from a trade's note (quantity, ratios, excursions) is computed in one compiled
pass, with the reference's operations in its order, so every value is the same double. Objects are
made of it only for who asks for a `Backtest`: they cost ten times what the run does.

Equity is what `engines.equity` says: running sums of what trades change at a bar. Most bars change
nothing, so the steps of the others lie close together, and each bar says where, 0 for nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engines.backtest import Backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels import slots
from engines.kernels._compiled import driver, rule, shared, stamp_of
from engines.kernels.columns import F64_2D, I64_2D, Bars, Charges
from engines.kernels.plan_terms import fraction_of
from engines.kernels.results import fills_of, payments_of, trades_of
from engines.kernels.search import extremes
from engines.kernels.slots import (
    FOUND,
    KIND,
    P_BAR,
    P_PAID,
    PAYMENT_NOTE,
    T_ENTRY_BAR,
    T_ENTRY_PRICE,
    T_EXIT_BAR,
    T_EXIT_PRICE,
    T_FEE_ENTRY,
    T_FEE_EXIT,
    T_FUNDING,
    T_LOT_HIGH,
    T_LOT_LOW,
    T_PATH_HIGH,
    T_PATH_LOW,
    T_PNL,
    T_REASON,
    T_SIDE,
    T_SLIP,
    T_STEPS,
    TRADE_NOTE,
)
from engines.kernels.summary import FIGURES, SUMMARY
from engines.klines import Klines
from engines.metrics.columns import TradeColumns
from engines.plan import Plan
from engines.types import F64_1D

# The columns of trades, by their places in the tables that the pass fills.
SIDE, ENTRY_BAR, EXIT_BAR, REASON, INTEGERS = range(5)
(
    QTY, ENTRY_PRICE, PNL, PNL_RATIO, FEE, FEE_ENTRY, FUNDING, SLIPPAGE, MFE, MAE, FLOATS,
) = range(11)  # fmt: skip # one list
STEP = 4  # realised, quantity, cost, fees


@dataclass(frozen=True, eq=False)
class Outcome:
    """A run of the kernel that needs no other; columns are made when they are asked for."""

    klines: Klines
    instrument: Instrument
    plan: Plan
    costs: Costs
    start_bar: int
    bars: Bars
    charges: Charges
    run: F64_1D
    notes: F64_2D

    @cached_property
    def summary(self) -> dict[str, float]:
        """Return the figures of `kernels.summary` by name, NaN where undefined."""
        figures = self.run[FOUND : FOUND + FIGURES].tolist()
        return dict(zip(SUMMARY, figures, strict=True))

    @cached_property
    def trades(self) -> TradeColumns:
        """Return the trades [K] in the order of the list, the ones still open at its end."""
        over, under = fraction_of(self.instrument.qty_step)
        whole, money = list_trades(
            self.notes, self.bars.reach, len(self.klines), over, under, self.instrument.point_value
        )
        times, reason = self.klines.open_time_ms, whole[REASON]
        entry_bar, exit_bar = whole[ENTRY_BAR], whole[EXIT_BAR]
        return TradeColumns(
            side=whole[SIDE],
            qty=money[QTY],
            entry_bar=entry_bar,
            entry_time_ms=times[entry_bar],
            entry_price=money[ENTRY_PRICE],
            exit_bar=exit_bar,
            exit_time_ms=times[exit_bar],
            pnl_quote=money[PNL],
            pnl_ratio=money[PNL_RATIO],
            fee_quote=money[FEE],
            fee_entry_quote=money[FEE_ENTRY],
            funding_quote=money[FUNDING],
            slippage_quote=money[SLIPPAGE],
            mfe_quote=money[MFE],
            mae_quote=money[MAE],
            is_open=reason == slots.END_OF_DATA,
            is_margin_call=reason == slots.MARGIN_CALL,
            is_liquidation=reason == slots.LIQUIDATION,
        )

    @cached_property
    def equity_quote(self) -> F64_1D:
        """Return equity at each close [T], open results included."""
        over, under = fraction_of(self.instrument.qty_step)
        return equity_of(
            self.notes, self.klines.close, over, under,
            self.plan.capital_quote, self.instrument.point_value,
        )  # fmt: skip # what happened, then the account

    def backtest(self) -> Backtest:
        """Return the run as the reference returns it: with an object a trade, fill and payment."""
        trades, fills, payments = (
            self.notes[self.notes[:, KIND] == kind] for kind in slots.NOTE_KINDS
        )
        counts = self.run[slots.REFUSED : slots.REFUSED + len(slots.REFUSALS)].tolist()
        return Backtest(
            klines=self.klines,
            instrument=self.instrument,
            plan=self.plan,
            costs=self.costs,
            start_bar=self.start_bar,
            trades=trades_of(trades, self.trades, self.instrument),
            fills=fills_of(fills, self.klines, self.instrument),
            equity_quote=self.equity_quote,
            refusals={n: int(k) for n, k in zip(slots.REFUSALS, counts, strict=True) if k},
            payments=payments_of(payments, self.instrument, self.charges),
        )


# Passes over the notes of one run.

I32_1D: TypeAlias = npt.NDArray[np.int32]
List: TypeAlias = Callable[[F64_2D, F64_2D, int, float, float, float], tuple[I64_2D, F64_2D]]
Equity: TypeAlias = Callable[[F64_2D, F64_1D, float, float, float, float], F64_1D]


def _lister(stamp: int) -> List:
    """Return the pass for the columns of trades; what it closes over is in its cache's key."""

    def listed(
        notes: F64_2D, reach: F64_2D, bars: int, over: float, under: float, point_value: float
    ) -> tuple[I64_2D, F64_2D]:
        count = 0
        for row in range(len(notes) if stamp != 0 else 0):
            count += notes[row, KIND] == TRADE_NOTE
        whole, money = np.empty((INTEGERS, count), np.int64), np.empty((FLOATS, count))
        put_columns(notes, reach, bars, over, under, point_value, whole, money)
        return whole, money

    return driver(listed)


def _put_columns(
    notes: F64_2D, reach: F64_2D, bars: int, over: float, under: float, point_value: float,
    whole: I64_2D, money: F64_2D,
) -> None:  # fmt: skip # what it reads, what it fills
    place = 0
    for row in range(len(notes)):
        if notes[row, KIND] != TRADE_NOTE:
            continue
        whole[SIDE, place], whole[REASON, place] = notes[row, T_SIDE], notes[row, T_REASON]
        whole[ENTRY_BAR, place] = notes[row, T_ENTRY_BAR]
        whole[EXIT_BAR, place] = notes[row, T_EXIT_BAR]
        qty = notes[row, T_STEPS] * over / under
        unit, price, fee = qty * point_value, notes[row, T_ENTRY_PRICE], notes[row, T_FEE_ENTRY]
        cost, pnl = price * unit + fee, notes[row, T_PNL]
        gain, loss = _excursion(notes, row, reach, bars)
        money[QTY, place], money[ENTRY_PRICE, place] = qty, price
        money[PNL, place], money[PNL_RATIO, place] = pnl, pnl / cost
        money[FEE, place], money[FEE_ENTRY, place] = fee + notes[row, T_FEE_EXIT], fee
        money[FUNDING, place] = notes[row, T_FUNDING]
        money[SLIPPAGE, place] = notes[row, T_SLIP] * unit
        money[MFE, place] = max(0.0, gain * unit - fee)
        money[MAE, place] = max(0.0, loss * unit + fee)
        place += 1


@rule
def _excursion(notes: F64_2D, row: int, reach: F64_2D, bars: int) -> tuple[float, float]:
    """Return the gain and the loss of a trade's excursion, per contract and point."""
    price, first, last = notes[row, T_ENTRY_PRICE], notes[row, T_ENTRY_BAR], notes[row, T_EXIT_BAR]
    high, low = notes[row, T_LOT_HIGH], notes[row, T_LOT_LOW]
    if last > first:
        high, low = max(high, notes[row, T_PATH_HIGH]), min(low, notes[row, T_PATH_LOW])
        top, bottom = extremes(reach, bars, int(first) + 1, int(last))
        high, low = max(high, top), min(low, bottom)
    result = notes[row, T_EXIT_PRICE] - price
    rise, fall = max(0.0, high - price, result), max(0.0, price - low, -result)
    is_long = notes[row, T_SIDE] > 0
    return (rise if is_long else fall), (fall if is_long else rise)


def _equity(stamp: int) -> Equity:
    """Return the pass for equity at each close [T]."""

    def equity(
        notes: F64_2D, close: F64_1D, over: float, under: float, capital: float, unit: float
    ) -> F64_1D:
        count = len(close) if stamp != 0 else 0
        place, steps = np.zeros(count + 1, np.int32), np.zeros((2 * len(notes) + 1, STEP))
        curve = np.empty(count)
        put_steps(notes, over, under, place, steps)
        put_curve(close, place, steps, capital, unit, curve)
        return curve

    return driver(equity)


def _put_steps(notes: F64_2D, over: float, under: float, place: I32_1D, steps: F64_2D) -> None:
    used = _put_trades(notes, over, under, place, steps)
    _put_payments(notes, place, steps, used)


def _put_curve(
    close: F64_1D, place: I32_1D, steps: F64_2D, capital: float, unit: float, curve: F64_1D
) -> None:
    realised = held = cost = fees = 0.0
    count, one = np.uint64(len(close)), np.uint64(1)
    start = np.uint64(0)
    while start < count:
        step = place[start]
        if step != 0:
            realised += steps[step, 0]
            held += steps[step, 1]
            cost += steps[step, 2]
            fees += steps[step, 3]
        end = start + one
        while end < count and place[end] == 0:
            end += one
        for bar in range(start, end):
            curve[bar] = capital + realised + (held * close[bar] - cost) * unit - fees
        start = end


@rule
def _put_trades(notes: F64_2D, over: float, under: float, place: I32_1D, steps: F64_2D) -> int:
    """Add up what trades change at a bar; return how many bars have a step."""
    end, used = len(place) - 1, 0
    for row in range(len(notes)):
        if notes[row, KIND] != TRADE_NOTE:
            continue
        is_open = notes[row, T_REASON] == slots.END_OF_DATA
        first, last = int(notes[row, T_ENTRY_BAR]), end if is_open else int(notes[row, T_EXIT_BAR])
        used = _step_at(first, place, used)
        used = _step_at(last, place, used)
        qty = notes[row, T_SIDE] * (notes[row, T_STEPS] * over / under)
        amounts = qty, qty * notes[row, T_ENTRY_PRICE], notes[row, T_FEE_ENTRY]
        for item in range(3):
            steps[place[first], item + 1] += amounts[item]
            steps[place[last], item + 1] -= amounts[item]
        if not is_open:
            steps[place[last], 0] += notes[row, T_PNL] + notes[row, T_FUNDING]
    return used


@rule
def _put_payments(notes: F64_2D, place: I32_1D, steps: F64_2D, used: int) -> None:
    """Take off what was paid for funding, behind the trades, as the reference adds."""
    for row in range(len(notes)):
        if notes[row, KIND] == PAYMENT_NOTE:
            bar = int(notes[row, P_BAR])
            used = _step_at(bar, place, used)
            steps[place[bar], 0] -= notes[row, P_PAID]


@rule
def _step_at(bar: int, place: I32_1D, used: int) -> int:
    """Give the bar a place among the steps unless it has one; return how many are used."""
    if place[bar] == 0:
        used += 1
        place[bar] = used
    return used


STAMP = stamp_of(globals())
put_columns, put_steps, put_curve = shared(_put_columns), shared(_put_steps), shared(_put_curve)
list_trades, equity_of = _lister(STAMP), _equity(STAMP)
