"""The gate in front of entries (`gates`), for the set of a lane.

Theory. A wish is judged by the positions that have ended and the entries that were decided before.
One that would reverse a position is judged while that is held, so by the ones before it. Delays may
refuse one as well: where its position began by a reversal, they count from that.
"""

from engines.kernels._compiled import inlined, rule
from engines.kernels.gates.columns import (
    COUNTED,
    DAY_ENTRIES,
    ENTRY_DAY,
    ENTRY_WEEK,
    HALTED_DAY,
    HALTED_UNTIL,
    HAS_LOST,
    HAS_NO_SHARE,
    LAST_END,
    LOSSES,
    NEVER,
    WEEK_ENTRIES,
    Gates,
)
from engines.kernels.machine.gates import DAYS_PER_WEEK
from engines.kernels.passage.lanes import LANES
from engines.types import I64_1D


@rule
def has_gates(gates: Gates) -> bool:
    """Return whether a plan asks an entry to wait for anything."""
    return (
        gates.cooldown > 0
        or gates.losses_max != NEVER
        or gates.day_max != NEVER
        or gates.week_max != NEVER
    )


@rule
def open_gates(stands: I64_1D, lane: int) -> None:
    """Let nothing have been counted yet."""
    stands[LAST_END + lane] = -NEVER
    stands[HAS_LOST + lane] = stands[LOSSES + lane] = 0
    stands[ENTRY_DAY + lane] = stands[ENTRY_WEEK + lane] = stands[HALTED_DAY + lane] = -1
    stands[DAY_ENTRIES + lane] = stands[WEEK_ENTRIES + lane] = stands[HALTED_UNTIL + lane] = 0


@inlined
def refuses(stands: I64_1D, lane: int, gates: Gates, closes: I64_1D, bar: int) -> bool:
    """Return whether a lane may not enter at the close of `bar`; `closes` are days of closes."""
    if stands[HAS_NO_SHARE + lane] != 0 or bar < stands[HALTED_UNTIL + lane]:
        return True
    waits = gates.cooldown if stands[HAS_LOST + lane] != 0 else gates.delay
    if bar - stands[LAST_END + lane] < waits:
        return True
    if len(closes) == 0:
        return False
    day = closes[bar]
    if day <= stands[HALTED_DAY + lane]:
        return True
    if day == stands[ENTRY_DAY + lane] and stands[DAY_ENTRIES + lane] >= gates.day_max:
        return True
    is_same_week = _week_of(day) == stands[ENTRY_WEEK + lane]
    return bool(is_same_week and stands[WEEK_ENTRIES + lane] >= gates.week_max)


@inlined
def count_entry(stands: I64_1D, lane: int, closes: I64_1D, bar: int) -> None:
    """Count an entry decided at the close of `bar`."""
    if len(closes) == 0:
        return
    day = closes[bar]
    if day != stands[ENTRY_DAY + lane]:
        stands[ENTRY_DAY + lane], stands[DAY_ENTRIES + lane] = day, 0
        week = _week_of(day)
        if week != stands[ENTRY_WEEK + lane]:
            stands[ENTRY_WEEK + lane], stands[WEEK_ENTRIES + lane] = week, 0
    stands[DAY_ENTRIES + lane] += 1
    stands[WEEK_ENTRIES + lane] += 1


@rule
def keep_counts(stands: I64_1D) -> None:
    """Remember how many entries lanes have counted."""
    for place in range(4 * LANES):
        stands[COUNTED + place] = stands[ENTRY_DAY + place]


@rule
def recall_counts(stands: I64_1D, lane: int) -> None:
    """Let a lane have counted the entries that it remembers, and none since."""
    for place in range(lane, 4 * LANES, LANES):
        stands[ENTRY_DAY + place] = stands[COUNTED + place]


@rule
def _week_of(day: int) -> int:
    """Return the week of a day; day 1 of the calendar was a Monday."""
    return (day - 1) // DAYS_PER_WEEK


@inlined
def count_end(
    stands: I64_1D, lane: int, gates: Gates, opened: I64_1D, bar: int, pnl: float
) -> None:
    """Count a position that has ended in `bar` with this result; `opened` are days of opens."""
    stands[LAST_END + lane], stands[HAS_LOST + lane] = bar, 1 if pnl < 0 else 0
    if gates.losses_max == NEVER or opened[bar] <= stands[HALTED_DAY + lane]:
        return  # What ends on a halted day is part of it.
    if pnl < 0:
        stands[LOSSES + lane] += 1
    elif pnl > 0:
        stands[LOSSES + lane] = 0
    if stands[LOSSES + lane] == gates.losses_max:
        stands[HALTED_DAY + lane], stands[LOSSES + lane] = opened[bar], 0
