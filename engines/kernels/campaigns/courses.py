"""The course of a campaign, which all sets share that enter after the same close and on one side.

Theory. Where its rungs wait hangs on the close that decides, so what of a campaign is the account's
is the average alone: how many whole steps each rung buys moves it a little, and with it the target
and the stop. So the first set to come to an entry that another had taken walks it (`learned`),
and notes what fills when, and between which averages all of this stays as it is: those whose
target lies above all that was passed by and not above what met it, and whose stop likewise. Others
then ask whether theirs are such (`played`), and need no bar. Where sets come to many entries again
the first one walks it at once. Where an entry that waits is met, and what is left of that bar then,
hangs on the close as well; a campaign for which the bar goes on to matter is not known.

No courses are shared where levels count from each entry or lie nearly as far away as their base,
limits are verified, rungs wait above, a late target may come, fills are at closes, on spot, or with
funding or leverage; nor by a set alone, nor in ladders of more lots than may be known.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels._prefetch import prefetch
from engines.kernels.campaigns.columns import (
    IS_MOVING,
    KNOWS,
    LADDER_FROM,
    LAG,
    PAYS_END,
)
from engines.kernels.columns import Run
from engines.kernels.slots import (
    BASIS,
    CALLS_MARGIN,
    FROM_ENTRY,
    HAS_EXITS,
    IS_EXACT,
    LATE_ENTRIES,
    PROFIT_ATR,
    PROFIT_RATIO,
    RUNGS,
    STOP_ATR,
    STOP_RATIO,
    VALUE_MAX,
    VERIFY_TICKS,
)
from engines.types import F64_1D

# A course: the line of its entry, what is known of it, how many lots it has, the bar that ends it
# by a level, which one and how, what an open that has passed it fills at, the lowest signed price
# of that bar until then, and behind its open, its month and how it slips; the highest price of the
# course and how far its prices lie apart; and the signed bases between which the level of the last
# lot ends it so.
(
    C_LINE, C_STATE, C_LOTS, C_END, C_FROM, C_TO, C_HIGH, C_RANGE, C_WAY, C_PRICE, C_WORST, C_LATER,
    C_MONTH, C_SLIP,
) = range(14)  # fmt: skip # one list
# What is of use while it is walked: what is held and has cost, its levels, the rung that waits next
# and where, and the extremes of bars since the last lot and since the close that decided, of which
# the highest is asked for afterwards too (`kept`).
(
    C_COST, C_STEPS, C_UP, C_DOWN, C_RUNG, C_LEVEL, C_MOST, C_LEAST, C_TOP, C_BOTTOM,
) = range(14, 24)  # fmt: skip # one list
# Of an entry that waited: the bar that meets it, what it fills at, the signed price at which the
# way stands then, and which part of the way that is.
C_ENTRY, C_FILL, C_NOW, C_PART = range(24, 28)
COURSE_HEAD = 28
# A lot: its bar and price, the steps that a unit of money buys, which rung it was; the lowest
# signed price of its bar, and of the course until the next lot; the signed bases between which
# nothing else comes first.
K_BAR, K_PRICE, K_SIZE, K_RUNG, K_WORST, K_LOWEST, K_FROM, K_TO = range(8)
KNOWN_LOT = 8
KNOWN_LOTS = 16  # as many may be known
IS_SEEN, IS_KNOWN, IS_CLOSED = 1.0, 2.0, 3.0  # walked by one set, known, not to be known
# Values of C_WAY: a level is met on the way of the bar, or its open has passed it.
BY_TARGET, BY_TARGET_PASSED, BY_STOP, BY_STOP_PASSED = 0.0, 1.0, 2.0, 3.0
LINES_KNOWN = 1024  # of entries, which sets side by side come to at the same time
DOUBT = 0.01  # of a tick
LOTS_FETCHED, DOUBLES = 2, 8  # what is asked for ahead, a line of the cache at a time
# Behind all courses: how many were come to, and how many of them again; so many tell enough, and
# of so many one has to be come to again.
COUNTS, SEEN_AT, AGAIN_AT = 2, 2, 1  # the last two from the end
SEEN_MIN, OFTEN = 32, 2
RATIO_MAX = 0.99  # of a level, whose base is found back by a division


@rule
def prepare_courses(run: Run, may_share: bool) -> None:
    """Note whether courses of a plan are shared, without which campaigns are walked."""
    is_plain = may_share and run[LAG] == 0 and run[PAYS_END] == 0
    is_plain &= 0 < run[RUNGS] < KNOWN_LOTS and run[VERIFY_TICKS] == 0
    is_plain &= run[BASIS] != FROM_ENTRY and run[LATE_ENTRIES] == math.inf
    is_plain &= run[IS_MOVING] == 0
    is_plain &= run[CALLS_MARGIN] != 0 and run[IS_EXACT] == 0 and run[VALUE_MAX] == math.inf
    is_plain &= not run[PROFIT_RATIO] >= RATIO_MAX and not run[STOP_RATIO] >= RATIO_MAX
    for place in range(int(run[RUNGS])):
        is_plain &= run[LADDER_FROM + 2 * (place + 1)] >= 0
    run[KNOWS] = 1.0 if is_plain else 0.0


@rule
def course_size(rungs: int) -> int:
    """Return how long a course is."""
    return COURSE_HEAD + KNOWN_LOT * (rungs + 1)


@rule
def course_at(run: Run, line: int, side: float) -> int:
    """Return where the course of a campaign lies that begins at a line."""
    place = 2 * (line & (LINES_KNOWN - 1)) + (1 if side > 0 else 0)
    return place * course_size(int(run[RUNGS]))


@rule
def fetch_course(run: Run, known: F64_1D, line: int, side: float) -> None:
    """Ask for the course of a campaign that is about to begin."""
    if run[KNOWS] != 0:
        at = course_at(run, line, side)
        for place in range(0, COURSE_HEAD + KNOWN_LOT * LOTS_FETCHED, DOUBLES):
            prefetch(known, at + place)


@rule
def met_at(run: Run, known: F64_1D, line: int, side: float) -> int:
    """Return where the course lies of an entry that waits since a line, -1: it is not known."""
    if run[KNOWS] == 0:
        return -1
    at = course_at(run, line, side)
    is_known = known[at + C_LINE] == line and known[at + C_STATE] != IS_SEEN
    return at if is_known else -1


@rule
def is_learned_at_once(known: F64_1D) -> bool:
    """Return whether so many courses are shared that the first set to come is to walk one."""
    seen, again = known[len(known) - SEEN_AT], known[len(known) - AGAIN_AT]
    return bool(seen >= SEEN_MIN and again * OFTEN > seen)


@rule
def has_target(run: Run) -> bool:
    """Return whether the plan has a target."""
    is_given = run[PROFIT_RATIO] == run[PROFIT_RATIO] or run[PROFIT_ATR] == run[PROFIT_ATR]
    return bool(run[HAS_EXITS] != 0 and is_given)


@rule
def has_stop(run: Run) -> bool:
    """Return whether the plan has a stop."""
    is_given = run[STOP_RATIO] == run[STOP_RATIO] or run[STOP_ATR] == run[STOP_ATR]
    return bool(run[HAS_EXITS] != 0 and is_given)
