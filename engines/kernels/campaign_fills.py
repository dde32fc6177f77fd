"""What a fill of a campaign does with money: lots open, funding is paid, all of it closes.

Theory. The operations are those of `fills`, in their order: the commission of a fill is shared by
quantity even where a quotient is one, lots close oldest first, and the average is added up from the
left, which a running sum does. Every exit closes the whole position (the close rule ALL), so a
campaign ends with one fill, and its lots are the trades.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.campaign_columns import (
    COST,
    FUNDED_MAX,
    IS_FILLED,
    IS_LATE,
    L_BAR,
    L_FEE,
    L_FUNDING,
    L_PRICE,
    L_STEPS,
    L_UNIT,
    L_WORST,
    LEG_DOWN,
    LEG_UP,
    LOT_SIZE,
    LOTS_FROM,
    NEAR_DOWN,
    NEAR_UP,
    PAY_AT,
    RUNG_ABOVE,
    RUNG_LEVEL,
    RUNG_SIZE,
    RUNGS_FROM,
)
from engines.kernels.columns import Run
from engines.kernels.passage_columns import Payments
from engines.kernels.rounding import qty_of, round_by
from engines.kernels.slots import (
    BAR,
    BASIS,
    FEES_OPEN,
    FROM_AVERAGE,
    FROM_ENTRY,
    FUNDING_OPEN,
    HAS_EXITS,
    LATE_RATIO,
    LOTS,
    POINT_VALUE,
    PRICE_AVG,
    PRICE_LAST,
    PROFIT_RATIO,
    RUNGS,
    STEPS,
    STOP_RATIO,
)


@rule
def open_lot(run: Run, side: float, steps: float, price: float, fee_quote: float) -> None:
    """Add a lot, which has paid `fee_quote`, and set the levels that count from what is held."""
    lot = LOTS_FROM + int(run[LOTS]) * LOT_SIZE
    run[lot + L_STEPS], run[lot + L_PRICE], run[lot + L_BAR] = steps, price, run[BAR]
    run[lot + L_UNIT] = qty_of(run, steps) * run[POINT_VALUE]
    run[lot + L_FEE], run[lot + L_FUNDING] = fee_quote, 0.0
    run[lot + L_WORST] = side * price
    run[STEPS] += side * steps
    run[FEES_OPEN] += fee_quote
    run[COST] += price * steps
    run[PRICE_AVG] = price if run[LOTS] == 0 else run[COST] / abs(run[STEPS])
    run[LOTS] += 1
    run[PRICE_LAST], run[IS_FILLED] = price, 1.0
    set_levels(run, side)


@rule
def set_levels(run: Run, side: float) -> None:
    """Set where stop and target of the position lie; of several lots' own the nearest."""
    if run[HAS_EXITS] == 0:
        return
    if run[BASIS] != FROM_ENTRY:
        base = run[PRICE_AVG] if run[BASIS] == FROM_AVERAGE else run[PRICE_LAST]
        run[LEG_DOWN], run[LEG_UP] = stop_of(run, side, base), target_of(run, side, base)
        return
    run[LEG_DOWN], run[LEG_UP] = -math.inf, math.inf
    for place in range(int(run[LOTS])):
        base = run[LOTS_FROM + place * LOT_SIZE + L_PRICE]
        run[LEG_DOWN] = max(run[LEG_DOWN], stop_of(run, side, base))
        run[LEG_UP] = min(run[LEG_UP], target_of(run, side, base))


@rule
def stop_of(run: Run, side: float, base: float) -> float:
    """Return the signed stop that counts from `base`, infinitely far if there is none."""
    ratio = run[STOP_RATIO]
    return side * round_by(run, base * (1 + -side * ratio), -side) if ratio == ratio else -math.inf


@rule
def target_of(run: Run, side: float, base: float) -> float:
    """Return the signed target that counts from `base`, infinitely far if there is none."""
    ratio = run[LATE_RATIO] if run[IS_LATE] != 0 else run[PROFIT_RATIO]
    return side * round_by(run, base * (1 + side * ratio), side) if ratio == ratio else math.inf


@rule
def find_nearest(run: Run) -> None:
    """Find what the price meets first above and below."""
    up, down = run[LEG_UP], run[LEG_DOWN]
    for place in range(int(run[RUNGS])):
        rung = RUNGS_FROM + place * RUNG_SIZE
        if run[rung + RUNG_ABOVE] != 0:
            up = min(up, run[rung + RUNG_LEVEL])
        else:
            down = max(down, run[rung + RUNG_LEVEL])
    run[NEAR_UP], run[NEAR_DOWN] = up, down


@rule
def drop_rung(run: Run, place: int) -> None:
    """Let a rung wait no longer."""
    rung = RUNGS_FROM + place * RUNG_SIZE
    run[rung + RUNG_LEVEL] = math.inf if run[rung + RUNG_ABOVE] != 0 else -math.inf


@rule
def settle_to(run: Run, payments: Payments, stop: int) -> None:
    """Pay the settlements before `stop` with what is held now, shared by quantity."""
    held = abs(run[STEPS])
    for place in range(int(run[PAY_AT]), stop):
        paid = qty_of(run, run[STEPS]) * payments.prices[place] * run[POINT_VALUE]
        paid *= payments.rates[place]
        for number in range(int(run[LOTS])):
            lot = LOTS_FROM + number * LOT_SIZE
            run[lot + L_FUNDING] += paid * run[lot + L_STEPS] / held
        run[FUNDING_OPEN] += paid
        run[FUNDED_MAX] = max(run[FUNDED_MAX], run[FUNDING_OPEN])
    run[PAY_AT] = max(run[PAY_AT], stop)
