"""Ladders, and entries of one level, that close whole, campaign by campaign: a faster equal.

Theory. A campaign begins flat at an open and ends flat, and its rungs wait at prices that its
deciding close alone fixes. Between two fills nothing moves but the price, so a set needs no state
machine: a search for the first bar that reaches the nearest of rungs, stop and target, bounded by
the next wish that closes (`campaigns.links`), and a walk through that bar (`campaigns.walk`). What
it does with money are the reference's operations (`campaigns.fills`), and what equity did inside
bars is looked up only where a bound says that it may matter (`campaigns.tally`).

That exits close all is what the rule ALL says. Under FIFO each lot has a leg of its own, but where
levels count from the average or the last fill they all lie at one price (`campaigns.legs`). A rung
that would wait again once its own trade has closed never does. Rules that look back at earlier
campaigns are asked as a set goes (`campaigns.gates`), as what Kelly's sizing spends is; with
leverage a bound says whether a position may have been taken over (`campaigns.margin`). The share of
equity that an entry by the volatility spends is known at each close, as are the distances of levels
by the ATR. A first entry may wait at a price (`campaigns.awaited`). What the account cannot pay is
refused as in the machine, and margin is called at the points of each bar (`campaigns.calls`).

Several entries without a ladder are campaigns too where their levels count from the average or the
last fill, and not by the ATR, and so lie at one price: a wish adds a lot at an open, where a rung
would on the way. Any close rule is followed there.

Limits of a day and of the drawdown end what a campaign of entries at opens holds
(`campaigns.limits`).

A stop that moves does so for all lots as one (`campaigns.moves`).

What this path does not follow is left to the machine: other close rules of ladders, legs that move
apart. So is a set that comes near to a liquidation. Without a ladder stacks follow what moves and
levels that differ (`stacks.legs`).
"""

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import BARS_MAX
from engines.kernels.columns import F64_2D, Bars
from engines.kernels.gates.runs import DELAYS, LIMITS, MAXIMA
from engines.kernels.passage.runs import (
    BORROWS,
    MOVES,
    OTHERS,
    OWN_SHARES,
    SIZINGS,
    are_alike,
    are_plain,
)
from engines.kernels.slots import (
    AT_MARKET,
    BY_KELLY,
    BY_RISK,
    BY_VOLATILITY,
    FIFO,
    FROM_ENTRY,
)
from engines.kernels.waits.runs import WAIT_TERMS
from engines.types import BOOL_1D, F64_1D

# What a ladder may say besides.
LADDERED = [
    slots.KELLY_ROOM, *BORROWS, *DELAYS, *MAXIMA, slots.ONLY_IN_PROFIT,
    slots.ROOM, slots.BASIS, slots.LEGS_EACH, slots.LOTS_ROOM, slots.RUNGS, slots.BUDGET_RATIO,
    slots.REFILLS, slots.LATE_ENTRIES, slots.LATE_RATIO, slots.IS_TENDED,
    slots.VERIFY_TICKS, slots.SETTLES, *WAIT_TERMS, *LIMITS, *MOVES,
]  # fmt: skip # one list
UNLADDERED = np.setdiff1d(OTHERS, LADDERED)


def is_campaigned(bars: Bars, terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] this path follows, without levels of a strategy."""
    if len(bars.prices) >= BARS_MAX:
        return np.zeros(len(terms), np.bool_)
    found = are_campaigns(terms)
    if len(bars.marks) > 0:  # which then tell what is liquidated
        found &= terms[:, slots.IS_LIQUIDABLE] == 0
    return found


def are_campaigns(terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] this path follows on any market that it does, by their settings."""
    by_atr = ~np.isnan(terms[:, [slots.STOP_ATR, slots.PROFIT_ATR]]).all(axis=1)
    # Legs of one level all fill where one does; a late target would renew them in another order.
    is_level = (terms[:, slots.BASIS] != FROM_ENTRY) & (terms[:, slots.LOT_ORDER] == FIFO)
    is_level &= terms[:, slots.LATE_ENTRIES] == np.inf
    has_rungs = (terms[:, slots.RUNGS] > 0) & (is_level | (terms[:, slots.CLOSES_ALL] != 0))
    has_rungs |= _joins_at_opens(terms) & ~by_atr
    has_stop = ~np.isnan(terms[:, [slots.STOP_ATR, slots.STOP_RATIO]]).all(axis=1)
    is_sized = (terms[:, slots.SIZING_KIND] != BY_RISK) | has_stop
    # While one waits the rungs of another campaign may spend their own share yet.
    waits = terms[:, slots.ENTRY_KIND] != AT_MARKET
    has_own = np.isin(terms[:, slots.SIZING_KIND], (BY_VOLATILITY, BY_KELLY)) | _risks_atr(terms)
    found: BOOL_1D = has_rungs & is_sized & ~(waits & (has_own | (terms[:, slots.SETTLES] != 0)))
    is_at_open = ~waits & (terms[:, slots.SETTLES] == 0)
    found &= is_at_open | are_alike(terms, LIMITS)
    found &= are_alike(terms, MOVES) | (is_at_open & _moves_as_one(terms))
    found &= are_plain(terms, UNLADDERED, (*SIZINGS, *OWN_SHARES, BY_KELLY))
    return found


def _moves_as_one(terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] have a ladder all of whose legs move at the same prices."""
    found: BOOL_1D = (terms[:, slots.RUNGS] > 0) & (terms[:, slots.BASIS] != FROM_ENTRY)
    found &= (terms[:, slots.LATE_ENTRIES] == np.inf) & (terms[:, slots.VERIFY_TICKS] == 0)
    return found


def _joins_at_opens(terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] have no ladder but several entries at opens, and one level for all."""
    found: BOOL_1D = (terms[:, slots.RUNGS] == 0) & (terms[:, slots.BASIS] != FROM_ENTRY)
    found &= (terms[:, slots.ENTRY_KIND] == AT_MARKET) & (terms[:, slots.SETTLES] == 0)
    return found


def _risks_atr(terms: F64_2D) -> BOOL_1D:
    """Return which plans [N] size by the risk of a stop by the ATR."""
    found: BOOL_1D = (terms[:, slots.SIZING_KIND] == BY_RISK) & ~np.isnan(terms[:, slots.STOP_ATR])
    return found & np.isnan(terms[:, slots.BUDGET_RATIO])


def shares_of(terms: F64_1D, close: F64_1D, atr: F64_1D, atr_ratio: F64_1D) -> F64_1D:
    """Return the share of equity that an entry decided at each close [T] may spend.

    It is 0 where none is known. It is empty where no close has a share of its own, which hangs on
    the distance of the stop by the `atr` [T] or on `atr_ratio`, another ATR over the close [T];
    both are empty where a plan does not ask for them.
    """
    over = atr_ratio
    if _risks_atr(terms[None])[0]:
        by_atr = terms[slots.STOP_ATR] * atr / close[: len(atr)]  # one more may follow
        over = np.fmin(terms[slots.STOP_RATIO], by_atr) * terms[slots.LEVERAGE]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = terms[slots.SIZING_VALUE] / over
    shares = np.minimum(np.maximum(shares, terms[slots.SHARE_MIN]), terms[slots.SHARE_MAX])
    return np.where(over > 0, shares, 0.0)
