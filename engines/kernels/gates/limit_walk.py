"""A position near to a limit, bar by bar: where losses of a day or the drawdown end it (`limits`).

Theory. At the open of each bar equity at the close before may raise the peak and begins a day. The
level of the drawdown is a price, met where it lies on the way, ahead of what an order does at the
same open but behind orders at the same level. The day's loss is judged at the open, behind what
fills there, and at the extremes; the worse one is enough, since nothing is paid on the way.

In the bar whose way ends the position by a level of its own, it matters whether the worst price was
come to before. Where levels stand still the worst price until the end tells that: a stop that is
met is lower than all before. Where they move the exit is walked once more. A set is unsure where a
stop may lie at the extreme itself, and where equity is nearer to the day's loss than noise.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels.bracket_walk import stands_still
from engines.kernels.chains.columns import (
    AT_LEVEL,
    MODE_BITS,
    MODE_MASK,
    ON_THE_WAY,
    Exits,
    Given,
    Opens,
)
from engines.kernels.chains.exits import narrow, walk
from engines.kernels.chains.lanes import WORST, stand_at_end
from engines.kernels.columns import F64_2D
from engines.kernels.exit_walk import PART
from engines.kernels.gates.columns import (
    BEGUN,
    CURSOR,
    CUT,
    DAY_END,
    DAY_FILLS,
    DAY_LEAST,
    ENDS,
    ENTRY,
    HALTED_UNTIL,
    IS_SHORT,
    NEVER,
    NEXT,
    PLACE,
    PLAN,
    ROW,
    STOP,
    TOP,
    UNKNOWN,
    Gates,
    Watch,
)
from engines.kernels.gates.rules import recall_counts
from engines.kernels.money import due_price, slipped_price
from engines.kernels.passage.columns import PASSED_AT_OPEN, U64_1D, Fixed, Payments
from engines.kernels.passage.events import slip_at
from engines.kernels.passage.lanes import (
    AT_HORIZON,
    ENTRY_PRICE,
    IS_UNSURE,
    LOT_FEE,
    NET,
    PHASE,
    PRICE,
    QTY,
    SIDE,
)
from engines.kernels.rounding import round_by
from engines.kernels.slots import CLOSE, HIGH, LOW, OPEN
from engines.kernels.slots import PRICE as PRICE_NOW
from engines.types import F64_1D, I64_1D

NOT_CUT, BY_FILLS, BY_LOSS, BY_DRAWDOWN = range(4)
NOISE = 1e-9  # of equity: far more than that of computing it


@inlined
def least_of(gates: Gates, equity: float) -> float:
    """Return the equity at which the loss of a day is reached that begins with `equity`."""
    if equity <= 0:  # Nothing is left to protect by percent.
        return -math.inf
    return equity - min(gates.loss_ratio * equity, gates.loss_quote)


@inlined
def settled_at(lanes: F64_1D, lane: int, fixed: Fixed, paid: float) -> float:
    """Return the capital and all that was earned and paid, `paid` for funding of what is held."""
    earned: float = lanes[NET + lane] - lanes[LOT_FEE + lane] - paid
    return fixed.capital + earned


@inlined
def equity_at(lanes: F64_1D, lane: int, fixed: Fixed, price: float, paid: float) -> float:
    """Return the equity with what a lane holds valued at `price`."""
    moved = price - lanes[ENTRY_PRICE + lane]
    held: float = moved * (lanes[SIDE + lane] * lanes[QTY + lane]) * fixed.point_value
    return settled_at(lanes, lane, fixed, paid) + held


@inlined
def first_settlement(stands: I64_1D, lane: int, payments: Payments, lag: int) -> int:
    """Return the first settlement that the position of a lane may pay."""
    if len(payments.rates) == 0:
        return 0
    entered = stands[ENTRY + lane] + 1
    return int(payments.after[entered] if lag == 0 else payments.before[entered])


@rule
def cut(
    stands: I64_1D, lanes: F64_1D, places: U64_1D, lane: int, opens: Opens, line: int, mode: int,
    price: float, worst: float, how: int,
) -> None:  # fmt: skip # where the lane stands, then how it ends
    """Let a limit end the position of a lane at this line, mode, price and worst price before."""
    if stands[NEXT + lane] != UNKNOWN:  # What was to follow is counted.
        recall_counts(stands, lane)
    stands[ENDS + lane], stands[CUT + lane] = (line << MODE_BITS) | mode, how
    stands[NEXT + lane], stands[CURSOR + lane] = UNKNOWN, stands[BEGUN + lane]
    stand_at_end(lanes, places, lane, np.uint64(stands[ENDS + lane]), price, worst, opens.lines)
    lanes[PHASE + lane] = max(0.0, lanes[AT_HORIZON + lane] - (AT_LEVEL - PASSED_AT_OPEN))
    stands[HALTED_UNTIL + lane] = stands[DAY_END + lane]
    if how == BY_DRAWDOWN:
        end_trading(stands, lane)


@rule
def end_trading(stands: I64_1D, lane: int) -> None:
    """Let a lane enter nothing any more."""
    stands[HALTED_UNTIL + lane], stands[CURSOR + lane] = NEVER, stands[STOP + lane]


@rule
def _force(
    stands: I64_1D, lanes: F64_1D, places: U64_1D, lane: int, opens: Opens, given: Given,
    bar: int, mode: int, price: float, worst: float, how: int,
) -> None:  # fmt: skip # where the lane stands, what it reads, then how it ends
    """Close the position of a lane in a bar in which `price` has come to a limit."""
    run, side = given.runs[stands[PLAN + lane]], lanes[SIDE + lane]
    slip_at(run, given.slip_ratio, bar - 1)
    if how == BY_DRAWDOWN:
        price = round_by(run, price, -side)
    filled = slipped_price(run, due_price(run, price), -side, 0.0)
    cut(stands, lanes, places, lane, opens, bar + opens.lag, mode, filled, worst, how)


@rule
def _judge(
    stands: I64_1D, lanes: F64_1D, places: U64_1D, lane: int, gates: Gates, opens: Opens,
    given: Given, fixed: Fixed, paid: float, bar: int, mode: int, price: float, lowest: float,
    begins: bool, is_judged: bool,
) -> int:  # fmt: skip # where the lane stands, what it reads, then where the price stands
    """Close what a lane holds if the price meets a limit on its way to `price`; return which.

    The price `begins` at this one in a bar, or comes to it; losses may not be judged there.
    """
    side = lanes[SIDE + lane]
    level = level_of(lanes, lane, gates, fixed, paid)
    if side * price <= side * level:
        met = price if begins else level
        worst = lowest if begins else min(lowest, side * level)
        _force(
            stands, lanes, places, lane, opens, given, bar, mode, met, worst, BY_DRAWDOWN
        )  # fmt: skip # one call
        return BY_DRAWDOWN
    least = lanes[DAY_LEAST + lane]
    if not is_judged or least == -math.inf:
        return NOT_CUT
    equity = equity_at(lanes, lane, fixed, price, paid)
    if abs(equity - least) <= NOISE * lanes[TOP + lane]:
        lanes[IS_UNSURE + lane] = 1.0
    if equity > least:
        return NOT_CUT
    worst = lowest if begins else min(lowest, side * price)
    _force(stands, lanes, places, lane, opens, given, bar, mode, price, worst, BY_LOSS)
    return BY_LOSS


@rule
def level_of(lanes: F64_1D, lane: int, gates: Gates, fixed: Fixed, paid: float) -> float:
    """Return the price at which equity has fallen by the largest drawdown, none: infinite."""
    if gates.drawdown == math.inf:
        return -math.inf * float(lanes[SIDE + lane])
    unit = lanes[SIDE + lane] * lanes[QTY + lane] * fixed.point_value
    floor = lanes[TOP + lane] * (1 - gates.drawdown)
    return float(lanes[ENTRY_PRICE + lane] + (floor - settled_at(lanes, lane, fixed, paid)) / unit)


@rule
def start_bar(
    stands: I64_1D, lanes: F64_1D, lane: int, gates: Gates, watch: Watch, equity: float, bar: int
) -> None:
    """Note the equity at the close before a bar."""
    lanes[TOP + lane] = max(lanes[TOP + lane], equity)
    if bar == stands[DAY_END + lane]:
        stands[DAY_END + lane], stands[DAY_FILLS + lane] = watch.next_day[bar], 0
        lanes[DAY_LEAST + lane] = least_of(gates, equity)


@rule
def _pay(
    lanes: F64_1D, lane: int, payments: Payments, unit: float, settled: int, last: int, paid: float
) -> tuple[int, float]:
    """Return the settlement behind those before `last`, and what was paid by then."""
    qty = lanes[SIDE + lane] * lanes[QTY + lane]
    for place in range(settled, max(settled, last)):
        paid += qty * payments.prices[place] * unit * payments.rates[place]
    return max(settled, last), paid


@rule
def walk_limits(
    stands: I64_1D, lanes: F64_1D, places: U64_1D, lane: int, gates: Gates, watch: Watch,
    opens: Opens, given: Given, exits: Exits, atr: F64_1D, payments: Payments, fixed: Fixed,
) -> int:  # fmt: skip # where the lane stands, then what it reads
    """Follow the position of a lane to its end, or to a limit that ends it; return which did."""
    prices, side, lag = given.prices, lanes[SIDE + lane], opens.lag
    entered, mode = stands[ENTRY + lane] + 1, stands[ENDS + lane] & MODE_MASK
    end, lowest, how = (stands[ENDS + lane] >> MODE_BITS) - lag, math.inf, NOT_CUT
    settled, paid = first_settlement(stands, lane, payments, lag), 0.0
    bar, last = entered, min(end, opens.bars - 1 - lag)
    while bar <= last:
        is_entry = lag == 0 and bar == entered
        # What fills at the open does so between the two limits.
        is_left = bar != end or mode == ON_THE_WAY or (lag != 0 and mode < AT_LEVEL)
        how, settled, paid = _open_bar(
            stands, lanes, places, lane, gates, watch, opens, given, payments, fixed, bar,
            is_entry, is_left, lowest, settled, paid,
        )  # fmt: skip # one call
        if how != NOT_CUT or not is_left:
            return how
        if bar == end and mode == ON_THE_WAY:
            return _end_way(
                stands, lanes, places, lane, gates, opens, given, exits, atr, fixed, paid, bar,
                lowest,
            )  # fmt: skip # one call
        worst = prices[bar, LOW] if side > 0 else prices[bar, HIGH]
        how = _judge(
            stands, lanes, places, lane, gates, opens, given, fixed, paid, bar, ON_THE_WAY, worst,
            lowest, False, True,
        )  # fmt: skip # one call
        if how != NOT_CUT:
            return how
        bar, lowest = _pass_calm(
            stands, lanes, lane, gates, prices, payments, fixed, bar + 1, min(end, last + 1),
            min(lowest, side * worst), settled, paid,
        )  # fmt: skip # one call
    return how


@rule
def _pass_calm(
    stands: I64_1D, lanes: F64_1D, lane: int, gates: Gates, prices: F64_2D, payments: Payments,
    fixed: Fixed, bar: int, end: int, lowest: float, settled: int, paid: float,
) -> tuple[int, float]:  # fmt: skip # where the lane stands, what it reads, then where it is
    """Return the first bar from `bar` on that may matter to a limit, and the lowest until then.

    In the others nothing is paid, no day begins, no limit is near and equity comes to no new peak.
    """
    side, unit = lanes[SIDE + lane], lanes[QTY + lane] * fixed.point_value
    owned, base = settled_at(lanes, lane, fixed, paid), side * lanes[ENTRY_PRICE + lane]
    margin = NOISE * lanes[TOP + lane] / unit
    floor = lanes[TOP + lane] * (1 - gates.drawdown)
    guard = base + (max(lanes[DAY_LEAST + lane], floor) - owned) / unit + margin
    crest = math.inf
    if gates.drawdown < math.inf:
        crest = base + (lanes[TOP + lane] - owned) / unit - margin
    extreme, pays = LOW if side > 0 else HIGH, len(payments.rates) > 0
    end = min(end, stands[DAY_END + lane])
    while bar < end:
        worst = side * prices[bar, extreme]
        if not (worst > guard and side * prices[bar - 1, CLOSE] < crest):
            break
        if pays and payments.before[bar + 1] > settled:
            break
        lowest = min(lowest, worst)
        bar += 1
    return bar, lowest


@rule
def _open_bar(
    stands: I64_1D, lanes: F64_1D, places: U64_1D, lane: int, gates: Gates, watch: Watch,
    opens: Opens, given: Given, payments: Payments, fixed: Fixed, bar: int, is_entry: bool,
    is_left: bool, lowest: float, settled: int, paid: float,
) -> tuple[int, int, float]:  # fmt: skip # as before, then what is done at the open
    """Judge the open of a bar; return which limit ends the position, and what funding was paid."""
    price, unit = given.prices[bar, OPEN], fixed.point_value
    if not is_entry:
        equity = equity_at(lanes, lane, fixed, given.prices[bar - 1, CLOSE], paid)
        start_bar(stands, lanes, lane, gates, watch, equity, bar)
    if len(payments.rates) > 0:
        early = int(payments.after[bar])
        settled, paid = _pay(lanes, lane, payments, unit, settled, early, paid)
    how = _judge(
        stands, lanes, places, lane, gates, opens, given, fixed, paid, bar, AT_LEVEL, price, lowest,
        True, is_left,
    )  # fmt: skip # one call
    if how != NOT_CUT or not is_left or len(payments.rates) == 0:
        return how, settled, paid
    last = int(payments.before[bar + 1])
    if last > settled:
        settled, paid = _pay(lanes, lane, payments, unit, settled, last, paid)
        how = _judge(
            stands, lanes, places, lane, gates, opens, given, fixed, paid, bar, ON_THE_WAY, price,
            lowest, True, True,
        )  # fmt: skip # one call
    return how, settled, paid


@rule
def _end_way(
    stands: I64_1D, lanes: F64_1D, places: U64_1D, lane: int, gates: Gates, opens: Opens,
    given: Given, exits: Exits, atr: F64_1D, fixed: Fixed, paid: float, bar: int, lowest: float,
) -> int:  # fmt: skip # where the lane stands, what it reads, then what came before
    """Judge the way of the bar on which a level ends the position; return which limit does."""
    side, prices = lanes[SIDE + lane], given.prices
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    extreme = low if side > 0 else high
    is_first = (high - opened < opened - low) == (side < 0)
    level = side * level_of(lanes, lane, gates, fixed, paid)
    margin = NOISE * lanes[TOP + lane]
    equity = equity_at(lanes, lane, fixed, extreme, paid)
    is_lost = is_first and not equity > lanes[DAY_LEAST + lane] + margin
    if level < side * extreme and not is_lost:
        return NOT_CUT
    run = given.runs[stands[PLAN + lane]]
    wish = stands[BEGUN + lane] - 1
    target = given.targets[wish] if len(given.targets) > 0 else math.nan
    if stands_still(run, target):
        is_seen, stop = _way_of_still(lanes, lane, side * extreme, is_first, lowest)
    else:
        _retrace(stands, lane, opens, given, exits, atr, wish, target)
        is_stop = (run[PART] == 0) == is_first
        is_seen, stop = is_first and not is_stop, side * run[PRICE_NOW] if is_stop else math.inf
    # Orders at the same level are filled before.
    if not is_seen and level <= stop:
        return NOT_CUT
    return _judge(
        stands, lanes, places, lane, gates, opens, given, fixed, paid, bar, ON_THE_WAY, extreme,
        lowest, False, is_seen,
    )  # fmt: skip # one call


@rule
def _way_of_still(
    lanes: F64_1D, lane: int, worst: float, is_first: bool, lowest: float
) -> tuple[bool, float]:
    """Return whether levels that stand still let the price come to the worst of the bar before.

    And the price at which the stop ends the position if they do not, infinite if that is a target.
    """
    until = lanes[WORST + lane]
    is_lower = until < lowest  # than all before, as it is where the stop is met
    if is_first and (not is_lower or until <= worst):
        if is_lower and lanes[SIDE + lane] * lanes[PRICE + lane] <= worst:
            lanes[IS_UNSURE + lane] = 1.0  # The stop may lie at the extreme itself.
        return True, math.inf
    return False, until if is_lower else math.inf


@rule
def _retrace(
    stands: I64_1D, lane: int, opens: Opens, given: Given, exits: Exits, atr: F64_1D, wish: int,
    target: float,
) -> None:  # fmt: skip # where the lane stands, then what its levels are made of
    """Walk the position of a lane once more, so that its run tells where on the way it ended."""
    entry = ((stands[ENTRY + lane] + 1) << 1) | stands[IS_SHORT + lane]
    stop = given.stops[wish] if len(given.stops) > 0 else math.nan
    known = atr[stands[ENTRY + lane]] if len(atr) > 0 else math.nan
    walk(
        given.runs[stands[PLAN + lane]], opens, given.prices, given.slip_ratio, entry,
        narrow(opens.bars - 1), stop, target, known, exits, stands[ROW + lane],
        narrow(int(stands[PLACE + lane])),
    )  # fmt: skip # one call
