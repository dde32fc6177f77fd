"""A kernel run's notes as the trades, fills and payments of the reference.

Theory. The kernel notes what cannot be known afterwards; what follows from it (ratios, names,
times) is computed on whole columns, with the reference's operations in its order, so every value is
the same double. The objects are tuples, and tuples are made at once from rows of such columns.
"""

from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from engines.caps import DRAWDOWN_NAME, FILLS_CAP_NAME, LOSS_CAP_NAME
from engines.execution import MARGIN_CALL_NAME
from engines.instrument import Instrument
from engines.kernels import slots
from engines.kernels.columns import F64_2D, Charges
from engines.kernels.plan_terms import fraction_of
from engines.klines import Klines
from engines.liquidation import LIQUIDATION_NAME
from engines.metrics.columns import TradeColumns
from engines.signal_brackets import BRACKET_ID
from engines.signal_orders import ENTRY_NAMES
from engines.trades import OPEN_AT_END, ExitReason, Fill, FundingPayment, Side, Trade
from engines.types import F64_1D

Row = TypeVar("Row", Trade, Fill)

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


def trades_of(rows: F64_2D, trades: TradeColumns, instrument: Instrument) -> tuple[Trade, ...]:
    """Return the trades that `rows` [K, NOTE] note and whose columns are given."""
    column = rows.T
    reasons = column[slots.T_REASON].tolist()
    sides = [SIDES[side] for side in trades.side.tolist()]
    names = [
        ENTRY_NAMES[side.opposite] if reason == slots.REVERSAL else NAMES[name]
        for side, reason, name in zip(sides, reasons, column[slots.T_NAME].tolist(), strict=True)
    ]
    rungs = column[slots.T_RUNG].tolist()
    cost = trades.entry_price * (trades.qty * instrument.point_value) + trades.fee_entry_quote
    return _tuples_of(
        Trade,
        sides, trades.qty, trades.entry_bar, trades.entry_time_ms, trades.entry_price,
        [_entry_name(side, rung) for side, rung in zip(sides, rungs, strict=True)],
        trades.exit_bar, trades.exit_time_ms, column[slots.T_EXIT_PRICE], names,
        trades.pnl_quote, trades.pnl_ratio, trades.fee_quote, trades.fee_entry_quote,
        trades.mfe_quote, trades.mfe_quote / cost, trades.mae_quote, trades.mae_quote / cost,
        column[slots.T_CUMULATIVE], trades.is_open, trades.funding_quote, trades.slippage_quote,
        [REASONS[int(reason)] for reason in reasons], _given(column[slots.T_STOP]),
        _given(column[slots.T_PROFIT]),
    )  # fmt: skip # the order of its fields


def _tuples_of(kind: type[Row], *columns: npt.NDArray[Any] | list[Any]) -> tuple[Row, ...]:
    """Return a named tuple a row, made without a call of Python each."""
    assert len(columns) == len(kind._fields), "a column for each field"
    values = [item if isinstance(item, list) else item.tolist() for item in columns]
    return tuple(map(partial(tuple.__new__, kind), zip(*values, strict=True)))


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
    return _tuples_of(
        Fill,
        bars, times, ids, names, sides, qty, rows[:, slots.F_PRICE], rows[:, slots.F_FEE], slip,
    )  # fmt: skip # the order of its fields


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
                int(row[slots.P_BAR]),
                int(charges.settle_time_ms[place]),
                float(charges.settle_rate[place]),
                float(charges.settle_price[place]),
                row[slots.P_STEPS] * over / under,
                row[slots.P_PAID],
            )
        )
    return tuple(payments)
