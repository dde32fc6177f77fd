"""Events and levels: at what price a wish enters, in what size, and where its exits lie.

Theory. The rules are those of `money` and `legs`, taken apart: what depends only on the bar and on
the plan is computed once an event, what depends on the account is left as a linear function of
equity. That function is exact enough to tell the whole steps wherever its value is not within
`STEPS_NOISE` of a whole number: money is rounded to ten digits on the way, which moves it by at
most 5e-10 of itself. Where it is nearer, the steps are computed in the reference's own order
(`exact_steps`).
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.money import (
    due_price,
    expected_slip,
    margin_ratio,
    money_for,
    slipped_price,
    steps_for,
)
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
    EVENT,
    OPEN_AT_END,
    RELIEVED,
    REVERSED,
    Ground,
    Passages,
)
from engines.kernels.rounding import WHOLE_MAX as SMALL_DIGITS_MAX
from engines.kernels.rounding import large_digits, round_by, small_digits
from engines.kernels.slots import (
    BY_EQUITY,
    CLOSE,
    COMMISSION,
    COMMISSION_KIND,
    ENTERS_LONG,
    LEAVES_LONG,
    LEAVES_SHORT,
    OPEN,
    PER_CONTRACT,
    PER_NOTIONAL,
    PER_ORDER,
    POINT_VALUE,
    SESSION_ENDS,
    SIZING_KIND,
    SIZING_VALUE,
    SLIP_NOW,
    STEP_OVER,
    STEP_UNDER,
    TICK_SIZE,
    WEEKEND_BEGINS,
)
from engines.types import F64_1D

STEPS_NOISE = 1e-9
HALF = 0.5  # keeps whole steps away from the edge at which they would be computed exactly


@rule
def slip_at(run: Run, slip_ratio: F64_1D, bar: int) -> None:
    """Let fills slip by what is known at the close of `bar`."""
    run[SLIP_NOW] = slip_ratio[bar] if len(slip_ratio) > 0 else 0.0


@rule
def need_of(price: float, ordered: float, opened: float, side: float, ratio: float) -> float:
    """Return what a unit may need of an account: to be ordered, and at the open where it fills.

    There the account has lost the slippage already.
    """
    return max(max(price, ordered) * ratio, opened * ratio + side * (price - opened))


@rule
def put_events(run: Run, ground: Ground, out: Passages) -> None:
    """Write all events, and those where sets end and begin."""
    count = len(ground.entries)
    for place in range(count):
        _put_event(run, ground, out, place)
    _put_end(out, count)
    _put_end(out, count + 1)


@rule
def _put_event(run: Run, ground: Ground, out: Passages, place: int) -> None:
    """Write one event."""
    bar, events, row = ground.entries[place], out.events, place * EVENT
    side = 1.0 if ground.wishes[bar] & ENTERS_LONG else -1.0
    close, unit = ground.prices[bar, CLOSE], run[POINT_VALUE]
    slip_at(run, ground.slip_ratio, bar)
    due = due_price(run, ground.prices[bar + 1, OPEN])
    price = slipped_price(run, due, side, 0.0)
    ordered = close + expected_slip(run, side, close, run[SLIP_NOW])
    events[row + E_PRICE], events[row + E_SIDE] = price, side
    events[row + E_CLOSE], events[row + E_BAR] = close, bar + 1
    opened, ratio = ground.prices[bar + 1, OPEN], margin_ratio(run, side)
    events[row + E_NEED] = need_of(price, ordered, opened, side, ratio) * unit
    events[row + E_MODE] = _mode(ground, place, side)
    unit = ordered * unit
    if run[COMMISSION_KIND] == PER_NOTIONAL:
        unit *= 1 + run[COMMISSION]
    elif run[COMMISSION_KIND] == PER_CONTRACT:
        unit += run[COMMISSION]
    out.units[place] = unit
    if run[SIZING_KIND] == BY_EQUITY:
        steps_a_quote = run[STEP_UNDER] / run[STEP_OVER] / unit
        fee = run[COMMISSION] if run[COMMISSION_KIND] == PER_ORDER else 0.0
        events[row + E_SHARE_STEPS] = run[SIZING_VALUE] * steps_a_quote
        events[row + E_FIXED_STEPS] = -fee * steps_a_quote
    else:
        events[row + E_SHARE_STEPS] = 0.0
        money = money_for(run, math.nan, math.nan)
        events[row + E_FIXED_STEPS] = steps_for(run, money, ordered) + HALF


@rule
def _mode(ground: Ground, place: int, side: float) -> int:
    """Return how the position of an event ends at its horizon."""
    bar, follower = ground.horizon[place], place + 1
    if bar >= len(ground.prices) - 1:
        return OPEN_AT_END
    while follower < len(ground.entries) and ground.entries[follower] < bar:
        follower += 1
    if follower == len(ground.entries) or ground.entries[follower] > bar:
        return ALONE
    leaves = (LEAVES_LONG if side > 0 else LEAVES_SHORT) | SESSION_ENDS | WEEKEND_BEGINS
    if ground.is_timed[place] or ground.wishes[bar] & leaves:
        return RELIEVED
    return REVERSED


@rule
def _put_end(out: Passages, place: int) -> None:
    """Write an event that enters nothing; its values only have to be harmless."""
    row = place * EVENT
    for number in range(EVENT):
        out.events[row + number] = 0.0
    out.events[row + E_PRICE] = out.events[row + E_CLOSE] = out.units[place] = 1.0
    out.events[row + E_FIXED_STEPS] = 1.0 + HALF
    out.events[row + E_MODE] = OPEN_AT_END


@rule
def exact_steps(
    equity: float, share: float, order_fee: float, unit: float, over: float, under: float,
    leverage: float = 1.0,
) -> float:  # fmt: skip # one list
    """Return the whole steps that a share of equity buys, NaN where they cannot be known.

    `order_fee` is that of an order times `leverage`, `unit` what the money buys a contract for.
    """
    money = share * equity * leverage
    money = max(0.0, money - order_fee)
    if money <= 0:
        return 0.0
    money = small_digits(money) if money < SMALL_DIGITS_MAX else large_digits(money)
    if money != money:  # NaN
        return math.nan
    return float(math.floor(money / unit * under / over))


@rule
def stop_of(
    run: Run, given: float, ratio: float, multiple: float, atr: float, close: float,
    base: float, sign: float,
) -> float:  # fmt: skip # one list
    """Return the stop of an event in its sign's direction, infinitely far if there is none."""
    if given == given:
        return round_by(run, given, -sign) * sign
    stop = math.nan
    if multiple == multiple:
        by_atr = multiple * atr / close
        ticks = by_atr * close / run[TICK_SIZE]
        stop = round_by(run, base + -sign * ticks * run[TICK_SIZE], -sign)
    if ratio == ratio:
        rounded = round_by(run, base * (1 + -sign * ratio), -sign)
        if stop != stop or (rounded - stop) * -sign < 0:
            stop = rounded
    return stop * sign if stop == stop else -math.inf


@rule
def target_of(
    run: Run, given: float, ratio: float, multiple: float, atr: float, base: float, sign: float
) -> float:
    """Return the target of an event in its sign's direction, infinitely far if there is none."""
    if given == given:
        return round_by(run, given, sign) * sign
    if ratio == ratio:
        return round_by(run, base * (1 + sign * ratio), sign) * sign
    if multiple == multiple:
        ticks = multiple * atr / run[TICK_SIZE]
        return round_by(run, base + sign * ticks * run[TICK_SIZE], sign) * sign
    return math.inf
