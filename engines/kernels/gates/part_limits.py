"""The most fills of a day where several targets close positions in parts (`gates.limits`).

Theory. Each close of a part is a fill, as an entry is; a reversal is one. The fill that is the last
of its day closes at its own price what is left, or what it has entered, which is no fill. That is
a step of its own, since it is a trade of its own, and lets nothing in until the next trading day.
Limits of money are not followed here.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import AT_LEVEL, MODE_BITS, MODE_MASK
from engines.kernels.chains.lanes import WORST
from engines.kernels.gates.columns import (
    DAY_END,
    DAY_FILLS,
    ENDS,
    ENTRY,
    HALTED_UNTIL,
    IS_AT_ONCE,
    IS_LEFT,
    NEXT,
    NO_ENTRY,
    UNKNOWN,
    Gates,
    Watch,
)
from engines.kernels.gates.limits import NOT_YET
from engines.kernels.parts.columns import CODE_BITS, REST
from engines.kernels.passage.columns import ALONE, OPEN_AT_END, RELIEVED, REVERSED
from engines.kernels.passage.lanes import AT_HORIZON, ENTRY_PRICE, LANES, PRICE
from engines.types import F64_1D, I64_1D

# What the last fill of a day was, if it closes what is held at once.
ENTERED, CLOSED_PART = 1, 2


@rule
def end_at_once(stands: I64_1D, lane: int) -> None:
    """Let what a lane holds end where its last fill was."""
    line, mode = stands[ENTRY + lane] + 1, AT_LEVEL
    if stands[IS_AT_ONCE + lane] == CLOSED_PART:
        line, mode = stands[ENDS + lane] >> CODE_BITS, stands[ENDS + lane] & MODE_MASK
    stands[ENDS + lane] = (line << CODE_BITS) | (REST << MODE_BITS) | mode


@rule
def price_at_once(stands: I64_1D, lanes: F64_1D, lane: int) -> None:
    """Let what a lane holds be closed at the price of its last fill, a close if it was one."""
    if stands[IS_AT_ONCE + lane] == ENTERED:
        lanes[PRICE + lane], lanes[WORST + lane] = lanes[ENTRY_PRICE + lane], math.inf


@rule
def count_closes(stands: I64_1D, lanes: F64_1D, gates: Gates, watch: Watch, lag: int) -> None:
    """Count the fill that closes something of each lane, and the entry of an order that waits."""
    for lane in range(LANES):
        mode = stands[ENDS + lane] & MODE_MASK
        if stands[ENTRY + lane] == NO_ENTRY or mode == OPEN_AT_END:
            continue
        if stands[IS_AT_ONCE + lane] != 0:
            stands[IS_AT_ONCE + lane], stands[HALTED_UNTIL + lane] = 0, stands[DAY_END + lane]
            continue
        is_last = _count(stands, lane, gates, watch, (stands[ENDS + lane] >> CODE_BITS) - lag)
        if mode == REVERSED:
            stands[IS_AT_ONCE + lane] = ENTERED if is_last else 0
        elif stands[IS_LEFT + lane] != 0:
            stands[IS_AT_ONCE + lane] = CLOSED_PART if is_last else 0
        elif is_last:
            stands[HALTED_UNTIL + lane] = stands[DAY_END + lane]
            if mode == RELIEVED:  # The order that waits is cancelled.
                stands[NEXT + lane] = UNKNOWN
                stands[ENDS + lane] += ALONE - RELIEVED
                lanes[AT_HORIZON + lane] = float(ALONE)
        elif mode == RELIEVED:
            _count_entry(stands, lane, gates, watch, (stands[ENDS + lane] >> CODE_BITS) - lag)


@rule
def count_entries(stands: I64_1D, lanes: F64_1D, gates: Gates, watch: Watch, lag: int) -> None:
    """Count the fill of each lane that enters and closes nothing; what it holds is noted."""
    for lane in range(LANES):
        mode = lanes[AT_HORIZON + lane]
        if stands[ENTRY + lane] == NO_ENTRY or stands[IS_LEFT + lane] != 0:
            continue
        if mode not in (REVERSED, RELIEVED):
            _count_entry(stands, lane, gates, watch, (stands[NEXT + lane] >> 1) - lag)


@rule
def _count_entry(stands: I64_1D, lane: int, gates: Gates, watch: Watch, bar: int) -> None:
    """Count an entry that fills in a bar; one that is the last fill of its day ends at once."""
    if _count(stands, lane, gates, watch, bar):
        stands[IS_AT_ONCE + lane] = ENTERED


@rule
def _count(stands: I64_1D, lane: int, gates: Gates, watch: Watch, bar: int) -> bool:
    """Count a fill in a bar; return whether it is the last one of its day."""
    day = stands[DAY_END + lane]
    if day == NOT_YET:
        day = watch.first
    if day <= bar:
        while day <= bar:
            day = watch.next_day[day]
        stands[DAY_FILLS + lane] = 0
    stands[DAY_END + lane] = day
    stands[DAY_FILLS + lane] += 1
    return bool(stands[DAY_FILLS + lane] >= gates.fills_max)
