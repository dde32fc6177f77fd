"""The columns of the hedge path: what both sides of a set hold, and what they share."""

from typing import NamedTuple

from engines.kernels.chains.columns import Decides, Exits, Opens, Sizes
from engines.kernels.columns import F64_2D
from engines.kernels.passage.columns import Fixed
from engines.types import F64_1D, I64_1D

# Numbers of a side, the long one's first: what it holds, the fee of its entry, what it has earned
# and the steps that wait for the open. Whole ones: the bar of its entry, the place of its exit, the
# bar in which a level ends it, the last close by age, and whether it leaves at the next open.
STEPS, QTY, PRICE, FEE, NET, WANTED = range(0, 12, 2)
ENTRY, PLACE, LEVEL, TIMED, LEAVES = range(0, 10, 2)
# Then what both share: the peak of closed equity ahead of fills, and whether the set is unsure; the
# bar of the last fill, the one in which something has been held since, the months that ended; the
# first close that a wish may not be passed over at, and the wishes that are none before.
SETTLED_PEAK, IS_UNSURE, NUMBERS = range(12, 15)
LAST_FILL, ROUND_BAR, MONTH, SOON, COUNTS, PLACES = range(10, 16)
NO_ENTRY = -1


class Course(NamedTuple):
    """What sets that are run together share."""

    opens: Opens
    decides: Decides
    exits: Exits
    sizes: Sizes
    fixed: Fixed
    tiers: F64_2D


class Sides(NamedTuple):
    """Both sides of a set: numbers, whole ones, and the sums of its summary."""

    held: F64_1D
    now: I64_1D
    sums: F64_1D
