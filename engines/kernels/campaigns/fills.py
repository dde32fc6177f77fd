"""What a fill of a campaign does: lots open, levels move along, funding is paid.

Theory. The operations are those of `fills` and `legs`, in their order: the commission of a fill is
shared by quantity even where a quotient is one, and the average is added up from the left, which a
running sum does. Every exit closes the whole position (the close rule ALL), so of several lots'
levels only the nearest matter, and where they count from the average all are the same.

Levels are rounded to ticks with their sign on: up and down is then the same for both sides.
Distances beyond limits are those of all of a plan's, so the nearest limit is met first.
"""

import math

import numpy as np

from engines.instrument import TICK_NOISE
from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    CLOSE_THEN,
    COST,
    FUNDED_MAX,
    HELD,
    IS_FILLED,
    IS_LATE,
    IS_MOVING,
    IS_NEW,
    L_BAR,
    L_FEE,
    L_FUNDING,
    L_LEG,
    L_PRICE,
    L_STEPS,
    L_UNIT,
    L_WORST,
    LADDER_FROM,
    LEG_DOWN,
    LEG_LIMIT,
    LEG_UP,
    LOT_SIZE,
    LOTS_FROM,
    MEETS_DOWN,
    MEETS_UP,
    NEAR_DOWN,
    NEAR_UP,
    PAY_NEXT,
    PAY_PRICE,
    PAY_RATE,
    PAY_SIZE,
    PAY_TIME,
    PAYS_END,
    RUNG_ABOVE,
    RUNG_LEVEL,
    RUNG_PRICE,
    RUNG_SIZE,
    RUNGS_FROM,
    STOP_AWAY,
    TARGET_AWAY,
    THE_LEG,
    UNIT,
    W_SIDE,
)
from engines.kernels.campaigns.guards import set_guard
from engines.kernels.campaigns.moves import set_moves
from engines.kernels.campaigns.orders import add_order
from engines.kernels.columns import Run
from engines.kernels.rounding import price_of, qty_of, ticks_nearest
from engines.kernels.slots import (
    BAR,
    BASIS,
    COMMISSION,
    COMMISSION_KIND,
    FEES_OPEN,
    FROM_AVERAGE,
    FROM_ENTRY,
    FUNDING_OPEN,
    HAS_EXITS,
    LATE_RATIO,
    LOTS,
    PER_CONTRACT,
    PER_NOTIONAL,
    POINT_VALUE,
    PRICE_AVG,
    PRICE_LAST,
    PROFIT_ATR,
    PROFIT_RATIO,
    RUNGS,
    STEPS,
    STOP_ATR,
    STOP_RATIO,
    TICK_OVER,
    TICK_SIZE,
    TICK_UNDER,
    VERIFY_TICKS,
    WISH_ATR,
)


@rule
def fee_of_qty(run: Run, qty: float, price: float) -> float:
    """Return the commission of a fill, as `money.fee` of its steps."""
    if run[COMMISSION_KIND] == PER_NOTIONAL:
        return qty * price * run[POINT_VALUE] * run[COMMISSION]
    return qty * run[COMMISSION] if run[COMMISSION_KIND] == PER_CONTRACT else run[COMMISSION]


@rule
def open_lot(
    run: Run, side: float, steps: float, qty: float, price: float, fee_quote: float,
    is_followed: bool,
) -> None:  # fmt: skip # one list
    """Add a lot, which has paid `fee_quote`, and let its levels follow, or later."""
    lot = LOTS_FROM + int(run[LOTS]) * LOT_SIZE
    run[lot + L_STEPS], run[lot + L_PRICE], run[lot + L_BAR] = steps, price, run[BAR]
    run[lot + L_UNIT], run[lot + L_LEG] = qty * run[POINT_VALUE], steps
    run[lot + L_FEE], run[lot + L_FUNDING] = fee_quote, 0.0
    run[lot + L_WORST] = side * price
    run[STEPS] += side * steps
    run[FEES_OPEN] += fee_quote
    run[COST] += price * steps
    if run[LOTS] == 0:
        run[PRICE_AVG], run[HELD] = price, side * qty
    else:
        run[PRICE_AVG], run[HELD] = run[COST] / abs(run[STEPS]), qty_of(run, run[STEPS])
    run[UNIT] = run[HELD] * run[POINT_VALUE]
    run[LOTS] += 1
    run[PRICE_LAST], run[IS_FILLED] = price, 1.0
    if is_followed:
        set_levels(run, side)
        set_guard(run, side)


@rule
def set_levels(run: Run, side: float) -> None:
    """Set where stop and target of the position lie; of several lots' own the nearest."""
    if run[HAS_EXITS] == 0:
        return
    if run[BASIS] != FROM_ENTRY:
        base = run[PRICE_AVG] if run[BASIS] == FROM_AVERAGE else run[PRICE_LAST]
        run[LEG_DOWN], run[LEG_LIMIT] = stop_of(run, side, base), target_of(run, side, base)
    else:
        run[LEG_DOWN], run[LEG_LIMIT] = -math.inf, math.inf
        for place in range(int(run[LOTS])):
            base = run[LOTS_FROM + place * LOT_SIZE + L_PRICE]
            run[LEG_DOWN] = max(run[LEG_DOWN], stop_of(run, side, base))
            run[LEG_LIMIT] = min(run[LEG_LIMIT], target_of(run, side, base))
    run[LEG_UP] = run[LEG_LIMIT]
    if run[VERIFY_TICKS] != 0 and run[LEG_LIMIT] != math.inf:
        run[LEG_UP] = side * beyond(run, side * run[LEG_LIMIT], side)
    if run[IS_MOVING] != 0:
        set_moves(run, side, run[PRICE_AVG] if run[BASIS] == FROM_AVERAGE else run[PRICE_LAST])


@rule
def rung_price(run: Run, place: int, side: float) -> float:
    """Return the signed price of a rung after the close that decided: against the position down."""
    offset = run[LADDER_FROM + 2 * (place + 1)]
    level = side * max(run[TICK_SIZE], run[CLOSE_THEN] * (1 - side * offset))
    return -tick_down(run, -level) if offset < 0 else tick_down(run, level)


@rule
def set_waits(run: Run, side: float) -> None:
    """Let rungs and levels wait for a campaign that has begun."""
    run[IS_NEW] = 0.0
    set_levels(run, side)
    set_guard(run, side)
    for place in range(int(run[RUNGS])):
        rung = RUNGS_FROM + place * RUNG_SIZE
        is_above, level = run[LADDER_FROM + 2 * (place + 1)] < 0, rung_price(run, place, side)
        run[rung + RUNG_ABOVE] = 1.0 if is_above else 0.0
        run[rung + RUNG_PRICE] = run[rung + RUNG_LEVEL] = level
        if run[VERIFY_TICKS] != 0 and not is_above:
            run[rung + RUNG_LEVEL] = side * beyond(run, side * level, -side)
    find_nearest(run)


@apart
def beyond(run: Run, limit: float, side: float) -> float:
    """Return where a limit is met that is verified some ticks to this side of it."""
    return price_of(run, ticks_nearest(run, limit) + side * run[VERIFY_TICKS])


@apart
def note_distances(run: Run) -> None:
    """Note how far levels by the ATR that the close knew which decided lie from their base."""
    tick, atr, close = run[TICK_SIZE], run[WISH_ATR], run[CLOSE_THEN]
    run[STOP_AWAY] = run[STOP_ATR] * atr / close * close / tick * tick
    run[TARGET_AWAY] = run[PROFIT_ATR] * atr / tick * tick


@rule
def stop_of(run: Run, side: float, base: float) -> float:
    """Return the signed stop that counts from `base`, infinitely far if there is none."""
    ratio, away, stop = run[STOP_RATIO], run[STOP_AWAY], -math.inf
    if ratio == ratio:
        stop = side * (base * (1 + -side * ratio))
    if away == away:
        stop = max(stop, side * (base + -side * away))
    return stop if stop == -math.inf else tick_down(run, stop)


@rule
def target_of(run: Run, side: float, base: float) -> float:
    """Return the signed target that counts from `base`, infinitely far if there is none."""
    ratio = run[LATE_RATIO] if run[IS_LATE] != 0 else run[PROFIT_RATIO]
    if ratio == ratio:
        return -tick_down(run, -(side * (base * (1 + side * ratio))))
    away = run[TARGET_AWAY]
    return -tick_down(run, -(side * (base + side * away))) if away == away else math.inf


@rule
def tick_down(run: Run, price: float) -> float:
    """Return the tick at or below a signed price."""
    ticks, over = price * run[TICK_UNDER], run[TICK_OVER]
    if over != 1:
        ticks = ticks / over
    return float(np.floor(ticks + TICK_NOISE)) * over / run[TICK_UNDER]


@rule
def find_nearest(run: Run) -> None:
    """Find what the price meets first above and below: of two at one price the rung, the first."""
    up, down, meets_up, meets_down = math.inf, -math.inf, THE_LEG, THE_LEG
    for place in range(int(run[RUNGS])):
        rung = RUNGS_FROM + place * RUNG_SIZE
        level, is_above = run[rung + RUNG_LEVEL], run[rung + RUNG_ABOVE] != 0
        if is_above and level < up:
            up, meets_up = level, place
        if not is_above and level > down:
            down, meets_down = level, place
    if run[LEG_UP] < up:
        up, meets_up = run[LEG_UP], THE_LEG
    if run[LEG_DOWN] > down:
        down, meets_down = run[LEG_DOWN], THE_LEG
    run[NEAR_UP], run[NEAR_DOWN], run[MEETS_UP], run[MEETS_DOWN] = up, down, meets_up, meets_down
    if run[W_SIDE] != 0:
        add_order(run)


@rule
def drop_rung(run: Run, place: int) -> None:
    """Let a rung wait no longer."""
    rung = RUNGS_FROM + place * RUNG_SIZE
    run[rung + RUNG_LEVEL] = math.inf if run[rung + RUNG_ABOVE] != 0 else -math.inf


@apart
def pay_until(run: Run, time: float) -> None:
    """Pay the settlements up to a time with what is held now, shared by quantity."""
    at, held = int(run[PAY_NEXT]), abs(run[STEPS])
    while at < int(run[PAYS_END]) and run[at + PAY_TIME] <= time:
        paid = run[HELD] * run[at + PAY_PRICE] * run[POINT_VALUE]
        paid *= run[at + PAY_RATE]
        for number in range(int(run[LOTS])):
            lot = LOTS_FROM + number * LOT_SIZE
            run[lot + L_FUNDING] += paid * run[lot + L_STEPS] / held
        run[FUNDING_OPEN] += paid
        run[FUNDED_MAX] = max(run[FUNDED_MAX], run[FUNDING_OPEN])
        at += PAY_SIZE
    run[PAY_NEXT] = at
    if run[STEPS] != 0:
        set_guard(run, run[STEPS])


@apart
def skip_until(run: Run, time: float) -> None:
    """Let the settlements up to a time pass by an account that is flat."""
    at = int(run[PAY_NEXT])
    while at < int(run[PAYS_END]) and run[at + PAY_TIME] <= time:
        at += PAY_SIZE
    run[PAY_NEXT] = at
