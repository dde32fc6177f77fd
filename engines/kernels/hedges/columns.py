"""The columns of the hedge path: what both sides of a set hold, and what they share."""

from typing import NamedTuple

from engines.kernels.chains.columns import Decides, Exits, Opens, Sizes
from engines.kernels.chains.shares import Shares
from engines.kernels.columns import F64_2D, F64_3D, I64_2D
from engines.kernels.gates.columns import Days
from engines.kernels.passage.columns import Fixed, Payments
from engines.kernels.stacks.columns import Stacking
from engines.types import F64_1D, I64_1D

# Numbers of a side, the long one's first: what it holds, the fee of its entry, what it has earned,
# the steps that wait for the open, the share of equity that its next entry may spend, and what its
# position has paid for funding, as its trade and as the account count it. Whole ones: the bar of
# its entry, the place of its exit, the bar in which a level ends it, the last close by age, whether
# it leaves at the next open, and the next settlement.
STEPS, QTY, PRICE, FEE, NET, WANTED, SHARE, FUNDING, FUNDING_OPEN = range(0, 18, 2)
ENTRY, PLACE, LEVEL, TIMED, LEAVES, SETTLEMENT = range(0, 12, 2)
# Then what both share: the peak of closed equity ahead of fills, and whether the set is unsure; the
# bar of the last fill, the one in which something has been held since, the months that ended; the
# first close that a wish may not be passed over at, the wishes that are none before, and the place
# of the next one.
SETTLED_PEAK, IS_UNSURE, NUMBERS = range(18, 21)
LAST_FILL, ROUND_BAR, MONTH, SOON, COUNTS, CURSOR, PLACES = range(12, 19)
NO_ENTRY = -1


class Course(NamedTuple):
    """What sets that are run together share; `looks` says what rules ask of earlier positions."""

    opens: Opens
    decides: Decides
    exits: Exits
    looks: Stacking
    shares: Shares
    sizes: Sizes
    payments: Payments
    fixed: Fixed
    days: Days
    tiers: F64_2D


class Sides(NamedTuple):
    """Both sides of a set: numbers, whole ones, and the sums of its summary.

    `runs` are rows of the machine's numbers, a side each: of its gates and its rounds.
    """

    held: F64_1D
    now: I64_1D
    sums: F64_1D
    runs: F64_2D


class Sets(NamedTuple):
    """Sets that go side by side [N, ...]; the fields are those of `Sides`."""

    held: F64_2D
    now: I64_2D
    sums: F64_2D
    runs: F64_3D
