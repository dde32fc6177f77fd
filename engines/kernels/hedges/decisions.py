"""What a close decides of a side: what it leaves and enters, and how much.

Theory. An entry spends a share of what both sides have earned and of what both positions are worth
at the deciding close. Rules that look back, and Kelly's share, ask what has become of the side's
own positions. Whether the account can pay is asked as the reference asks it, here and where the
entry fills (`money`).
"""

import math

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import LINE, O_CLOSE, O_ORDERED
from engines.kernels.chains.shares import share_of
from engines.kernels.hedges.columns import (
    ENTRY,
    FEE,
    FUNDING_OPEN,
    IS_UNSURE,
    LEAVES,
    NO_ENTRY,
    PRICE,
    QTY,
    SHARE,
    TIMED,
    WANTED,
    Course,
    Sides,
)
from engines.kernels.hedges.money import equity_of, lacks_funds
from engines.kernels.machine.gates import count_entry, passes_gates
from engines.kernels.passage.lanes import STEPS_MAX, fee
from engines.kernels.slots import (
    DECISION_DAY,
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.kernels.stacks.fills import is_large_enough, steps_for
from engines.kernels.stacks.rounds import slack_of


@inlined
def decide(course: Course, sides: Sides, bar: int, wish: int, side: int) -> bool:
    """Let a side decide at a close; return whether it wants anything."""
    now, held = sides.now, sides.held
    leaves, enters = LEAVES_LONG, ENTERS_LONG
    if side != 0:
        leaves, enters = LEAVES_SHORT, ENTERS_SHORT
    is_held = now[ENTRY + side] != NO_ENTRY
    is_left = is_held and (wish & ENDS != 0 or now[TIMED + side] == bar)
    if is_held and not is_left and wish & leaves != 0:
        is_left = not course.looks.only_in_profit or _gains(course, sides, bar, side)
    now[LEAVES + side] = 1 if is_left else 0
    held[WANTED + side] = 0.0
    may_enter = wish & enters & course.decides.enters != 0 and bar >= course.decides.start
    if may_enter and (is_left or not is_held) and _passes(course, sides, bar, side):
        _place(course, sides, bar, side)
    return is_left or held[WANTED + side] > 0


@inlined
def _gains(course: Course, sides: Sides, bar: int, side: int) -> bool:
    """Return whether the position of a side would bring anything at the close of a bar."""
    held, fixed = sides.held, course.fixed
    close, qty = course.opens.lines[(bar + 1) * LINE + O_CLOSE], held[QTY + side]
    gross = (close - held[PRICE + side]) * ((1.0 - 2.0 * side) * qty) * fixed.point_value
    paid = fee(fixed, qty, close)
    return bool(gross - held[FEE + side] - held[FUNDING_OPEN + side] - paid > 0)


@inlined
def _passes(course: Course, sides: Sides, bar: int, side: int) -> bool:
    """Return whether rules let a side enter at the close of a bar; note its share."""
    run, days = sides.runs[side], course.days
    if course.shares.are_own:
        share = share_of(run, course.opens, course.shares, bar + 1, math.nan)
        sides.held[SHARE + side] = share
    if course.sizes.has_own_shares and sides.held[SHARE + side] <= 0:
        return False
    if not course.looks.is_gated:
        return True
    if len(days.closes) > 0:
        run[DECISION_DAY] = days.closes[bar]
    return passes_gates(run, bar)


@inlined
def _place(course: Course, sides: Sides, bar: int, side: int) -> None:
    """Let an entry wait for the open, if it can be paid and is large enough."""
    fixed, held, line = course.fixed, sides.held, (bar + 1) * LINE
    ordered, close = course.opens.lines[line + O_ORDERED + side], course.opens.lines[line + O_CLOSE]
    equity, share = equity_of(held, sides.now, fixed, side, close), held[SHARE + side]
    steps = steps_for(ordered, equity, share, slack_of(sides.runs[side]), fixed, course.sizes)
    if not steps <= STEPS_MAX:  # which are not known, or too many
        held[IS_UNSURE] = 1.0
    steps = max(0.0, steps)
    if lacks_funds(held, fixed, side, steps, ordered, equity):
        return
    is_large = is_large_enough(fixed, steps, close)
    if is_large:
        held[WANTED + side] = steps
    # One too small counts beside a close: the reference lets it wait, to close the other side.
    if course.looks.is_gated and (is_large or sides.now[ENTRY + side] != NO_ENTRY):
        count_entry(sides.runs[side])
