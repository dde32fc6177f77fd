"""A stack near to a limit of money, phase by phase: where a day's loss or the drawdown ends it.

Theory. What the machine's guards say (`machine.guards`) holds from one fill, settlement or day to
the next: nothing happens in bars that reach none of them, and the peak of equity rises only at a
close beyond theirs. A bar that reaches one, settles or begins a day is gone through (`limits`): at
its open, once more behind what settles, and part by part, each of which meets the level of the
drawdown where that lies on it and is asked for the loss of the day at its end. In the part on which
something else happens, the level that the price comes to first goes first, and what rests there
before the broker steps in.
"""

from engines.kernels._compiled import inlined, rule, shared
from engines.kernels.chains.columns import LINE, O_CLOSE, Given
from engines.kernels.columns import F64_2D, Run
from engines.kernels.gates.limit_walk import NOISE, least_of
from engines.kernels.machine.guards import refresh_guards
from engines.kernels.money import due_price, slipped_price
from engines.kernels.money import equity_at as equity_of_run
from engines.kernels.passage.events import slip_at
from engines.kernels.rounding import round_by
from engines.kernels.search import first_touch
from engines.kernels.slots import (
    CLOSE,
    EQUITY_MIN,
    FLOOR,
    FORCED_DOWN,
    FORCED_UP,
    GUARD_DOWN,
    GUARD_UP,
    HIGH,
    LOOK_DOWN,
    LOOK_UP,
    LOW,
    OPEN,
)
from engines.kernels.slots import PEAK as RUN_PEAK
from engines.kernels.stacks.calls import AT_OPEN, FIRST_PART, note_way, put_money
from engines.kernels.stacks.columns import (
    CALL_FRESH,
    CALL_LOW,
    CALL_PRICE,
    CALL_STEPS,
    DAY_END,
    DAY_FILLS,
    DAY_LEAST,
    HALTED_UNTIL,
    HELD,
    IS_UNSURE,
    JOINED,
    NEVER,
    NOTHING,
    ORDER,
    QUEUED,
    SETTLEMENT,
    SIGN,
    STOOD,
    THE_LINE,
    TOP,
    WATCHED,
    Course,
    Stack,
)
from engines.kernels.stacks.fills import equity_at, settle
from engines.types import I64_1D

PHASE_BITS, PHASE_MASK = 3, 7
BEGINS, OPENED, SETTLED, FIRST_PHASE = range(4)
LAST_PHASE = FIRST_PHASE + 2


@inlined
def halt(stack: Stack, until: int) -> None:
    """Let nothing that waits fill, and no close before a bar let anything in."""
    counts = stack.counts
    counts[HALTED_UNTIL], counts[ORDER], counts[QUEUED] = until, NEVER, NOTHING


@inlined
def begin_day(stack: Stack, course: Course, equity: float) -> None:
    """Begin the next trading day with this equity."""
    counts = stack.counts
    stack.state[DAY_LEAST], counts[DAY_FILLS] = least_of(course.gates, equity), 0
    counts[DAY_END] = course.watch.next_day[counts[DAY_END]]


def _find_cut(stack: Stack, course: Course, given: Given, stop: int, way: float) -> bool:
    """Find the first limit of money that ends a stack ahead of a phase, or in it before a price.

    That is how far along the `way` something else happens in that phase, nothing: it is no part of
    the way. What settles and begins until then is noted, and so is how the stack ends.
    """
    run, counts = stack.run, stack.counts
    at = int(counts[WATCHED])
    _stand(run, stack, course)
    stood = stack.state[SIGN] * stack.state[STOOD]
    if at & PHASE_MASK >= FIRST_PHASE and stood <= _forced_at(run, stack):
        stack.state[IS_UNSURE] = 1.0
        return False
    while at < stop:
        bar, phase = at >> PHASE_BITS, at & PHASE_MASK
        if phase == BEGINS:
            bar = _next_bar(run, course, bar, stop >> PHASE_BITS, counts)
            at = bar << PHASE_BITS
            if at >= stop:
                break
            _begin_bar(stack, course, bar)
        elif phase == SETTLED:
            settle(stack, course, bar, True)
            _stand(run, stack, course)
        if _is_met(stack, course, given, bar, phase):
            return True
        at += 1
        if phase == LAST_PHASE:
            _raise_top(stack, course, given.prices[bar, CLOSE])
            at = (bar + 1) << PHASE_BITS
    forced = _forced_at(run, stack)
    if stack.state[SIGN] * way < 0 and forced > stack.state[SIGN] * abs(way):
        _cut_by_drawdown(stack, course, given, stop >> PHASE_BITS, stop & PHASE_MASK, forced)
        return True
    return False


find_cut = shared(_find_cut)


@rule
def _stand(run: Run, stack: Stack, course: Course) -> None:
    """Put what a stack holds, and its limits, where the machine's rules look for them."""
    state = stack.state
    put_money(run, stack)
    run[EQUITY_MIN], run[RUN_PEAK] = state[DAY_LEAST], state[TOP]
    run[FLOOR] = state[TOP] * (1 - course.gates.drawdown)
    refresh_guards(run)


@rule
def _forced_at(run: Run, stack: Stack) -> float:
    """Return the signed price at which the broker closes all, infinitely low if there is none."""
    return run[FORCED_DOWN] if stack.state[SIGN] > 0 else -run[FORCED_UP]


@rule
def _next_bar(run: Run, course: Course, bar: int, stop: int, counts: I64_1D) -> int:
    """Return the first bar of [bar, stop) that may matter to a limit, else `stop`."""
    quiet, payments, opens = min(stop, int(counts[DAY_END])), course.payments, course.opens
    if len(payments.rates) > 0:
        stop_at = quiet
        quiet = bar
        while quiet < stop_at and payments.before[quiet + 1] <= counts[SETTLEMENT]:
            quiet += 1
    down, up = max(run[GUARD_DOWN], run[LOOK_DOWN]), min(run[GUARD_UP], run[LOOK_UP])
    return first_touch(opens.reach, opens.bars, bar, quiet, down, up)


@rule
def _begin_bar(stack: Stack, course: Course, bar: int) -> None:
    """Stand before the fills of a bar's open, behind what settles ahead of them."""
    if stack.counts[DAY_END] == bar:
        close = course.opens.lines[bar * LINE + O_CLOSE]
        begin_day(stack, course, equity_at(stack.state, close, course.fixed))
    settle(stack, course, bar, False)
    _stand(stack.run, stack, course)


@rule
def _raise_top(stack: Stack, course: Course, close: float) -> None:
    """Note the equity at the close of a bar."""
    equity = equity_of_run(stack.run, close)
    if equity > stack.state[TOP]:
        stack.state[TOP] = equity
        _stand(stack.run, stack, course)


@rule
def _price_at(prices: F64_2D, bar: int, phase: int) -> float:
    """Return the price at the end of a phase."""
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    if phase < FIRST_PHASE:
        return float(opened)
    if phase == LAST_PHASE:
        return float(prices[bar, CLOSE])
    is_high_first = high - opened < opened - low
    return float(high if (phase == FIRST_PHASE) == is_high_first else low)


@rule
def _point_at(phase: int) -> int:
    """Return the point of a bar's way (`calls`) at which a phase ends."""
    return FIRST_PART + phase - FIRST_PHASE if phase >= FIRST_PHASE else AT_OPEN


@rule
def _is_met(stack: Stack, course: Course, given: Given, bar: int, phase: int) -> bool:
    """Return whether a limit is met in a phase, and close all there if it is."""
    run, state = stack.run, stack.state
    price = _price_at(given.prices, bar, phase)
    if run[GUARD_DOWN] < price < run[GUARD_UP]:
        return False
    forced = _forced_at(run, stack)
    if state[SIGN] * price <= forced:
        met = state[SIGN] * price if phase < FIRST_PHASE else forced
        _cut_by_drawdown(stack, course, given, bar, phase, met)
        return True
    if phase == BEGINS:
        return False
    equity, least = equity_of_run(run, price), state[DAY_LEAST]
    if abs(equity - least) <= NOISE * state[TOP]:
        state[IS_UNSURE] = 1.0
    if equity > least:
        return False
    note_way(given.prices, bar, _point_at(phase), stack)
    halt(stack, int(stack.counts[DAY_END]))
    _close_at(stack, course, given, bar, price)
    return True


@rule
def _cut_by_drawdown(
    stack: Stack, course: Course, given: Given, bar: int, phase: int, met: float
) -> None:  # fmt: skip # where it is, then at what signed price
    """Close all for the largest drawdown, and trade no more."""
    run, state = stack.run, stack.state
    note_way(given.prices, bar, _point_at(max(BEGINS, phase - 1)), stack)
    if phase >= FIRST_PHASE:
        state[CALL_LOW], state[CALL_FRESH] = min(state[CALL_LOW], met), min(state[CALL_FRESH], met)
    halt(stack, NEVER)
    _close_at(stack, course, given, bar, round_by(run, state[SIGN] * met, -state[SIGN]))


@rule
def _close_at(stack: Stack, course: Course, given: Given, bar: int, price: float) -> None:
    """Note that all closes in a bar, due at a price."""
    run, state, counts = stack.run, stack.state, stack.counts
    slip_at(run, given.slip_ratio, max(0, bar - 1))
    state[CALL_STEPS], counts[THE_LINE] = state[HELD], bar
    state[CALL_PRICE] = slipped_price(run, due_price(run, price), -state[SIGN], 0.0)
    if course.stacking.moves and counts[JOINED] == bar:
        state[IS_UNSURE] = 1.0  # What the stops of others have followed there is not known.
