"""A kernel run's notes as the trades, fills and payments of the reference, and its equity.

Theory. The kernel notes what cannot be known afterwards; what follows from it (ratios, excursions,
names, times) is computed here on whole columns, with the reference's operations in its order, so
every value is the same double. Equity adds the trades up in the order of the list, as `equity`
does.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.caps import DRAWDOWN_NAME, FILLS_CAP_NAME, LOSS_CAP_NAME
from engines.execution import MARGIN_CALL_NAME
from engines.instrument import Instrument
from engines.kernels import search, slots
from engines.kernels._compiled import driver, stamp_of
from engines.kernels.columns import F64_2D, Bars, Charges
from engines.kernels.plan_terms import fraction_of
from engines.kernels.search import extremes
from engines.kernels.slots import (
    P_BAR,
    P_PAID,
    T_ENTRY_BAR,
    T_ENTRY_PRICE,
    T_EXIT_BAR,
    T_EXIT_PRICE,
    T_FEE_ENTRY,
    T_FUNDING,
    T_LOT_HIGH,
    T_LOT_LOW,
    T_PATH_HIGH,
    T_PATH_LOW,
    T_PNL,
    T_REASON,
    T_SIDE,
)
from engines.klines import Klines
from engines.liquidation import LIQUIDATION_NAME
from engines.signal_brackets import BRACKET_ID
from engines.signal_orders import ENTRY_NAMES
from engines.trades import OPEN_AT_END, ExitReason, Fill, FundingPayment, Side, Trade
from engines.types import F64_1D

REASONS = {
    slots.SIGNAL: ExitReason.SIGNAL,
    slots.REVERSAL: ExitReason.REVERSAL,
    slots.STOP_LOSS: ExitReason.STOP_LOSS,
    slots.TAKE_PROFIT: ExitReason.TAKE_PROFIT,
    slots.ATR_SL: ExitReason.ATR_SL,
    slots.ATR_TP: ExitReason.ATR_TP,
    slots.TRAILING_STOP: ExitReason.TRAILING_STOP,
    slots.BREAKEVEN_SL: ExitReason.BREAKEVEN_SL,
    slots.TIME_EXIT: ExitReason.TIME_EXIT,
    slots.SESSION_CLOSE: ExitReason.SESSION_CLOSE,
    slots.WEEKEND_CLOSE: ExitReason.WEEKEND_CLOSE,
    slots.MARGIN_CALL: ExitReason.MARGIN_CALL,
    slots.END_OF_DATA: ExitReason.END_OF_DATA,
    slots.LIQUIDATION: ExitReason.LIQUIDATION,
    slots.MAX_DRAWDOWN: ExitReason.MAX_DRAWDOWN,
    slots.RISK_RULE: ExitReason.RISK_RULE,
}
LEG_IDS = {place: f"target{place + 1}" for place in range(slots.LEGS_MAX)} | {
    slots.BRACKET_ORDER: BRACKET_ID
}
NAMES = (
    {code: reason.value for code, reason in REASONS.items()}
    | {slots.MARGIN_CALL: MARGIN_CALL_NAME, slots.END_OF_DATA: OPEN_AT_END}
    | {slots.LIQUIDATION: LIQUIDATION_NAME, slots.MAX_DRAWDOWN: DRAWDOWN_NAME}
    | {slots.FILLS_CAP: FILLS_CAP_NAME, slots.LOSS_CAP: LOSS_CAP_NAME}
    | {slots.PLAIN_NAME + place: name for place, name in LEG_IDS.items()}
)
SIDES = {1.0: Side.BUY, -1.0: Side.SELL}


def trades_of(
    rows: F64_2D, bars: Bars, klines: Klines, instrument: Instrument
) -> tuple[Trade, ...]:
    """Return the trades that `rows` [K, NOTE] note."""
    if not len(rows):
        return ()
    column = rows.T
    over, under = fraction_of(instrument.qty_step)
    qty = column[slots.T_STEPS] * over / under
    unit = qty * instrument.point_value
    entry_fee, exit_fee = column[T_FEE_ENTRY], column[slots.T_FEE_EXIT]
    gain, loss = np.empty(len(rows)), np.empty(len(rows))
    excursions(bars.reach, len(klines), rows, gain, loss)
    mfe = np.maximum(0.0, gain * unit - entry_fee)
    mae = np.maximum(0.0, loss * unit + entry_fee)
    cost = column[T_ENTRY_PRICE] * unit + entry_fee
    entry_bar, exit_bar = column[T_ENTRY_BAR].astype(np.int64), column[T_EXIT_BAR].astype(np.int64)
    times, reasons = klines.open_time_ms, column[T_REASON].tolist()
    sides = [SIDES[side] for side in column[T_SIDE].tolist()]
    names = [
        ENTRY_NAMES[side.opposite] if reason == slots.REVERSAL else NAMES[name]
        for side, reason, name in zip(sides, reasons, column[slots.T_NAME].tolist(), strict=True)
    ]
    rungs = column[slots.T_RUNG].tolist()
    entries = [_entry_name(side, rung) for side, rung in zip(sides, rungs, strict=True)]
    return tuple(
        map(
            Trade,
            sides, qty.tolist(), entry_bar.tolist(), times[entry_bar].tolist(),
            column[T_ENTRY_PRICE].tolist(), entries,
            exit_bar.tolist(), times[exit_bar].tolist(), column[T_EXIT_PRICE].tolist(), names,
            column[T_PNL].tolist(), (column[T_PNL] / cost).tolist(),
            (entry_fee + exit_fee).tolist(), entry_fee.tolist(), mfe.tolist(),
            (mfe / cost).tolist(), mae.tolist(), (mae / cost).tolist(),
            column[slots.T_CUMULATIVE].tolist(),
            [reason == slots.END_OF_DATA for reason in reasons], column[T_FUNDING].tolist(),
            (column[slots.T_SLIP] * unit).tolist(), [REASONS[int(reason)] for reason in reasons],
            _given(column[slots.T_STOP]), _given(column[slots.T_PROFIT]),
        )
    )  # fmt: skip # the order of its fields


def _entry_name(side: Side, rung: float) -> str:
    """Return the name of an entry; a ladder's further orders are counted from 2 on."""
    return ENTRY_NAMES[side] if rung == 0 else f"{ENTRY_NAMES[side]}{int(rung) + 1}"


def _given(column: F64_1D) -> list[float | None]:
    return [None if value != value else value for value in column.tolist()]


def fills_of(rows: F64_2D, klines: Klines, instrument: Instrument) -> tuple[Fill, ...]:
    """Return the fills that `rows` [F, NOTE] note."""
    over, under = fraction_of(instrument.qty_step)
    qty = rows[:, slots.F_STEPS] * over / under
    slip = rows[:, slots.F_SLIP] * qty * instrument.point_value
    bars = rows[:, slots.F_BAR].astype(np.int64)
    times = klines.open_time_ms[bars]
    sides = [SIDES[side] for side in rows[:, slots.F_SIDE].tolist()]
    ids, names = [], []
    orders, codes = rows[:, slots.F_ORDER].tolist(), rows[:, slots.F_NAME].tolist()
    decided = rows[:, slots.F_DECIDED].tolist()
    rungs = rows[:, slots.F_RUNG].tolist()
    for side, bar, order, code, rung in zip(sides, decided, orders, codes, rungs, strict=True):
        if order == slots.ENTRY_ORDER:
            names.append(_entry_name(side, rung))
            ids.append(f"{names[-1]}@{int(bar)}")
        else:
            names.append(NAMES[int(code)])
            ids.append(LEG_IDS.get(int(order), ""))
    columns = (bars, times, ids, names, sides, qty, rows[:, slots.F_PRICE], rows[:, slots.F_FEE])
    listed = [item if isinstance(item, list) else item.tolist() for item in (*columns, slip)]
    return tuple(map(Fill, *listed))


def payments_of(
    rows: F64_2D, instrument: Instrument, charges: Charges
) -> tuple[FundingPayment, ...]:
    """Return the payments that `rows` [N, NOTE] note."""
    over, under = fraction_of(instrument.qty_step)
    payments = []
    for row in rows.tolist():
        place = int(row[slots.P_SETTLEMENT])
        payments.append(
            FundingPayment(
                int(row[P_BAR]),
                int(charges.settle_time_ms[place]),
                float(charges.settle_rate[place]),
                float(charges.settle_price[place]),
                row[slots.P_STEPS] * over / under,
                row[P_PAID],
            )
        )
    return tuple(payments)


# Passes over the rows of one run.

Excursions: TypeAlias = Callable[[F64_2D, int, F64_2D, F64_1D, F64_1D], None]
Equity: TypeAlias = Callable[[F64_2D, F64_1D, F64_2D, F64_1D, float, float], F64_1D]


def _excursions(stamp: int) -> Excursions:
    """Return a pass for the gain and the loss [K] of each row's excursion, per contract and point.

    What it closes over is a part of the key of its cache.
    """

    def excursion(reach: F64_2D, count: int, rows: F64_2D, gain: F64_1D, loss: F64_1D) -> None:
        for place in range(len(rows) if stamp != 0 else 0):
            row = rows[place]
            price, first, last = row[T_ENTRY_PRICE], int(row[T_ENTRY_BAR]), int(row[T_EXIT_BAR])
            high, low = row[T_LOT_HIGH], row[T_LOT_LOW]
            if last > first:
                high, low = max(high, row[T_PATH_HIGH]), min(low, row[T_PATH_LOW])
                top, bottom = extremes(reach, count, first + 1, last)
                high, low = max(high, top), min(low, bottom)
            result = row[T_EXIT_PRICE] - price
            rise, fall = max(0.0, high - price, result), max(0.0, price - low, -result)
            is_long = row[T_SIDE] > 0
            gain[place] = rise if is_long else fall
            loss[place] = fall if is_long else rise

    return driver(excursion)


def _equity(stamp: int) -> Equity:
    """Return a pass for the equity [T], given trades, their signed quantities [K] and payments."""

    def equity(
        rows: F64_2D, signed: F64_1D, payments: F64_2D, close: F64_1D, capital: float, unit: float
    ) -> F64_1D:
        count = len(close) if stamp != 0 else 0
        steps = np.zeros((count + 1, 4))  # realised, quantity, cost, fees: one line of cache
        for place in range(len(rows)):
            row, qty = rows[place], signed[place]
            is_open = row[T_REASON] == slots.END_OF_DATA
            first, last = int(row[T_ENTRY_BAR]), count if is_open else int(row[T_EXIT_BAR])
            amounts = qty, qty * row[T_ENTRY_PRICE], row[T_FEE_ENTRY]
            for item in range(3):
                steps[first, item + 1] += amounts[item]
                steps[last, item + 1] -= amounts[item]
            if not is_open:
                steps[last, 0] += row[T_PNL] + row[T_FUNDING]
        for place in range(len(payments)):
            steps[int(payments[place, P_BAR]), 0] -= payments[place, P_PAID]
        curve = np.empty(count)
        realised = held = cost = fees = 0.0
        for bar in range(count):
            realised += steps[bar, 0]
            held += steps[bar, 1]
            cost += steps[bar, 2]
            fees += steps[bar, 3]
            curve[bar] = capital + realised + (held * close[bar] - cost) * unit - fees
        return curve

    return driver(equity)


STAMP = stamp_of(search, slots)
excursions, equity_of = _excursions(STAMP), _equity(STAMP)
