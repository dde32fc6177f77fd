"""How the course of a campaign is learned: by one set, which walks it beside its own run.

Theory. The prices of the way that have met nothing of a lot bound its base: the target lies above
them, the stop below. Of a bar that reaches rungs or the stop, but not the target, only the order of
what lies below matters, and that is the order of prices, whichever way the bar goes first: a rung
that the open has passed fills there, ahead of the stop, the others where they lie, and the stop
ends the campaign where no rung lies above it. Of two at one price the rung fills, so a stop counts
as the first of them a tick above it alone. A bar that reaches the target and something else, whose
open passes two rungs, or in which a fill lets the stop lie behind the price, is not known.

What is in doubt by a part of a tick counts as met and as not met: neither is a bound then.
"""

import math

from engines.kernels._compiled import (
    apart,
    rule,
)
from engines.kernels.campaigns.columns import (
    BARS,
    CLOSE_THEN,
    ENTRY_BAR,
    FIRST_PART,
    LAST_PART,
    NOW,
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
from engines.kernels.campaigns.courses import (
    BY_STOP,
    BY_STOP_PASSED,
    BY_TARGET,
    BY_TARGET_PASSED,
    C_BOTTOM,
    C_COST,
    C_DOWN,
    C_END,
    C_ENTRY,
    C_FILL,
    C_FROM,
    C_HIGH,
    C_LATER,
    C_LEAST,
    C_LEVEL,
    C_LOTS,
    C_MONTH,
    C_MOST,
    C_NOW,
    C_PART,
    C_PRICE,
    C_RANGE,
    C_RUNG,
    C_SLIP,
    C_STATE,
    C_STEPS,
    C_TO,
    C_TOP,
    C_UP,
    C_WAY,
    C_WORST,
    COURSE_HEAD,
    DOUBT,
    IS_CLOSED,
    IS_KNOWN,
    IS_SEEN,
    K_BAR,
    K_FROM,
    K_LOWEST,
    K_PRICE,
    K_RUNG,
    K_SIZE,
    K_TO,
    K_WORST,
    KNOWN_LOT,
    has_stop,
    has_target,
)
from engines.kernels.campaigns.fills import (
    rung_price,
    stop_of,
    target_of,
    tick_down,
)
from engines.kernels.campaigns.sizes import (
    order_steps,
    price_and_weight,
)
from engines.kernels.chains.columns import (
    LINE,
    O_MONTH,
    O_SLIP,
)
from engines.kernels.columns import (
    F64_2D,
    Run,
)
from engines.kernels.money import (
    due_price,
)
from engines.kernels.search import (
    extremes,
    first_touch,
)
from engines.kernels.slots import (
    AT_MARKET,
    BASIS,
    CLOSE,
    ENTRY_KIND,
    FROM_AVERAGE,
    HAS_EXITS,
    HIGH,
    LOW,
    OPEN,
    PRICE_AVG,
    PROFIT_RATIO,
    RUNGS,
    STEPS,
    STOP_RATIO,
    TICK_SIZE,
)
from engines.types import (
    F64_1D,
)


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
        state = _go_through(
            run, lines, known, at, found, side * prices[found, OPEN], low, high, side
        )  # fmt: skip # one call
        if state == IS_CLOSED:
            return
        if state == IS_KNOWN:
            break
    _bound_lot(run, known, at, side)
    top, bottom = known[at + C_TOP], known[at + C_BOTTOM]
    known[at + C_HIGH], known[at + C_RANGE] = max(abs(top), abs(bottom)), top - bottom
    known[at + C_STATE] = IS_KNOWN


@rule
def _go_through(
    run: Run, lines: F64_1D, known: F64_1D, at: int, bar: int, opened: float, low: float,
    high: float, side: float,
) -> float:  # fmt: skip # one list
    """Go through a bar that reaches something; IS_SEEN: the course goes on, IS_KNOWN: it ends."""
    if known[at + C_UP] <= high:
        if max(known[at + C_LEVEL], known[at + C_DOWN]) >= low:
            return IS_CLOSED
        _note_rise(run, known, at, opened, low, high, side)
    else:
        now = _fill(run, known, at, bar, opened, low, high, side)
        if now != now:
            return IS_CLOSED
        if known[at + C_DOWN] < low:
            return IS_SEEN
        _note_fall(run, known, at, opened, now, low, high, side)
    _note_end(run, lines, known, at, bar, opened, low, high, side)
    return IS_KNOWN


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
) -> float:
    """Fill the rungs that a bar reaches ahead of the stop; return where its way stands then.

    NaN: too much may happen in it for that to be known.
    """
    now, passed = opened, 0
    while known[at + C_LEVEL] >= low and known[at + C_LEVEL] >= min(known[at + C_DOWN], opened):
        level, rung = known[at + C_LEVEL], int(known[at + C_RUNG])
        price = side * level
        if level >= opened:
            price, passed = due_price(run, side * opened), passed + 1
        now = min(level, opened)
        steps = order_steps(run, rung + 1, side)
        is_unknown = known[at + C_UP] <= high or passed > 1 or price < run[TICK_SIZE] or steps < 1
        if is_unknown:
            return math.nan
        run[RUNGS_FROM + rung * RUNG_SIZE + RUNG_LEVEL] = -math.inf
        _pass(known, at, now, high)
        _bound_lot(run, known, at, side)
        _add_lot(run, known, at, rung, float(bar), price, steps, side)
        known[at + COURSE_HEAD + int(known[at + C_LOTS] - 1) * KNOWN_LOT + K_WORST] = low
    is_behind = now < opened and known[at + C_DOWN] >= now
    if known[at + C_UP] <= high or is_behind:
        return math.nan
    if known[at + C_DOWN] < low:
        _pass(known, at, low, high)
    return now


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
def _note_rise(
    run: Run, known: F64_1D, at: int, opened: float, low: float, high: float, side: float
) -> None:
    """Note between which bases the target ends a campaign in a bar that meets nothing else."""
    doubt, is_passed = DOUBT * run[TICK_SIZE], known[at + C_UP] <= opened
    within = _tick_within(run, opened if is_passed else high)
    stop = _base_of_target(run, side, within - doubt)
    known[at + C_FROM] = -math.inf if is_passed else _base_of_target(run, side, opened + doubt)
    known[at + C_TO] = min(stop, _base_of_stop(run, side, low - doubt)) if has_stop(run) else stop
    known[at + C_WAY] = BY_TARGET_PASSED if is_passed else BY_TARGET


@rule
def _note_fall(
    run: Run, known: F64_1D, at: int, opened: float, now: float, low: float, high: float,
    side: float,
) -> None:  # fmt: skip # one list
    """Note between which bases the stop ends it in a bar whose way stands at a price by then.

    It comes ahead of the next rung, which is a tick below it at least, if the bar reaches that.
    """
    doubt, is_passed = DOUBT * run[TICK_SIZE], known[at + C_DOWN] >= opened
    within, level = -_tick_within(run, -(opened if is_passed else low)), known[at + C_LEVEL]
    if level >= low and not is_passed:
        within = max(within, level + run[TICK_SIZE])
    start = _base_of_stop(run, side, within + doubt)
    known[at + C_TO] = math.inf if is_passed else _base_of_stop(run, side, now - doubt)
    if has_target(run):
        start = max(start, _base_of_target(run, side, high + doubt))
    known[at + C_FROM] = start
    known[at + C_WAY] = BY_STOP_PASSED if is_passed else BY_STOP


@rule
def _note_end(
    run: Run, lines: F64_1D, known: F64_1D, at: int, bar: int, opened: float, low: float,
    high: float, side: float,
) -> None:  # fmt: skip # one list
    """Note what the bar that ends a campaign is like."""
    known[at + C_END], known[at + C_MONTH] = float(bar), lines[bar * LINE + O_MONTH]
    known[at + C_SLIP] = lines[bar * LINE + O_SLIP]
    known[at + C_PRICE] = due_price(run, side * opened)
    known[at + C_TOP] = max(known[at + C_TOP], high)
    known[at + C_BOTTOM] = min(known[at + C_BOTTOM], low)
    # Prices are signed: against the position is down.
    goes_down = opened - low < high - opened or (side > 0 and opened - low == high - opened)
    is_passed = known[at + C_WAY] in (BY_TARGET_PASSED, BY_STOP_PASSED)
    known[at + C_LATER] = low if goes_down and not is_passed else math.inf
    known[at + C_WORST] = min(opened, known[at + C_LATER])


@rule
def _tick_within(run: Run, price: float) -> float:
    """Return a tick that is not above a signed price."""
    tick = tick_down(run, price)
    return tick if tick <= price else tick - run[TICK_SIZE]
