"""Sets advance from record to record: several at a time, one in each lane of the machine's vectors.

Theory. A set is a stop's row and a target's row. Held at event k, it ends at the earlier of the two
records, and the code of that says which event comes next: one step a trade, whatever the bars
between. What a step does with money is the reference's, operation by operation: the size from the
equity at the deciding close, the commission of both fills shared by quantity, even where a quotient
is one. A step closes one trade and opens the next, because a reversal does both in one fill.

The state of LANES sets lies side by side, number by number, and every part of a step is a loop over
the lanes without a branch, which compiles into vector instructions; only the look-ups (`fetch`) go
lane by lane. A lane that reaches the end of the tables takes the next set of its block.

What a set may meet that is not in the records, an order that the account cannot pay, one below the
instrument's minimum, a margin call, is not decided here. Each step compares with a bound that is
sure to come first; a set that comes near it is marked and has to go to another engine.

The sums are those of `summary`, but that squares are of differences from the first result, which
asks for no division a trade.
"""

import math

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.passage.columns import (
    ALONE,
    E_BAR,
    E_CLOSE,
    E_FIXED_STEPS,
    E_MODE,
    E_NEED,
    E_PRICE,
    E_SHARE_STEPS,
    E_SIDE,
    EVENT_BITS,
    EVENT_MASK,
    MONTH_SHIFT,
    OPEN_AT_END,
    PHASE_BITS,
    RELIEVED,
    REVERSED,
    U32_1D,
    U64_1D,
    V_LOSS,
    V_PRICE,
    VALUE_BITS,
    Fixed,
)
from engines.kernels.passage.events import STEPS_NOISE, exact_steps
from engines.types import F64_1D

LANES = 16
PHASES = 1 << PHASE_BITS
STEPS_MAX = 2.0**50
SURE = 1 - 1e-9  # far more than what funds are compared with, and than float noise

# What a set ends with: sums over its trades, and marks.
SUMS = 19
(
    NET, TRADES, WINS, GAINS, LOST, FEES, BARS, COVER, FIRST_PNL, DIFFERENCES, SQUARES,
    PNL_MAX, PNL_MIN, STREAK_MAX, FALL_MAX, SWING_MAX, SWING_RATIO_MAX, IS_UNSURE, FUNDED,
) = range(0, SUMS * LANES, LANES)  # fmt: skip # one list
# What it carries from step to step: what is held, running marks, and the funding of what is held:
# of the lot, seen by the close that decides, not seen by it, and the most it ever was (`pay`).
(
    STEPS, QTY, LOT_FEE, ENTRY_PRICE, SIDE, ENTRY_BAR, AT_HORIZON, LAST_BAR, STREAK, PEAK,
    FUNDING, FUNDING_SEEN, FUNDING_LATE, FUNDING_MAX,
) = range(SUMS * LANES, (SUMS + 14) * LANES, LANES)  # fmt: skip # one list
STATE = SUMS + 14
# What a step has looked up and found out.
(
    PRICE, LOSS, BAR, PHASE, N_PRICE, N_SHARE, N_FIXED, N_CLOSE, N_SIDE, N_BAR, N_NEED, N_MODE,
    MODE, GAIN, EXIT_FEE, ENTRY_FEE, EQUITY, N_STEPS, IS_NEAR, PNL, PAID, N_QTY, OWNED, N_UNIT,
    N_OWN_SHARE, N_OPEN,
) = range(STATE * LANES, (STATE + 26) * LANES, LANES)  # fmt: skip # one list
LANE_NUMBERS = STATE + 26

# The whole numbers of a lane: its event, where its rows begin, its last event, and the month of the
# record.
AT, STOP_ROW, TARGET_ROW, END, MONTH = range(0, 5 * LANES, LANES)
LANE_PLACES = 5


@rule
def start_lane(lanes: F64_1D, places: U64_1D, lane: int, fixed: Fixed) -> None:
    """Put a lane where every set begins: an empty position at the record behind the end."""
    for number in range(STATE):
        lanes[number * LANES + lane] = 0.0
    lanes[STEPS + lane] = 1.0  # of a quantity of none, so that shares are no 0 / 0
    lanes[LAST_BAR + lane] = -1.0
    lanes[PEAK + lane] = fixed.capital
    lanes[PNL_MAX + lane], lanes[PNL_MIN + lane] = -math.inf, math.inf
    lanes[AT_HORIZON + lane] = OPEN_AT_END
    places[AT + lane] = places[END + lane] + np.uint64(1)


@rule
def fetch(
    lanes: F64_1D, places: U64_1D, events: F64_1D, times: U32_1D, values: F64_1D, after: U32_1D
) -> None:
    """Look up how the position of each lane ends, and the event after it; move there."""
    for lane in range(LANES):
        at = places[AT + lane]
        stop, target = places[STOP_ROW + lane] + at, places[TARGET_ROW + lane] + at
        by_stop, by_target = np.uint64(times[stop]), np.uint64(times[target])
        # With both behind the price of one open, the limit fills.
        time = by_target if by_target <= by_stop else by_stop
        value = (target if by_target <= by_stop else stop) << np.uint64(VALUE_BITS)
        lanes[PRICE + lane] = values[value + np.uint64(V_PRICE)]
        lanes[LOSS + lane] = values[value + np.uint64(V_LOSS)]
        bar = time >> np.uint64(PHASE_BITS)
        follower = (time + np.uint64(PHASES - 1)) >> np.uint64(PHASE_BITS)
        at = np.uint64(after[follower]) & np.uint64(EVENT_MASK)
        places[AT + lane] = at
        places[MONTH + lane] = np.uint64(after[bar]) >> np.uint64(MONTH_SHIFT)
        lanes[BAR + lane] = bar
        lanes[PHASE + lane] = time & np.uint64(PHASES - 1)
        event = at << np.uint64(EVENT_BITS)
        lanes[N_PRICE + lane] = events[event + np.uint64(E_PRICE)]
        lanes[N_SHARE + lane] = events[event + np.uint64(E_SHARE_STEPS)]
        lanes[N_FIXED + lane] = events[event + np.uint64(E_FIXED_STEPS)]
        lanes[N_CLOSE + lane] = events[event + np.uint64(E_CLOSE)]
        lanes[N_SIDE + lane] = events[event + np.uint64(E_SIDE)]
        lanes[N_BAR + lane] = events[event + np.uint64(E_BAR)]
        lanes[N_NEED + lane] = events[event + np.uint64(E_NEED)]
        lanes[N_MODE + lane] = events[event + np.uint64(E_MODE)]


@rule
def fee(fixed: Fixed, qty: float, price: float) -> float:
    """Return the commission of a fill; what its kind does not count is a factor of one."""
    counted = qty if fixed.is_by_qty else 1.0
    value = counted * price * fixed.point_value if fixed.is_by_price else counted
    return value * fixed.commission


@rule
def size(lanes: F64_1D, fixed: Fixed) -> bool:
    """Find the size of each next entry; return whether one is too near to a whole step to tell."""
    is_near_any = 0
    for lane in range(LANES):
        qty, steps = lanes[QTY + lane], lanes[STEPS + lane]
        mode = lanes[AT_HORIZON + lane] if lanes[PHASE + lane] == 0 else float(ALONE)
        lanes[MODE + lane] = mode
        gain = lanes[SIDE + lane] * (lanes[PRICE + lane] - lanes[ENTRY_PRICE + lane])
        lanes[GAIN + lane] = gain
        net, lot_fee = lanes[NET + lane], lanes[LOT_FEE + lane]
        exit_fee = fee(fixed, qty, lanes[PRICE + lane])
        entry_fee = lot_fee * steps / steps
        pnl = gain * (qty * fixed.point_value) - entry_fee - exit_fee - lanes[FUNDING + lane]
        pnl = 0.0 if mode == OPEN_AT_END else pnl
        flat = fixed.capital + (net + pnl)
        moved = lanes[N_CLOSE + lane] - lanes[ENTRY_PRICE + lane]
        held = fixed.capital + (net - lot_fee - lanes[FUNDING_SEEN + lane])
        held += moved * (lanes[SIDE + lane] * qty) * fixed.point_value
        equity = held if (mode == REVERSED) | (mode == RELIEVED) else flat
        wanted = equity * lanes[N_SHARE + lane] + lanes[N_FIXED + lane]
        whole = float(np.floor(wanted))
        part = wanted - whole
        is_near = min(part, 1.0 - part) <= STEPS_NOISE * (wanted + 1.0)
        is_near_any |= 1 if is_near else 0
        lanes[IS_NEAR + lane] = 1.0 if is_near else 0.0
        lanes[EXIT_FEE + lane], lanes[ENTRY_FEE + lane] = exit_fee, entry_fee
        lanes[EQUITY + lane], lanes[N_STEPS + lane] = equity, whole
    return is_near_any != 0


@rule
def fetch_units(lanes: F64_1D, places: U64_1D, units: F64_1D) -> None:
    """Look up what a contract of each next entry takes, which only exact sizes ask for."""
    for lane in range(LANES):
        lanes[N_UNIT + lane] = units[places[AT + lane]]


@rule
def size_exactly(lanes: F64_1D, fixed: Fixed) -> None:
    """Find the sizes that are too near to a whole step in the reference's own order."""
    for lane in range(LANES):
        if lanes[IS_NEAR + lane] == 0 or lanes[N_SHARE + lane] == 0:
            continue
        equity, steps = lanes[EQUITY + lane], lanes[STEPS + lane]
        if lanes[MODE + lane] != REVERSED and lanes[MODE + lane] != RELIEVED:
            paid = lanes[EXIT_FEE + lane] * steps / steps * steps / steps
            pnl = lanes[GAIN + lane] * (lanes[QTY + lane] * fixed.point_value)
            pnl = pnl - lanes[ENTRY_FEE + lane] - paid - lanes[FUNDING + lane]
            if lanes[MODE + lane] == OPEN_AT_END:
                pnl = 0.0
            equity = fixed.capital + (lanes[NET + lane] + pnl)
        share = fixed.share if fixed.share > 0 else lanes[N_OWN_SHARE + lane]
        lanes[N_STEPS + lane] = exact_steps(
            equity, share, fixed.order_fee, lanes[N_UNIT + lane], fixed.step_over,
            fixed.step_under, fixed.leverage,
        )  # fmt: skip # one call


@rule
def turn(lanes: F64_1D, fixed: Fixed) -> None:
    """Close the position of each lane and open the next."""
    for lane in range(LANES):
        steps, wanted, mode = lanes[STEPS + lane], lanes[N_STEPS + lane], lanes[MODE + lane]
        opening = min(wanted, fixed.room_steps)
        opening_qty = opening * fixed.step_over / fixed.step_under
        is_sound = (opening >= 1.0) & (wanted <= STEPS_MAX) & (opening_qty >= fixed.qty_min)
        is_sound &= opening_qty * lanes[N_CLOSE + lane] * fixed.point_value >= fixed.notional_min
        is_joint = mode == REVERSED
        total = steps + opening if is_joint else opening
        qty = total * fixed.step_over / fixed.step_under
        fill_fee = fee(fixed, qty, lanes[N_PRICE + lane])
        paid = fill_fee if is_joint else lanes[EXIT_FEE + lane]
        of_steps = total if is_joint else steps
        exit_fee = paid * steps / of_steps * steps / steps
        pnl = lanes[GAIN + lane] * (lanes[QTY + lane] * fixed.point_value)
        pnl = pnl - lanes[ENTRY_FEE + lane] - exit_fee - lanes[FUNDING + lane]
        pnl = pnl if lanes[QTY + lane] > 0 else 0.0
        closed = 0.0 if mode == OPEN_AT_END else pnl
        before = lanes[NET + lane]
        net = before + closed
        own = min(lanes[EQUITY + lane] - lanes[FUNDING_LATE + lane], fixed.capital + net)
        opened_fee = fill_fee * opening / total
        need = wanted * fixed.step_size * lanes[N_NEED + lane] + opened_fee
        is_sound &= need <= own * SURE
        is_sound &= own > fixed.capital * (1 - SURE)  # Without margin nothing is needed of it.
        lanes[OWNED + lane] = fixed.capital + (before - lanes[LOT_FEE + lane])
        lanes[OWNED + lane] -= lanes[FUNDING_MAX + lane]
        lanes[NET + lane], lanes[PNL + lane], lanes[PAID + lane] = net, pnl, exit_fee
        lanes[N_STEPS + lane] = opening
        lanes[N_QTY + lane] = opening_qty
        lanes[LOT_FEE + lane] = opened_fee
        is_unsure = (lanes[N_SIDE + lane] != 0) & (not is_sound)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_unsure else 0.0)


@rule
def tally(lanes: F64_1D) -> None:
    """Add the trade that each lane has just closed to its sums."""
    for lane in range(LANES):
        is_closed = lanes[MODE + lane] != OPEN_AT_END
        one = 1.0 if is_closed else 0.0
        pnl = lanes[PNL + lane] if is_closed else 0.0
        first = pnl if lanes[TRADES + lane] == 0 else lanes[FIRST_PNL + lane]
        difference = pnl - first if is_closed else 0.0
        lanes[FIRST_PNL + lane] = first
        lanes[DIFFERENCES + lane] += difference
        lanes[SQUARES + lane] += difference * difference
        lanes[TRADES + lane] += one
        lanes[WINS + lane] += 1.0 if pnl > 0 else 0.0
        lanes[GAINS + lane] += max(pnl, 0.0)
        lanes[LOST + lane] -= min(pnl, 0.0)
        lanes[FEES + lane] += lanes[ENTRY_FEE + lane] + one * lanes[PAID + lane]
        lanes[FUNDED + lane] += lanes[FUNDING + lane]
        lanes[PNL_MAX + lane] = max(lanes[PNL_MAX + lane], pnl)
        lanes[PNL_MIN + lane] = min(lanes[PNL_MIN + lane], pnl)
        streak = lanes[STREAK + lane] + 1.0 if pnl < 0 else 0.0
        lanes[STREAK + lane] = streak
        lanes[STREAK_MAX + lane] = max(lanes[STREAK_MAX + lane], streak)
        start, end = lanes[ENTRY_BAR + lane], lanes[BAR + lane]
        end = end if is_closed else end - 1.0  # one behind the last
        lanes[BARS + lane] += one * (end - start + 1.0)
        lanes[COVER + lane] += end - max(start, lanes[LAST_BAR + lane] + 1.0) + 1.0
        lanes[LAST_BAR + lane] = end


@rule
def mark(lanes: F64_1D, fixed: Fixed) -> None:
    """Mark equity at the worst of each trade and after it; leverage is liquidated, not called."""
    is_calling = fixed.leverage == 1.0
    for lane in range(LANES):
        is_closed = lanes[MODE + lane] != OPEN_AT_END
        peak, pnl = lanes[PEAK + lane], lanes[PNL + lane]
        net = lanes[NET + lane]
        before = fixed.capital + (net - pnl if is_closed else net)
        unit = lanes[QTY + lane] * fixed.point_value
        moved = lanes[LOSS + lane] * unit
        mae = max(0.0, moved + lanes[ENTRY_FEE + lane])
        swing = max(0.0, peak - (before - max(mae, -pnl)))
        lanes[SWING_MAX + lane] = max(lanes[SWING_MAX + lane], swing)
        lanes[SWING_RATIO_MAX + lane] = max(lanes[SWING_RATIO_MAX + lane], swing / peak)
        peak = max(peak, fixed.capital + net)
        lanes[PEAK + lane] = peak
        fall = peak - (fixed.capital + net)
        lanes[FALL_MAX + lane] = max(lanes[FALL_MAX + lane], fall)
        side = lanes[SIDE + lane]
        ratio = fixed.margin_long if side > 0 else fixed.margin_short
        worst = (lanes[ENTRY_PRICE + lane] - side * lanes[LOSS + lane]) * unit * ratio
        is_called = is_calling & (ratio > 0) & (worst > (lanes[OWNED + lane] - moved) * SURE)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_called else 0.0)


@rule
def move_on(lanes: F64_1D) -> None:
    """Let what was opened be what is held."""
    for lane in range(LANES):
        lanes[STEPS + lane], lanes[QTY + lane] = lanes[N_STEPS + lane], lanes[N_QTY + lane]
        lanes[ENTRY_PRICE + lane] = lanes[N_PRICE + lane]
        lanes[SIDE + lane], lanes[ENTRY_BAR + lane] = lanes[N_SIDE + lane], lanes[N_BAR + lane]
        lanes[AT_HORIZON + lane] = lanes[N_MODE + lane]
