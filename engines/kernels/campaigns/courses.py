"""The course of a campaign, which all sets share that enter after the same close and on one side.

Theory. Where its rungs wait hangs on the close that decides, so what of a campaign is the account's
is the average alone: how many whole steps each rung buys moves it a little, and with it the target
and the stop. So the first set to come to an entry that another had taken before walks it (`learn`)
and notes beside what fills when between which averages all of this stays as it is: those whose
target lies above all that was passed by and not above what met it, and whose stop likewise. Others
then ask whether theirs are such (`played`), and need no bar. Where sets come to many entries again
the first one walks it at once. Where an entry that waits is met, and what is left of that bar then,
hangs on the close as well; a campaign for which the bar goes on to matter is not known.

Bars are judged whole. In one that fills rungs neither level may be met, nor may a rung in one that
ends the campaign, nor both levels; nor may an open pass two rungs. Then no order within the bar
matters. What is not so simple is not known, and every set walks it. What is in doubt by a part of a
tick counts as met and as not met: neither is a bound then.
"""

import math

from engines.kernels._compiled import apart, rule
from engines.kernels._prefetch import prefetch
from engines.kernels.campaigns.columns import (
    BARS,
    CLOSE_THEN,
    ENTRY_BAR,
    FIRST_PART,
    IS_LIMITED,
    KNOWS,
    LADDER_FROM,
    LAG,
    LAST_PART,
    NOW,
    PAYS_END,
    RUNG_LEVEL,
    RUNG_SIZE,
    RUNGS_FROM,
    STEPS_A_QTY,
    STOP_AWAY,
    TARGET_AWAY,
    UNIT_ADDED,
    UNIT_FACTOR,
    WAY_PART,
)
from engines.kernels.campaigns.fills import rung_price, stop_of, target_of, tick_down
from engines.kernels.campaigns.sizes import order_steps, price_and_weight
from engines.kernels.chains.columns import LINE, O_MONTH, O_SLIP
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price
from engines.kernels.search import extremes, first_touch
from engines.kernels.slots import (
    AT_MARKET,
    BASIS,
    CALLS_MARGIN,
    CLOSE,
    ENTRY_KIND,
    FROM_AVERAGE,
    FROM_ENTRY,
    HAS_EXITS,
    HIGH,
    IS_EXACT,
    LATE_ENTRIES,
    LOW,
    OPEN,
    PRICE_AVG,
    PROFIT_ATR,
    PROFIT_RATIO,
    RUNGS,
    STEPS,
    STOP_ATR,
    STOP_RATIO,
    TICK_SIZE,
    VALUE_MAX,
    VERIFY_TICKS,
)
from engines.types import F64_1D

# A course: the line of its entry, what is known of it, how many lots it has, the bar that ends it
# by a level, which one and how, what an open that has passed it fills at, the lowest signed price
# of that bar until then, and behind its open, its month and how it slips; the highest price of the
# course and how far its prices lie apart; and the signed bases between which the level of the last
# lot ends it so.
(
    C_LINE, C_STATE, C_LOTS, C_END, C_FROM, C_TO, C_HIGH, C_RANGE, C_WAY, C_PRICE, C_WORST, C_LATER,
    C_MONTH, C_SLIP,
) = range(14)  # fmt: skip # one list
# What is only of use while it is walked: what is held and has cost, its levels, the rung that waits
# next and where, and the extremes of bars since the last lot and since the close that decided.
(
    C_COST, C_STEPS, C_UP, C_DOWN, C_RUNG, C_LEVEL, C_MOST, C_LEAST, C_TOP, C_BOTTOM,
) = range(14, 24)  # fmt: skip # one list
# Of an entry that waited: the bar that meets it, what it fills at, the signed price at which the
# way stands then, and which part of the way that is.
C_ENTRY, C_FILL, C_NOW, C_PART = range(24, 28)
COURSE_HEAD = 28
# A lot: its bar and price, the steps that a unit of money buys, which rung it was; the lowest
# signed price of its bar, and of the course until the next lot; the signed bases between which
# nothing else comes first.
K_BAR, K_PRICE, K_SIZE, K_RUNG, K_WORST, K_LOWEST, K_FROM, K_TO = range(8)
KNOWN_LOT = 8
KNOWN_LOTS = 16  # as many may be known
IS_SEEN, IS_KNOWN, IS_CLOSED = 1.0, 2.0, 3.0  # walked by one set, known, not to be known
# Values of C_WAY: a level is met on the way of the bar, or its open has passed it.
BY_TARGET, BY_TARGET_PASSED, BY_STOP, BY_STOP_PASSED = 0.0, 1.0, 2.0, 3.0
LINES_KNOWN = 1024  # of entries, which sets side by side come to at the same time
DOUBT = 0.01  # of a tick
LOTS_FETCHED, DOUBLES = 2, 8  # what is asked for ahead, a line of the cache at a time
# Behind all courses: how many were come to, and how many of them again; so many tell enough, and
# of so many one has to be come to again.
COUNTS, SEEN_AT, AGAIN_AT = 2, 2, 1  # the last two from the end
SEEN_MIN, OFTEN = 32, 2
RATIO_MAX = 0.99  # of a level, whose base is found back by a division


@rule
def prepare_courses(run: Run, may_share: bool) -> None:
    """Note whether courses of a plan are shared, without which campaigns are walked."""
    is_plain = may_share and run[LAG] == 0 and run[PAYS_END] == 0
    is_plain &= run[IS_LIMITED] == 0 and 0 < run[RUNGS] < KNOWN_LOTS and run[VERIFY_TICKS] == 0
    is_plain &= run[BASIS] != FROM_ENTRY and run[LATE_ENTRIES] == math.inf
    is_plain &= run[CALLS_MARGIN] != 0 and run[IS_EXACT] == 0 and run[VALUE_MAX] == math.inf
    is_plain &= not run[PROFIT_RATIO] >= RATIO_MAX and not run[STOP_RATIO] >= RATIO_MAX
    for place in range(int(run[RUNGS])):
        is_plain &= run[LADDER_FROM + 2 * (place + 1)] >= 0
    run[KNOWS] = 1.0 if is_plain else 0.0


@rule
def course_size(rungs: int) -> int:
    """Return how long a course is."""
    return COURSE_HEAD + KNOWN_LOT * (rungs + 1)


@rule
def course_at(run: Run, line: int, side: float) -> int:
    """Return where the course of a campaign lies that begins at a line."""
    place = 2 * (line & (LINES_KNOWN - 1)) + (1 if side > 0 else 0)
    return place * course_size(int(run[RUNGS]))


@rule
def fetch_course(run: Run, known: F64_1D, line: int, side: float) -> None:
    """Ask for the course of a campaign that is about to begin."""
    if run[KNOWS] != 0:
        at = course_at(run, line, side)
        for place in range(0, COURSE_HEAD + KNOWN_LOT * LOTS_FETCHED, DOUBLES):
            prefetch(known, at + place)


@rule
def met_at(run: Run, known: F64_1D, line: int, side: float) -> int:
    """Return where the course lies of an entry that waits since a line, -1: it is not known."""
    if run[KNOWS] == 0:
        return -1
    at = course_at(run, line, side)
    is_known = known[at + C_LINE] == line and known[at + C_STATE] != IS_SEEN
    return at if is_known else -1


@rule
def is_learned_at_once(known: F64_1D) -> bool:
    """Return whether so many courses are shared that the first set to come is to walk one."""
    seen, again = known[len(known) - SEEN_AT], known[len(known) - AGAIN_AT]
    return bool(seen >= SEEN_MIN and again * OFTEN > seen)


@apart
def learn(
    run: Run, lines: F64_1D, prices: F64_2D, reach: F64_2D, known: F64_1D, at: int, side: float
) -> None:
    """Walk the campaign that has just begun, beside the set, and note its course at `at`."""
    bars, entry = int(run[BARS]), int(run[ENTRY_BAR])
    known[at + C_STATE], bar = IS_CLOSED, entry
    _begin(run, known, at, side)
    low, _ = _extremes(reach, bars, entry, entry + 1, side)
    known[at + COURSE_HEAD + K_WORST], known[at + C_END] = low, float(bars)
    if run[ENTRY_KIND] != AT_MARKET:
        known[at + C_ENTRY], known[at + C_FILL] = float(entry), run[PRICE_AVG]
        known[at + C_NOW], known[at + C_PART] = run[NOW], run[WAY_PART]
        if not _pass_rest(run, prices, known, at, side):
            return
        bar += 1
    while bar < bars:
        near, up = max(known[at + C_LEVEL], known[at + C_DOWN]), known[at + C_UP]
        down, up = (near, up) if side > 0 else (-up, -near)
        found = first_touch(reach, bars, bar, bars, down, up)
        low, high = _extremes(reach, bars, bar, found, side)
        _pass(known, at, low, high)
        bar = found + 1
        if found >= bars:
            break
        low, high = _extremes(reach, bars, found, bar, side)
        opened = side * prices[found, OPEN]
        if known[at + C_LEVEL] < low:
            if known[at + C_UP] <= high and known[at + C_DOWN] >= low:
                return
            _note_end(run, lines, known, at, found, opened, low, high, side)
            break
        if not _fill(run, known, at, found, opened, low, high, side):
            return
    _bound_lot(run, known, at, side)
    top, bottom = known[at + C_TOP], known[at + C_BOTTOM]
    known[at + C_HIGH], known[at + C_RANGE] = max(abs(top), abs(bottom)), top - bottom
    known[at + C_STATE] = IS_KNOWN


@rule
def _begin(run: Run, known: F64_1D, at: int, side: float) -> None:
    """Begin a course with the entry that has filled."""
    price, close = side * run[PRICE_AVG], side * run[CLOSE_THEN]
    known[at + C_TOP], known[at + C_BOTTOM] = max(price, close), min(price, close)
    known[at + C_LOTS] = known[at + C_COST] = known[at + C_STEPS] = 0.0
    for place in range(int(run[RUNGS])):  # which wait for nothing else yet
        run[RUNGS_FROM + place * RUNG_SIZE + RUNG_LEVEL] = rung_price(run, place, side)
    _add_lot(run, known, at, -1, run[ENTRY_BAR], run[PRICE_AVG], abs(run[STEPS]), side)


@rule
def _pass(known: F64_1D, at: int, low: float, high: float) -> None:
    """Pass signed prices with the lots that are held."""
    known[at + C_MOST] = max(known[at + C_MOST], high)
    known[at + C_LEAST] = min(known[at + C_LEAST], low)
    known[at + C_TOP] = max(known[at + C_TOP], high)
    known[at + C_BOTTOM] = min(known[at + C_BOTTOM], low)


@rule
def _pass_rest(run: Run, prices: F64_2D, known: F64_1D, at: int, side: float) -> bool:
    """Pass the rest of the bar whose way has met the entry; return whether it meets nothing else.

    The walk of the set stands where the entry has filled.
    """
    bar, part = int(run[ENTRY_BAR]), run[WAY_PART]
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_high_first, least = high - opened < opened - low, side * prices[bar, CLOSE]
    most = least
    if part < LAST_PART:
        second = side * (low if is_high_first else high)
        least, most = min(least, second), max(most, second)
    if part <= FIRST_PART:
        first = side * (high if is_high_first else low)
        least, most = min(least, first), max(most, first)
    known[at + COURSE_HEAD + K_WORST] = least
    least, most = min(least, run[NOW]), max(most, run[NOW])
    _pass(known, at, least, most)
    is_met = known[at + C_UP] <= most or known[at + C_DOWN] >= least
    return not is_met and bool(known[at + C_LEVEL] < least)


@rule
def _fill(
    run: Run, known: F64_1D, at: int, bar: int, opened: float, low: float, high: float, side: float
) -> bool:
    """Fill the rungs that a bar reaches; return whether that is all that may happen in it."""
    passed = 0
    while known[at + C_LEVEL] >= low:
        level, rung = known[at + C_LEVEL], int(known[at + C_RUNG])
        price = side * level
        if level >= opened:
            price, passed = due_price(run, side * opened), passed + 1
        steps = order_steps(run, rung + 1, side)
        is_met = known[at + C_UP] <= high or known[at + C_DOWN] >= low
        if is_met or passed > 1 or price < run[TICK_SIZE] or steps < 1:
            return False
        run[RUNGS_FROM + rung * RUNG_SIZE + RUNG_LEVEL] = -math.inf
        _pass(known, at, low, high)
        _bound_lot(run, known, at, side)
        _add_lot(run, known, at, rung, float(bar), price, steps, side)
        known[at + COURSE_HEAD + int(known[at + C_LOTS] - 1) * KNOWN_LOT + K_WORST] = low
    _pass(known, at, low, high)
    return not (known[at + C_UP] <= high or known[at + C_DOWN] >= low)


@rule
def _add_lot(
    run: Run, known: F64_1D, at: int, rung: int, bar: float, price: float, steps: float,
    side: float,
) -> None:  # fmt: skip # one list
    """Add a lot and look for what may be met next; of the entry what it buys is the set's."""
    lot = at + COURSE_HEAD + int(known[at + C_LOTS]) * KNOWN_LOT
    ordered, weight = price_and_weight(run, rung + 1, side, run[CLOSE_THEN])
    known[lot + K_BAR], known[lot + K_PRICE], known[lot + K_RUNG] = bar, price, rung
    unit = ordered * run[UNIT_FACTOR] + run[UNIT_ADDED]
    known[lot + K_SIZE] = weight * run[STEPS_A_QTY] / unit
    known[at + C_LOTS] += 1
    known[at + C_COST] += price * steps
    known[at + C_STEPS] += steps
    base = known[at + C_COST] / known[at + C_STEPS] if run[BASIS] == FROM_AVERAGE else price
    known[at + C_UP], known[at + C_DOWN] = math.inf, -math.inf
    if run[HAS_EXITS] != 0:
        known[at + C_UP], known[at + C_DOWN] = target_of(run, side, base), stop_of(run, side, base)
    known[at + C_MOST], known[at + C_LEAST] = -math.inf, math.inf
    _find_rung(run, known, at)


@rule
def _find_rung(run: Run, known: F64_1D, at: int) -> None:
    """Find which rung waits highest of those that have not filled, the first of several."""
    known[at + C_RUNG], known[at + C_LEVEL] = -1.0, -math.inf
    for place in range(int(run[RUNGS])):
        level = run[RUNGS_FROM + place * RUNG_SIZE + RUNG_LEVEL]
        if level > known[at + C_LEVEL]:
            known[at + C_RUNG], known[at + C_LEVEL] = place, level


@rule
def _extremes(reach: F64_2D, bars: int, start: int, stop: int, side: float) -> tuple[float, float]:
    """Return the lowest and the highest signed price of bars, infinite if there are none."""
    high, low = extremes(reach, bars, start, stop)
    return (low, high) if side > 0 else (-high, -low)


@rule
def _bound_lot(run: Run, known: F64_1D, at: int, side: float) -> None:
    """Note between which bases the last lot lets no level be met before the next fill."""
    lot = at + COURSE_HEAD + int(known[at + C_LOTS] - 1) * KNOWN_LOT
    doubt = DOUBT * run[TICK_SIZE]
    known[lot + K_LOWEST] = known[at + C_BOTTOM]
    known[lot + K_FROM], known[lot + K_TO] = -math.inf, math.inf
    if has_target(run):
        known[lot + K_FROM] = _base_of_target(run, side, known[at + C_MOST] + doubt)
    if has_stop(run):
        known[lot + K_TO] = _base_of_stop(run, side, known[at + C_LEAST] - doubt)


@rule
def has_target(run: Run) -> bool:
    """Return whether the plan has a target."""
    is_given = run[PROFIT_RATIO] == run[PROFIT_RATIO] or run[PROFIT_ATR] == run[PROFIT_ATR]
    return bool(run[HAS_EXITS] != 0 and is_given)


@rule
def has_stop(run: Run) -> bool:
    """Return whether the plan has a stop."""
    is_given = run[STOP_RATIO] == run[STOP_RATIO] or run[STOP_ATR] == run[STOP_ATR]
    return bool(run[HAS_EXITS] != 0 and is_given)


@rule
def _base_of_target(run: Run, side: float, level: float) -> float:
    """Return the signed base whose target lies at a signed level."""
    ratio = run[PROFIT_RATIO]
    return level / (1 + side * ratio) if ratio == ratio else level - run[TARGET_AWAY]


@rule
def _base_of_stop(run: Run, side: float, level: float) -> float:
    """Return the signed base whose stop lies at a signed level, the nearer one of two."""
    ratio, away, base = run[STOP_RATIO], run[STOP_AWAY], math.inf
    if ratio == ratio:
        base = level / (1 - side * ratio)
    return min(base, level + away) if away == away else base


@rule
def _note_end(
    run: Run, lines: F64_1D, known: F64_1D, at: int, bar: int, opened: float, low: float,
    high: float, side: float,
) -> None:  # fmt: skip # one list
    """Note how a bar ends the campaign, and between which bases it does so."""
    doubt, start, stop = DOUBT * run[TICK_SIZE], -math.inf, math.inf
    rises = known[at + C_UP] <= high
    is_passed = known[at + C_UP] <= opened if rises else known[at + C_DOWN] >= opened
    if rises:
        within = _tick_within(run, opened if is_passed else high)
        stop = _base_of_target(run, side, within - doubt)
        start = -math.inf if is_passed else _base_of_target(run, side, opened + doubt)
        stop = min(stop, _base_of_stop(run, side, low - doubt)) if has_stop(run) else stop
    else:
        within = -_tick_within(run, -(opened if is_passed else low))
        start = _base_of_stop(run, side, within + doubt)
        stop = math.inf if is_passed else _base_of_stop(run, side, opened - doubt)
        start = max(start, _base_of_target(run, side, high + doubt)) if has_target(run) else start
    known[at + C_FROM], known[at + C_TO] = start, stop
    known[at + C_END], known[at + C_MONTH] = float(bar), lines[bar * LINE + O_MONTH]
    known[at + C_SLIP] = lines[bar * LINE + O_SLIP]
    if rises:
        known[at + C_WAY] = BY_TARGET_PASSED if is_passed else BY_TARGET
    else:
        known[at + C_WAY] = BY_STOP_PASSED if is_passed else BY_STOP
    known[at + C_PRICE] = due_price(run, side * opened)
    known[at + C_TOP] = max(known[at + C_TOP], high)
    known[at + C_BOTTOM] = min(known[at + C_BOTTOM], low)
    # Prices are signed: against the position is down.
    goes_down = opened - low < high - opened or (side > 0 and opened - low == high - opened)
    known[at + C_LATER] = low if goes_down and not is_passed else math.inf
    known[at + C_WORST] = min(opened, known[at + C_LATER])


@rule
def _tick_within(run: Run, price: float) -> float:
    """Return a tick that is not above a signed price."""
    tick = tick_down(run, price)
    return tick if tick <= price else tick - run[TICK_SIZE]
