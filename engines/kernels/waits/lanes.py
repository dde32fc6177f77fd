"""Links of orders in the lanes of `passage.lanes`: each lane a set, each step a link.

Theory. What is done with money is the step of `passage.lanes`. An order is sized by the money of
its deciding close, at the price of its fill, but a stop that an open has passed at what it was
reckoned with there; the account must be able to pay it at the close that decides, which knows the
size that it would have there, and where it fills. A position that is held at that close lends it
its open result, however it ends before the order is met.

An order that only closes is weighed as if it entered, and leaves an empty position.
"""

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels.chains.columns import LINE_BITS, MODE_BITS, O_MONTH, Sizes
from engines.kernels.parts.lanes import PART_NUMBERS
from engines.kernels.passage.columns import RELIEVED, REVERSED, U64_1D, Fixed, Payments
from engines.kernels.passage.events import HALF
from engines.kernels.passage.funding import FIRST, LAST, SEEN, add_up
from engines.kernels.passage.lanes import (
    AT,
    AT_HORIZON,
    BAR,
    END,
    ENTRY_BAR,
    ENTRY_PRICE,
    EQUITY,
    IS_UNSURE,
    LANES,
    LOSS,
    LOT_FEE,
    MODE,
    MONTH,
    N_BAR,
    N_CLOSE,
    N_FIXED,
    N_NEED,
    N_OPEN,
    N_OWN_SHARE,
    N_PRICE,
    N_QTY,
    N_SHARE,
    N_SIDE,
    N_STEPS,
    N_UNIT,
    OWNED,
    PHASE,
    PRICE,
    QTY,
    SIDE,
    STEPS_MAX,
    STREAK,
    SURE,
)
from engines.kernels.waits.columns import (
    CLOSES_ONLY,
    END_MODE,
    IS_LATE,
    IS_SHORT,
    ON_ITS_WAY,
    R_BEFORE,
    R_CLOSE,
    R_DECIDED,
    R_MET,
    R_PRICE,
    R_WHERE,
    ROW_BITS,
    SIZED_BEFORE,
    WHERE_BITS,
    Turns,
)
from engines.types import F64_1D

# Behind the numbers of a lane in parts, whose N_OPEN is where an order is met: of the end the
# lowest price, and whether it is on the way; of the order what the close reckons with, the close
# before its fill, the one that decides, whether it is sized there, fills on the way and only
# closes; the steps that it wants, at first over those of its close; whether the position was
# entered on the way, and the losses in a row before it ended; where it closes in parts, funding
# paid since the close that decides what comes next.
(
    WORST, ENDS_LATE, N_DECIDED, N_BEFORE, N_DECIDED_AT, N_SIZED_BEFORE, N_LATE, N_CLOSES,
    N_WANTED, ENTERED_LATE, STREAK_BEFORE, LATE_SINCE,
) = range(PART_NUMBERS * LANES, (PART_NUMBERS + 12) * LANES, LANES)  # fmt: skip # one list
WAIT_NUMBERS = PART_NUMBERS + 12
NOISE = 1e-9


@rule
def start_wait(lanes: F64_1D, places: U64_1D, lane: int, first: int, count: int) -> None:
    """Let a lane stand before the first link of its set."""
    places[END + lane] = first + count - 1
    places[AT + lane] = np.uint64(first) - np.uint64(1)
    lanes[ENTERED_LATE + lane] = 0.0


@rule
def idle(places: U64_1D, lane: int) -> None:
    """Let a lane that has no set stand at the end of the first lane's."""
    places[END + lane] = places[AT + lane] = places[END]


@rule
def follow(lanes: F64_1D, places: U64_1D, turns: Turns, rows: F64_1D, lines: F64_1D) -> None:
    """Look up the next link of each lane; one that is at its end stays there."""
    one = np.uint64(1)
    for lane in range(LANES):
        at = min(places[AT + lane] + one, places[END + lane])
        places[AT + lane] = at
        end, follower = np.uint64(turns.ends[at]), np.uint64(turns.nexts[at])
        lanes[PRICE + lane], lanes[WORST + lane] = turns.prices[at], turns.worst[at]
        lanes[N_DECIDED_AT + lane] = turns.decided[at]
        bar = end >> np.uint64(MODE_BITS)
        lanes[BAR + lane] = bar
        lanes[AT_HORIZON + lane] = end & np.uint64(END_MODE)
        lanes[ENDS_LATE + lane] = end & np.uint64(IS_LATE)
        places[MONTH + lane] = np.uint64(lines[(bar << np.uint64(LINE_BITS)) + np.uint64(O_MONTH)])
        lanes[N_CLOSES + lane] = follower & np.uint64(CLOSES_ONLY)
        stand_before(lanes, lane, (follower >> one) << np.uint64(ROW_BITS), rows)
    if len(turns.shares) > 0:
        for lane in range(LANES):
            lanes[N_OWN_SHARE + lane] = turns.shares[places[AT + lane]]


@inlined
def stand_before(lanes: F64_1D, lane: int, row: np.uint64, rows: F64_1D) -> None:
    """Look up the order that comes next, whose row begins there."""
    lanes[N_PRICE + lane] = rows[row + np.uint64(R_PRICE)]
    lanes[N_DECIDED + lane] = rows[row + np.uint64(R_DECIDED)]
    lanes[N_OPEN + lane] = rows[row + np.uint64(R_MET)]
    lanes[N_CLOSE + lane] = rows[row + np.uint64(R_CLOSE)]
    lanes[N_BEFORE + lane] = rows[row + np.uint64(R_BEFORE)]
    where = np.uint64(rows[row + np.uint64(R_WHERE)])
    lanes[N_BAR + lane] = where >> np.uint64(WHERE_BITS)
    lanes[N_SIDE + lane] = where & np.uint64(IS_SHORT)
    lanes[N_LATE + lane] = where & np.uint64(ON_ITS_WAY)
    lanes[N_SIZED_BEFORE + lane] = where & np.uint64(SIZED_BEFORE)


@rule
def weigh(lanes: F64_1D, fixed: Fixed, sizes: Sizes, bars: float) -> None:
    """Find what the link of each lane says of the position that ends and of the one that begins."""
    for lane in range(LANES):
        side, base = lanes[SIDE + lane], lanes[ENTRY_PRICE + lane]
        moved = -side * (lanes[PRICE + lane] - base)
        lanes[LOSS + lane] = max(0.0, side * base - lanes[WORST + lane], moved)
        lanes[PHASE + lane] = 0.0  # which the mode says already
        n_side = 1.0 - 2.0 * lanes[N_SIDE + lane]
        n_side = n_side if lanes[N_BAR + lane] < bars else 0.0
        lanes[N_SIDE + lane] = n_side
        price, met, decided = lanes[N_PRICE + lane], lanes[N_OPEN + lane], lanes[N_DECIDED + lane]
        ratio = fixed.margin_long if n_side > 0 else fixed.margin_short
        # Where it fills the account has lost the slippage already.
        need = max(price * ratio, met * ratio + n_side * (price - met))
        lanes[N_NEED + lane] = need * fixed.point_value
        ordered = decided if lanes[N_SIZED_BEFORE + lane] > 0 else price
        unit = ordered * fixed.point_value * sizes.factor + sizes.added
        at_close = decided * fixed.point_value * sizes.factor + sizes.added
        lanes[N_UNIT + lane], lanes[N_WANTED + lane] = unit, unit / at_close
        steps_a_quote = fixed.step_under / fixed.step_over / unit
        share = lanes[N_OWN_SHARE + lane] if sizes.has_own_shares else fixed.share
        lanes[N_SHARE + lane] = share * fixed.leverage * steps_a_quote
        lanes[N_FIXED + lane] = -fixed.order_fee * steps_a_quote
    if not sizes.is_by_equity:
        _fix(lanes, fixed, sizes)


@rule
def _fix(lanes: F64_1D, fixed: Fixed, sizes: Sizes) -> None:
    """Find the whole steps of a size that does not depend on the account."""
    for lane in range(LANES):
        decided = lanes[N_DECIDED + lane]
        ordered = decided if lanes[N_SIZED_BEFORE + lane] > 0 else lanes[N_PRICE + lane]
        qty = sizes.cash / (ordered * fixed.point_value)
        steps = float(np.floor(qty * fixed.step_under / fixed.step_over))
        steps = steps if sizes.is_by_cash else sizes.steps
        lanes[N_SHARE + lane], lanes[N_FIXED + lane] = 0.0, steps + HALF
        lanes[N_WANTED + lane] = ordered / decided if sizes.is_by_cash else 1.0


@rule
def pay_wait(lanes: F64_1D, payments: Payments, fixed: Fixed) -> None:
    """Find what the position of each lane pays, by where it began and ends."""
    one = np.uint64(1)
    for lane in range(LANES):
        bar, entered = np.uint64(lanes[BAR + lane]), np.uint64(lanes[ENTRY_BAR + lane])
        decided, mode = np.uint64(lanes[N_DECIDED_AT + lane]), lanes[AT_HORIZON + lane]
        is_late = lanes[ENTERED_LATE + lane] > 0
        first = payments.before[entered + one] if is_late else payments.after[entered]
        is_late = lanes[ENDS_LATE + lane] > 0
        last = payments.before[bar + one] if is_late else payments.after[bar]
        seen = last
        if (mode == REVERSED) | (mode == RELIEVED):
            seen = payments.before[decided + one]
        is_none = lanes[SIDE + lane] == 0
        lanes[FIRST + lane] = first
        lanes[SEEN + lane] = first if is_none else seen
        lanes[LAST + lane] = first if is_none else last
    for lane in range(LANES):
        add_up(lanes, lane, payments, fixed)


@rule
def judge(lanes: F64_1D, fixed: Fixed, sizes: Sizes) -> None:
    """Mark sets whose order might have been refused at the close that decides it."""
    has_money = sizes.is_by_equity or sizes.is_by_cash
    step, noise = (1.0, NOISE) if has_money else (0.0, 0.0)
    for lane in range(LANES):
        equity, wanted, ratio = lanes[EQUITY + lane], lanes[N_STEPS + lane], lanes[N_WANTED + lane]
        # The money of the close buys `least` to `most` steps at what that reckons with.
        least = float(np.floor(wanted * ratio * (1.0 - noise)))
        most = (wanted + step) * ratio * (1.0 + noise)
        qty = least * fixed.step_over / fixed.step_under
        side = lanes[N_SIDE + lane]
        ratio = fixed.margin_long if side > 0 else fixed.margin_short
        unit = lanes[N_DECIDED + lane] * fixed.point_value * ratio
        is_sound = (least >= 1.0) & (most <= STEPS_MAX) & (qty >= fixed.qty_min)
        is_sound &= qty * lanes[N_CLOSE + lane] * fixed.point_value >= fixed.notional_min
        is_sound &= most * fixed.step_size * unit <= equity * SURE
        is_unsure = (side != 0) & (not is_sound)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_unsure else 0.0)
        lanes[N_WANTED + lane] = wanted


@rule
def enter(lanes: F64_1D, fixed: Fixed) -> None:
    """Mark sets whose order might be refused at the open where it fills; empty what only closes."""
    for lane in range(LANES):
        moved = (lanes[N_BEFORE + lane] - lanes[ENTRY_PRICE + lane]) * lanes[SIDE + lane]
        owned = lanes[OWNED + lane] + moved * lanes[QTY + lane] * fixed.point_value
        need = lanes[N_WANTED + lane] * fixed.step_size * lanes[N_NEED + lane]
        is_joint = (lanes[MODE + lane] == REVERSED) & (lanes[N_LATE + lane] == 0)
        is_unsure = is_joint & (not need <= owned * SURE)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_unsure else 0.0)
        is_closing = lanes[N_CLOSES + lane] > 0
        lanes[N_SIDE + lane] = 0.0 if is_closing else lanes[N_SIDE + lane]
        lanes[N_STEPS + lane] = 1.0 if is_closing else lanes[N_STEPS + lane]
        lanes[N_QTY + lane] = 0.0 if is_closing else lanes[N_QTY + lane]
        lanes[LOT_FEE + lane] = 0.0 if is_closing else lanes[LOT_FEE + lane]
        lanes[ENTERED_LATE + lane] = lanes[N_LATE + lane]
        lanes[STREAK_BEFORE + lane] = lanes[STREAK + lane]


@rule
def skip_empty(lanes: F64_1D) -> None:
    """Let an empty position that has ended be no trade that ends a row of losses."""
    for lane in range(LANES):
        is_empty = lanes[SIDE + lane] == 0
        kept = lanes[STREAK_BEFORE + lane]
        lanes[STREAK + lane] = kept if is_empty else lanes[STREAK + lane]
