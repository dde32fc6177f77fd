"""What the trades of a stack add up to, and the worst marks of equity: `tally`, without a walk.

Theory. The sums are those of `passage.lanes.tally`, a closed part of a row after the other, and the
worst mark of each part is that of `metrics.run_ups_and_drawdowns`. What prices did between two bars
with fills is looked up once (`reach`), for all rows that were open: the lowest since the entry of
each, the worst mark of several together, and whether a margin call may have come.

A row that alone was held through a stretch knows only at its first close whether that counts as
several: it does if a part is left. Until then the row keeps what the stretch says.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import LONG, SHORT
from engines.kernels.chains.walk import lowest
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.figures import figures_of
from engines.kernels.passage.lanes import LANES, SUMS, SURE
from engines.kernels.slots import (
    DEDUCTION,
    MAINTENANCE,
)
from engines.kernels.stacks.columns import (
    AVERAGE,
    BARS,
    COVER,
    DIFFERENCES,
    EXPOSED_FROM,
    FALL_MAX,
    FEES,
    FEES_OPEN,
    FIRST_PNL,
    FOLLOWED,
    FROM,
    FUNDED,
    FUNDING_MOST,
    FUNDING_OPEN,
    GAINS,
    HELD,
    IS_UNSURE,
    JOINED,
    LAST_BAR,
    LATE,
    LOST,
    LOWEST,
    NET,
    NEVER,
    NEXT_AT,
    ORDER,
    PEAK,
    PNL_MAX,
    PNL_MIN,
    QTY,
    REST,
    ROUND_BAR,
    ROW,
    ROW_FALL,
    ROW_FALL_RATIO,
    ROW_LOW,
    SETTLED_PEAK,
    SHARE,
    SIGN,
    SINCE,
    SQUARES,
    STARTED,
    STARTED_WITH,
    STREAK,
    STREAK_MAX,
    SWING_MAX,
    SWING_RATIO_MAX,
    TO,
    TRADES,
    WINS,
    Course,
    Stack,
)
from engines.kernels.stacks.rounds import begin_rounds, first_share
from engines.types import F64_1D


@inlined
def add_result(
    state: F64_1D, pnl: float, fees: float, funding: float, bars_held: float, capital: float
) -> None:
    """Add a part of a row that has closed; NET counts it already."""
    if state[TRADES] == 0:
        state[FIRST_PNL] = pnl
    difference = pnl - state[FIRST_PNL]
    state[DIFFERENCES] += difference
    state[SQUARES] += difference * difference
    state[TRADES] += 1
    state[WINS] += 1.0 if pnl > 0 else 0.0
    state[GAINS] += max(pnl, 0.0)
    state[LOST] -= min(pnl, 0.0)
    state[FEES] += fees
    state[FUNDED] += funding
    state[BARS] += bars_held
    state[PNL_MAX], state[PNL_MIN] = max(state[PNL_MAX], pnl), min(state[PNL_MIN], pnl)
    streak = state[STREAK] + 1.0 if pnl < 0 else 0.0
    state[STREAK] = streak
    state[STREAK_MAX] = max(state[STREAK_MAX], streak)
    settled = capital + state[NET]
    state[PEAK] = max(state[PEAK], settled)
    state[FALL_MAX] = max(state[FALL_MAX], state[PEAK] - settled)


@inlined
def deepen(state: F64_1D, fall: float, peak: float) -> None:
    """Add a fall of equity inside bars below a peak."""
    state[SWING_MAX] = max(state[SWING_MAX], fall)
    if fall > state[SWING_RATIO_MAX] * peak:
        state[SWING_RATIO_MAX] = fall / peak


@inlined
def may_deepen(state: F64_1D, fall: float, peak: float) -> bool:
    """Return whether a fall below a peak may be the deepest so far."""
    return bool(fall > state[SWING_MAX] or fall > state[SWING_RATIO_MAX] * peak)


@inlined
def fall_of(
    state: F64_1D, entered: float, low: float, price: float, unit: float, pnl: float, fee: float,
    before: float, peak: float,
) -> float:  # fmt: skip # the trade, then the equity before it
    """Return how far equity fell at the worst of a trade; its own result counts too."""
    sign = state[SIGN]
    adverse = max(0.0, sign * entered - low, -sign * (price - entered))
    return float(max(0.0, peak - (before - max(adverse * unit + fee, -pnl))))


@inlined
def part_with(state: F64_1D, rows: F64_1D, row: int, leaves_part: bool) -> None:
    """Let what a row has kept of stretches count if a part of it is left, and forget it."""
    if rows[row + ROW_FALL] > 0:
        if leaves_part:
            state[SWING_MAX] = max(state[SWING_MAX], rows[row + ROW_FALL])
            ratio = max(state[SWING_RATIO_MAX], rows[row + ROW_FALL_RATIO])
            state[SWING_RATIO_MAX] = ratio
        rows[row + ROW_FALL] = rows[row + ROW_FALL_RATIO] = 0.0


@inlined
def reach(stack: Stack, course: Course, bar: int, until: int) -> None:
    """Look up what prices did since the last fill, ahead of one in `bar`, up to bar `until`."""
    state, counts, rows = stack.state, stack.counts, stack.rows
    opens, fixed, last, since = course.opens, course.fixed, counts[LAST_BAR], counts[SINCE]
    counts[SINCE] = max(since, until)
    if last != bar:
        counts[LAST_BAR] = bar
        state[SETTLED_PEAK] = max(state[SETTLED_PEAK], fixed.capital + state[NET])
        state[STARTED_WITH] = state[SIGN] * state[HELD]
    if since <= until:
        state[REST] = math.inf
    if state[HELD] == 0 or state[LOWEST] == math.inf:
        return
    side = np.uint64(LONG if state[SIGN] > 0 else SHORT)
    low = state[LOWEST]
    for row in range(counts[FROM], counts[TO]):
        rows[row * ROW + ROW_LOW] = min(rows[row * ROW + ROW_LOW], low)
    if not course.stacking.is_called:
        check_margin(state, course, low)
    peak, mark = state[SETTLED_PEAK], mark_at(state, fixed, low)
    fall = peak - mark
    if bar - last > 1 and may_deepen(state, fall, peak):
        low = lowest(opens, np.uint64(last + 1), np.uint64(bar), side)
        fall = max(0.0, peak - mark_at(state, fixed, low))
        if counts[TO] - counts[FROM] > 1:
            deepen(state, fall, peak)
        else:
            row = int(counts[FROM]) * ROW
            rows[row + ROW_FALL] = max(rows[row + ROW_FALL], fall)
            rows[row + ROW_FALL_RATIO] = max(rows[row + ROW_FALL_RATIO], fall / peak)


@inlined
def mark_at(state: F64_1D, fixed: Fixed, low: float) -> float:
    """Return the equity with what is held valued at a signed price, funding left out."""
    unit = state[QTY] * fixed.point_value
    settled = fixed.capital + state[NET] - unit * (state[SIGN] * state[AVERAGE])
    return float(settled - state[FEES_OPEN] + unit * low)


@inlined
def check_margin(state: F64_1D, course: Course, low: float) -> None:
    """Mark the set unsure if a margin call or a liquidation may come as far as a signed price."""
    fixed = course.fixed
    unit, owned = state[QTY] * fixed.point_value, mark_at(state, fixed, low)
    owned -= max(state[FUNDING_MOST], state[FUNDING_OPEN])
    if fixed.leverage > 1.0:
        if state[HELD] > 0 and low < math.inf:
            _check_cover(state, course, unit * abs(low), owned, low)
        return
    needed = needed_at(state, fixed, low)
    if needed > 0 and needed > owned * SURE:
        state[IS_UNSURE] = 1.0


@inlined
def needed_at(state: F64_1D, fixed: Fixed, low: float) -> float:
    """Return the margin of what is held at a signed price."""
    ratio = fixed.margin_long if state[SIGN] > 0 else fixed.margin_short
    return float(state[QTY] * fixed.point_value * abs(low) * ratio)


@inlined
def _check_cover(state: F64_1D, course: Course, value: float, owned: float, low: float) -> None:
    """Mark the set unsure if a liquidation may come at a signed price, by `chains.margin`."""
    fixed, tiers = course.fixed, course.tiers
    unit, average = state[QTY] * fixed.point_value, state[AVERAGE]
    cost = unit * average
    if fixed.is_isolated:
        value, owned = cost, cost / fixed.leverage - (state[SIGN] * average - low) * unit
    for tier in range(len(tiers)):
        asked = value * tiers[tier, MAINTENANCE] - tiers[tier, DEDUCTION]
        if asked >= owned - cost * (1 - SURE):
            state[IS_UNSURE] = 1.0


@inlined
def expose(state: F64_1D, last: float) -> None:
    """Count the bars of a position that ends in bar `last`, those left out that count already."""
    start = max(state[ROUND_BAR], state[EXPOSED_FROM])
    state[COVER] += max(0.0, last + 1.0 - start)
    state[EXPOSED_FROM] = max(state[EXPOSED_FROM], last + 1.0)


@inlined
def begin_stack(stack: Stack, fixed: Fixed, terms: F64_1D) -> None:
    """Put a set into the state before its first event; `terms` are those of its plan."""
    state, counts, marks = stack.state, stack.counts, stack.marks
    begin_rounds(stack.run, terms)
    state[:] = 0.0
    counts[:] = 0
    counts[LAST_BAR] = counts[JOINED] = counts[FOLLOWED] = -1
    counts[LATE] = -1
    counts[NEXT_AT] = counts[ORDER] = NEVER
    state[SHARE] = first_share(terms, fixed.share)
    state[STARTED] = fixed.capital
    state[PEAK] = state[SETTLED_PEAK] = fixed.capital
    state[REST] = math.inf
    state[PNL_MAX], state[PNL_MIN] = -math.inf, math.inf
    for month in range(fixed.months):
        marks[month * LANES] = math.nan


@inlined
def write_figures(stack: Stack, lanes: F64_1D, fixed: Fixed, sums: F64_1D, found: F64_1D) -> None:
    """Write the figures of a set that has come to its end, by the rules of the lanes."""
    for number in range(SUMS):
        lanes[number * LANES] = stack.state[number]
    figures_of(lanes, 0, stack.marks, fixed, sums, found)
