"""The row of a run before its first bar: how long it is, where its tables lie, what it holds."""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Bars, Charges, Run
from engines.kernels.machine.guards import refresh_guards
from engines.kernels.machine.liquidation import put_tiers
from engines.kernels.machine.lots import lay_out_lots
from engines.kernels.slots import (
    BAR,
    BOOK_AT,
    CAMPAIGN,
    CAMPAIGN_NOW,
    CAMPAIGNS_AT,
    CAPITAL,
    COLD,
    DOWN,
    DRAWDOWN_MAX,
    EQUITY_MIN,
    FLOOR,
    HALTED_DAY,
    HAS_CAPS,
    IS_HEDGED,
    IS_LIQUIDABLE,
    IS_MARKED,
    KELLY_AT,
    KELLY_ROOM,
    LADDER_AT,
    LAST_END_BAR,
    LEG,
    LEGS_EACH,
    LOSSES_MAX,
    LOT,
    LOT_SIZE,
    LOTS_AT,
    LOTS_MAX,
    NEEDS_REFERENCE,
    NOTES_AT,
    OTHER_AT,
    PEAK,
    PLACES_AT,
    RUN,
    RUNG_SIZE,
    RUNGS,
    SIDE_NOW,
    SIDE_SIZE,
    STEPS,
    TERMS,
    TIER,
    TIERS,
    TIERS_AT,
    TIMEOUT,
    TRADES_DAY_MAX,
    TRADES_WEEK_MAX,
    TRAIL_DOWN,
    TRAIL_UP,
    UP,
    WAIT,
    WAITS_AT,
    WAITS_MAX,
)
from engines.types import F64_1D

WAITS_SPARE = 8  # trades of one bar beyond one a lot: a lot can close in parts


@rule
def size_of(terms: F64_1D, lots: float) -> int:
    """Return how many places a run takes that has room for `lots` a side, its notes left out."""
    fixed = RUN + _size_of_ladder(terms) + terms[TIERS] * TIER
    sides, own = 1 + terms[IS_HEDGED], _size_of_side(terms, lots)
    own += lots * WAIT + (SIDE_SIZE if sides > 1 else 0)
    return int(fixed + sides * own + WAITS_SPARE * WAIT)


@rule
def _size_of_side(terms: F64_1D, lots: float) -> float:
    """Return how many places the tables of one side take."""
    campaigns = 2 * _size_of_campaign(terms)
    lots_size = lots * (1 + _size_of_lot(terms))
    return lots_size + _size_of_book(terms, lots) + campaigns + float(terms[KELLY_ROOM])


@rule
def _size_of_lot(terms: F64_1D) -> float:
    return LOT + float(terms[LEGS_EACH]) * LEG


@rule
def _size_of_book(terms: F64_1D, lots: float) -> float:
    return lots * float(terms[LEGS_EACH]) + 1 + 2 * float(terms[RUNGS])


@rule
def _size_of_ladder(terms: F64_1D) -> float:
    return 2 * (float(terms[RUNGS]) + 1) if terms[RUNGS] > 0 else 0.0


@rule
def _size_of_campaign(terms: F64_1D) -> float:
    return CAMPAIGN + float(terms[RUNGS]) * RUNG_SIZE if terms[RUNGS] > 0 else 0.0


@rule
def begin(
    run: Run, terms: F64_1D, bars: Bars, charges: Charges, lots: float, notes_at: int
) -> None:
    """Put the terms of a set into its run, and the state in which every run begins."""
    for place in range(TERMS):
        run[place] = terms[place]
    for place in range(TERMS, COLD):
        run[place] = 0.0
    run[LOTS_MAX], run[LOT_SIZE], run[NOTES_AT] = lots, _size_of_lot(terms), notes_at
    run[LADDER_AT] = RUN + _size_of_side(terms, lots)
    for place in range(int(_size_of_ladder(terms))):
        run[int(run[LADDER_AT]) + place] = terms[TERMS + place]
    run[TIERS_AT] = run[LADDER_AT] + _size_of_ladder(terms)
    run[WAITS_AT] = run[TIERS_AT] + run[TIERS] * TIER
    run[WAITS_MAX] = (1 + run[IS_HEDGED]) * lots + WAITS_SPARE
    run[BAR] = -1
    run[UP] = run[TRAIL_UP] = run[TIMEOUT] = math.inf
    run[DOWN] = run[TRAIL_DOWN] = -math.inf
    run[LAST_END_BAR] = -math.inf
    _begin_limits(run, bars, charges)
    if run[IS_HEDGED] != 0:
        _begin_other(run, terms, lots)
    _lay_out(run, terms, lots, float(RUN))


@rule
def _lay_out(run: Run, terms: F64_1D, lots: float, first: float) -> None:
    """Let the tables of a side begin at `first`."""
    run[PLACES_AT], run[BOOK_AT] = first, first + lots
    run[CAMPAIGNS_AT] = run[CAMPAIGN_NOW] = run[BOOK_AT] + _size_of_book(terms, lots)
    run[LOTS_AT] = run[CAMPAIGNS_AT] + 2 * _size_of_campaign(terms)
    run[KELLY_AT] = run[LOTS_AT] + lots * run[LOT_SIZE]
    for place in range(int(run[CAMPAIGNS_AT]), int(run[LOTS_AT])):
        run[place] = 0.0
    lay_out_lots(run)


@rule
def _begin_other(run: Run, terms: F64_1D, lots: float) -> None:
    """Put the short side's state and its tables aside; the long one's comes into the row."""
    run[OTHER_AT] = run[WAITS_AT] + run[WAITS_MAX] * WAIT
    _lay_out(run, terms, lots, run[OTHER_AT] + SIDE_SIZE)
    for place in range(SIDE_SIZE):
        run[int(run[OTHER_AT]) + place] = run[STEPS + place]
    run[SIDE_NOW] = 1.0


@rule
def _begin_limits(run: Run, bars: Bars, charges: Charges) -> None:
    """Set what limits and counts begin with."""
    run[HALTED_DAY] = -1
    run[EQUITY_MIN] = run[FLOOR] = -math.inf
    run[PEAK] = run[CAPITAL]
    if run[DRAWDOWN_MAX] == run[DRAWDOWN_MAX]:
        run[FLOOR] = run[CAPITAL] * (1 - run[DRAWDOWN_MAX])
    if run[IS_LIQUIDABLE] != 0:
        put_tiers(run, charges.tiers)
        run[IS_MARKED] = len(bars.marks) > 0
    refresh_guards(run)
    counts = min(run[TRADES_DAY_MAX], run[TRADES_WEEK_MAX], run[LOSSES_MAX])
    if (counts < math.inf or run[HAS_CAPS] != 0) and len(charges.open_day) == 0:
        run[NEEDS_REFERENCE] = 1.0
