"""The columns of the gate path: rules that look back, and where each lane of it stands.

Theory. Which wish begins or ends a position, and of what size the next one is, may hang on how
earlier ones went. Then no chain can be made before its money is known, and each lane chooses its
links as it goes: it keeps its place among the wishes of its set, what it holds, and what the rules
have counted.

Where positions close in parts a lane books one close a step, and what was counted of a position
waits until nothing is left of it.
"""

from typing import NamedTuple

from engines.kernels.chains.columns import Decides, Exits, Given, Opens, Sizes
from engines.kernels.chains.shares import Shares
from engines.kernels.columns import F64_2D
from engines.kernels.parts.columns import PartExits, Portions
from engines.kernels.parts.lanes import PART_NUMBERS
from engines.kernels.passage.columns import U64_1D, Fixed, Payments
from engines.kernels.passage.lanes import LANES
from engines.types import F64_1D, I64_1D

NEVER = 1 << 40  # beyond every bar, and beyond every count

# The whole numbers of a lane: its next wish and where they end, the rows of its plan among the
# exits (NO_LEVELS: none) and among the terms; the close at which what it holds was decided, whether
# that is short, and its place among the exits; how that ends, as in a link; what comes next, as in
# a link, and its wish.
# From LAST_END on, what the rules know: the bar of the last end, whether that was a loss, the last
# day and week with an entry and how many they had, losses in a row, the last day they have ended,
# and whether its share of equity is none. Of what closes in parts: how many closes it has had, and
# whether the one that comes leaves something.
# Of limits (`gates.limits`): the bar before which nothing is entered any more; the wish behind the
# one that entered; the first bar of the next trading day, and the fills of this one; whether a cap
# closes what was entered at once, and which limit has ended what was held. Last what ENTRY_DAY to
# WEEK_ENTRIES were before the end of what is held was looked for.
(
    CURSOR, STOP, ROW, PLAN, ENTRY, IS_SHORT, PLACE, ENDS, NEXT, WISH,
    LAST_END, HAS_LOST, ENTRY_DAY, ENTRY_WEEK, DAY_ENTRIES, WEEK_ENTRIES, LOSSES, HALTED_DAY,
    HAS_NO_SHARE, TAKEN, IS_LEFT, HALTED_UNTIL, BEGUN, DAY_END, DAY_FILLS, IS_AT_ONCE, CUT, COUNTED,
) = range(0, 28 * LANES, LANES)  # fmt: skip # one list
STANDS = 31

# Behind the numbers of a lane, what Kelly's sizing knows: the rounds that have ended, and where the
# next one lies; of the last ones how many won and lost, and what their ratios add up to, each as a
# sum and what it has lost; the ratio of a round, whether it has ended, and the one that gives way.
# Then what has closed of a position: how many trades, what their results and the sizes of these add
# up to. Last what limits know: the highest equity at a close, and the one at which the loss of the
# day is reached.
(
    ENDED, AT_RING, WON_COUNT, LOST_COUNT, WON_SUM, WON_REST, LOST_SUM, LOST_REST,
    ROUND_RATIO, ROUND_ENDS, OLDEST, CLOSED, CLOSED_PNL, CLOSED_SIZE, TOP, DAY_LEAST,
) = range(PART_NUMBERS * LANES, (PART_NUMBERS + 16) * LANES, LANES)  # fmt: skip # one list
# What the ratios of its trades as they weigh add up to, and their weights, then the same with the
# trade that closes: each is a sum, what that has lost, and what was lost of that.
WEIGHED, WEIGHTS, N_WEIGHED, N_WEIGHTS = range(
    (PART_NUMBERS + 16) * LANES, (PART_NUMBERS + 28) * LANES, 3 * LANES
)
GATE_NUMBERS = PART_NUMBERS + 28

NO_ENTRY = -1  # the close of a position that there is not
UNKNOWN = 0  # what comes next, while nobody has looked


class Gates(NamedTuple):
    """What a new position must wait for, NEVER where there is no such limit; what ends one.

    `cooldown` bars after a loss are no fewer than the `delay` after any end. `vain` are wishes that
    count as entries although the plan does not allow their side (`gates.vain`).
    Limits are the fills of a day, NEVER without one, its losses, as a share of equity or in money,
    and the drawdown, infinite without.
    """

    delay: int
    cooldown: int
    day_max: int
    week_max: int
    losses_max: int
    only_in_profit: bool
    vain: int
    fills_max: int
    loss_ratio: float
    loss_quote: float
    drawdown: float


class Kelly(NamedTuple):
    """Kelly's sizing by the last `room` rounds, 0: another; `least` of them make it known."""

    room: int
    least: int
    value: float
    low: float
    high: float


class Days(NamedTuple):
    """The days of each bar's open and of its close [T], empty where no rule counts them."""

    opens: I64_1D
    closes: I64_1D


class Watch(NamedTuple):
    """What limits read of a market: by bar the first one of the next trading day [T], and closes.

    `first` is where a run's first trading day begins. `closes` have the closes of bars as their
    only prices. Columns are empty where nothing asks for them.
    """

    next_day: I64_1D
    first: int
    closes: Opens


class Room(NamedTuple):
    """What a pass keeps of its lanes: where they stand, their numbers and their whole ones.

    `ratios` are the rings of rounds and `run` has room for one; `marks` [months x LANES] are
    profits.
    """

    stands: I64_1D
    lanes: F64_1D
    places: U64_1D
    ratios: F64_1D
    run: F64_1D
    marks: F64_1D


class Course(NamedTuple):
    """What sets that advance together share."""

    opens: Opens
    decides: Decides
    given: Given
    exits: Exits
    shares: Shares
    sizes: Sizes
    payments: Payments
    fixed: Fixed
    gates: Gates
    kelly: Kelly
    days: Days
    tiers: F64_2D
    watch: Watch


class PartCourse(NamedTuple):
    """What sets share that advance together and close positions in parts."""

    opens: Opens
    decides: Decides
    given: Given
    exits: PartExits
    portions: Portions
    shares: Shares
    sizes: Sizes
    payments: Payments
    fixed: Fixed
    gates: Gates
    kelly: Kelly
    days: Days
    tiers: F64_2D
    watch: Watch
