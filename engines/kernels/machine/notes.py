"""Where a run notes what happens: rows behind its own row, as many as there is room for."""

import math

from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import Run
from engines.kernels.money import earned
from engines.kernels.slots import (
    BAR,
    KIND,
    LEG_LIMIT,
    LEG_STOP,
    LOT,
    LOT_BAR,
    LOT_HIGH,
    LOT_LEGS,
    LOT_LOW,
    LOT_PRICE,
    LOT_RUNG,
    NOTE,
    NOTED,
    NOTES_AT,
    OPEN_EARLIER,
    P_BAR,
    P_PAID,
    P_SETTLEMENT,
    P_STEPS,
    PATH_HIGH,
    PATH_LOW,
    PAYMENT_NOTE,
    STEPS,
    T_CUMULATIVE,
    T_ENTRY_BAR,
    T_ENTRY_PRICE,
    T_EXIT_BAR,
    T_LOT_HIGH,
    T_LOT_LOW,
    T_PATH_HIGH,
    T_PATH_LOW,
    T_PROFIT,
    T_RUNG,
    T_STOP,
)


@rule
def note(run: Run, kind: int) -> int:
    """Count one more note and return where its row begins, 0 if there is no room for it."""
    row = int(run[NOTES_AT]) + int(run[NOTED]) * NOTE
    run[NOTED] += 1
    if row + NOTE > len(run):
        return 0
    run[row + KIND] = kind
    return row


@inlined
def note_lot(run: Run, row: int, lot: int) -> None:
    """Note of a trade what its lot and the path say; stop and target are the lot's first leg's."""
    run[row + T_ENTRY_BAR], run[row + T_ENTRY_PRICE] = run[LOT_BAR + lot], run[LOT_PRICE + lot]
    run[row + T_EXIT_BAR], run[row + T_RUNG] = run[BAR], run[LOT_RUNG + lot]
    run[row + T_CUMULATIVE] = earned(run) + run[OPEN_EARLIER]
    run[row + T_LOT_HIGH], run[row + T_LOT_LOW] = run[LOT_HIGH + lot], run[LOT_LOW + lot]
    run[row + T_PATH_HIGH], run[row + T_PATH_LOW] = run[PATH_HIGH], run[PATH_LOW]
    run[row + T_STOP] = run[row + T_PROFIT] = math.nan
    if run[LOT_LEGS + lot] > 0:
        run[row + T_STOP] = run[LEG_STOP + lot + LOT]
        run[row + T_PROFIT] = run[LEG_LIMIT + lot + LOT]


@rule
def note_payment(run: Run, settlement: int, paid: float) -> None:
    """Note a payment of funding."""
    row = note(run, PAYMENT_NOTE)
    if row > 0:
        run[row + P_SETTLEMENT], run[row + P_BAR] = settlement, run[BAR]
        run[row + P_STEPS], run[row + P_PAID] = run[STEPS], paid
