"""Many strategies under one plan whose entries hang on how earlier ones went.

Theory. Such a plan is one that chains follow (`chains`), but for rules that look back at positions
which have ended, or at what the one that is held would bring: `gates.links` says how a lane then
finds its way, `gates.shares` what Kelly's sizing makes of it. What a level does to an entry
hangs on the entry alone all the same, so the exits that chains list serve here as well.

Where a plan allows one side, a wish of the other counts as an entry of its day although nothing
fills (`gates.vain`). Such plans, if they limit the entries of a day or week, are left to stacks
where the share of each entry is its own.
"""

import math

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import BARS_MAX, Opens
from engines.kernels.chains.opens import closes_of
from engines.kernels.columns import F64_2D, Bars, frozen
from engines.kernels.gates.columns import NEVER, Gates, Kelly, Watch
from engines.kernels.gates.limits import looks_at_money
from engines.kernels.passage.columns import MONTHS_MAX
from engines.kernels.passage.runs import (
    BORROWS,
    CLOSING,
    DIVIDES,
    FILLS,
    MOVES,
    OTHERS,
    OWN_SHARES,
    SIZINGS,
    are_alike,
    are_plain,
)
from engines.kernels.slots import ANY_WISH, BY_KELLY, ENTERS, ENTERS_LONG, ENTERS_SHORT
from engines.kernels.slots import ENDS as RULES_END
from engines.types import BOOL_1D, F64_1D, I64_1D

NO_GATES = Gates(0, 0, NEVER, NEVER, NEVER, False, 0, NEVER, math.inf, math.inf, math.inf)
NO_DAYS: I64_1D = np.empty(0, np.int64)
NO_KELLY = Kelly(0, 0, 0.0, 0.0, 0.0)
DELAYS = [slots.DELAY_BARS, slots.COOLDOWN_BARS]
MAXIMA = [slots.TRADES_DAY_MAX, slots.TRADES_WEEK_MAX, slots.LOSSES_MAX]
LOOKS_BACK = [*DELAYS, *MAXIMA, slots.ONLY_IN_PROFIT, slots.KELLY_ROOM]
LIMITS = [
    slots.FILLS_MAX, slots.LOSS_RATIO_MAX, slots.LOSS_QUOTE_MAX, slots.HAS_CAPS, slots.DRAWDOWN_MAX,
]  # fmt: skip # one list
OF_MONEY = [slots.LOSS_RATIO_MAX, slots.LOSS_QUOTE_MAX, slots.DRAWDOWN_MAX]
FOLLOWED = [*MOVES, *DIVIDES, *FILLS, *BORROWS, *CLOSING, *LOOKS_BACK, *LIMITS]
UNGATED = np.setdiff1d(OTHERS, FOLLOWED)


def is_gated(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] gates follow for strategies that give no sizes."""
    if len(bars.months) >= MONTHS_MAX or len(bars.prices) >= BARS_MAX:
        return np.zeros(len(terms), np.bool_)
    found = are_plain(terms, UNGATED, (*SIZINGS, *OWN_SHARES, BY_KELLY))
    found &= ~are_alike(terms, [*LOOKS_BACK, *LIMITS])
    counts = (terms[:, MAXIMA[:2]] < math.inf).any(axis=1) & (terms[:, slots.DIRECTION] != 0)
    # Where positions close in parts no limit of money is followed, and of entries none in vain.
    found &= are_alike(terms, OF_MONEY) | are_alike(terms, DIVIDES)
    found &= are_alike(terms, LIMITS) | ~counts
    found &= ~counts | np.isin(terms[:, slots.SIZING_KIND], SIZINGS)
    if len(bars.marks) > 0:  # which then tell what is liquidated
        found &= terms[:, slots.IS_LIQUIDABLE] == 0
    return found


def gates_of(terms: F64_1D) -> Gates:
    """Return what a new position must wait for under a plan, and what ends one."""
    delay, cooldown = (int(terms[place]) for place in DELAYS)
    by_day, by_week, losses = (int(min(terms[place], NEVER)) for place in MAXIMA)
    in_profit, vain = bool(terms[slots.ONLY_IN_PROFIT] != 0), 0
    if min(by_day, by_week) < NEVER and terms[slots.DIRECTION] != 0:
        vain = ENTERS_SHORT if terms[slots.DIRECTION] > 0 else ENTERS_LONG
    drawdown = terms[slots.DRAWDOWN_MAX]
    return Gates(
        delay, max(delay, cooldown), by_day, by_week, losses, in_profit, vain,
        int(min(terms[slots.FILLS_MAX], NEVER)), float(terms[slots.LOSS_RATIO_MAX]),
        float(terms[slots.LOSS_QUOTE_MAX]), math.inf if math.isnan(drawdown) else float(drawdown),
    )  # fmt: skip # the order of its fields


def kelly_of(terms: F64_1D) -> Kelly:
    """Return how Kelly's sizing weighs the rounds of a plan."""
    if terms[slots.KELLY_ROOM] == 0:
        return NO_KELLY
    places = slots.SIZING_VALUE, slots.SHARE_MIN, slots.SHARE_MAX
    shares = (float(terms[place]) for place in places)
    return Kelly(int(terms[slots.KELLY_ROOM]), int(terms[slots.KELLY_TRADES_MIN]), *shares)


def looks_back(gates: Gates, kelly: Kelly) -> bool:
    """Return whether a plan has any such rule."""
    return gates != NO_GATES or kelly != NO_KELLY


def without_limits(gates: Gates) -> Gates:
    """Return gates without the limits, which refuse entries while nothing is held."""
    free, inf = gates._replace(fills_max=NEVER), math.inf
    return free._replace(loss_ratio=inf, loss_quote=inf, drawdown=inf)


def counts_days(gates: Gates) -> bool:
    """Return whether a plan has limits of a day."""
    return gates.fills_max < NEVER or min(gates.loss_ratio, gates.loss_quote) < math.inf


def watch_of(gates: Gates, opens: Opens, prices: F64_2D, days: I64_1D, start: int) -> Watch:
    """Return what the limits of a plan read of a market, whose bars open on these days."""
    next_day, first, closes = NO_DAYS, NEVER, opens._replace(lowest=np.empty(0))
    if counts_days(gates):
        begins = np.append(np.flatnonzero(np.diff(days, prepend=-1)), len(days))
        next_day = begins[np.searchsorted(begins, np.arange(len(days)), side="right")]
        first = int(begins[np.searchsorted(begins, start)])  # A day that has begun is not watched.
    if looks_at_money(gates):
        closes = closes_of(opens, prices)
    return Watch(frozen(next_day, np.int64), first, closes)


def sure_wishes(terms: F64_1D) -> int:
    """Return which wishes surely close the positions that they would close, under a plan.

    Gates may refuse a reversal: even delays do, soon after a position that began by one. A share of
    nothing refuses it too. In profit alone, no more than the hours' rules are sure to close.
    """
    gates, kelly = without_limits(gates_of(terms)), kelly_of(terms)
    if gates.only_in_profit:
        return RULES_END
    may_refuse = gates != NO_GATES or (kelly != NO_KELLY and kelly.low <= 0)
    may_refuse |= bool(terms[slots.IS_HEDGED] != 0)  # Then a side enters beside the other.
    return ANY_WISH & ~ENTERS if may_refuse else ANY_WISH
