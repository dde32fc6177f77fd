"""The gate in front of entry wishes (`reentry`): how soon, how often, after how many losses.

Theory. Days are numbers of the calendar in the exchange's time zone, prepared for each bar: the day
of its open, to which the end of a position belongs, and that of its close, to which a decision
does. A day or week that is over is noticed at the next decision. Losses in a row are counted as
positions end, which gives what the reference finds when it looks back at a decision.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.slots import (
    AFTER_LOSSES,
    BEYOND_DAY,
    BEYOND_WEEK,
    COOLDOWN_BARS,
    DAY_ENTRIES,
    DECISION_DAY,
    DELAY_BARS,
    ENTRY_DAY,
    ENTRY_WEEK,
    HALTED_DAY,
    LAST_END_BAR,
    LAST_ROUND,
    LOSSES_MAX,
    OPEN_DAY,
    ROUND_LOSSES,
    TRADES_DAY_MAX,
    TRADES_WEEK_MAX,
    WEEK_ENTRIES,
    WITHIN_COOLDOWN,
    WITHIN_DELAY,
)

DAYS_PER_WEEK = 7


@rule
def passes_gates(run: Run, bar: int) -> bool:
    """Return whether re-entry allows an entry at this close; count it if not."""
    refusal = _refusal(run, bar - run[LAST_END_BAR])
    if refusal != 0:
        run[refusal] += 1
    return refusal == 0


@rule
def _refusal(run: Run, bars: float) -> int:
    """Return under which number an entry `bars` after the last position is refused, 0: it isn't."""
    if bars < run[DELAY_BARS]:
        return WITHIN_DELAY
    if bars < run[COOLDOWN_BARS] and run[LAST_ROUND] < 0:
        return WITHIN_COOLDOWN
    _turn(run)
    if run[DAY_ENTRIES] >= run[TRADES_DAY_MAX]:
        return BEYOND_DAY
    if run[WEEK_ENTRIES] >= run[TRADES_WEEK_MAX]:
        return BEYOND_WEEK
    if run[LOSSES_MAX] < math.inf and run[DECISION_DAY] <= run[HALTED_DAY]:
        return AFTER_LOSSES
    return 0


@rule
def _turn(run: Run) -> None:
    """Begin the counts of the day and of the week anew where they have changed."""
    day = run[DECISION_DAY]
    if day == run[ENTRY_DAY]:
        return
    run[ENTRY_DAY], run[DAY_ENTRIES] = day, 0
    week = float(math.floor((day - 1) / DAYS_PER_WEEK))  # day 1 of the calendar was a Monday
    if week != run[ENTRY_WEEK]:
        run[ENTRY_WEEK], run[WEEK_ENTRIES] = week, 0


@rule
def count_entry(run: Run) -> None:
    """Count an entry decided at this close."""
    _turn(run)
    run[DAY_ENTRIES] += 1
    run[WEEK_ENTRIES] += 1


@rule
def count_round(run: Run, pnl: float) -> None:
    """Count a position that has ended in this bar with this result."""
    if run[LOSSES_MAX] == math.inf or run[OPEN_DAY] <= run[HALTED_DAY]:
        return  # What ends on a halted day is part of it.
    if pnl < 0:
        run[ROUND_LOSSES] += 1
    elif pnl > 0:
        run[ROUND_LOSSES] = 0
    if run[ROUND_LOSSES] == run[LOSSES_MAX]:
        run[HALTED_DAY], run[ROUND_LOSSES] = run[OPEN_DAY], 0
