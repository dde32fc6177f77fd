"""The columns of entries that wait at a price: how each is met, how its position ends, what links.

Theory. An *order* is an entry wish of one side at one close, which waits at its level from the next
open on. Where it is met hangs on the close, the side and the bars, so of each order that any
strategy may place one *row* says where and at what price it fills, if it is not withdrawn before.
An order is known by the line behind its close and its side, as an entry is in a chain
(`chains.columns`); `codes` [2 x (T + 1)] say of each at once in which bar and on which part of the
way it is met, bar T if it times out, and `places` which row is its own. The last row enters
nothing: it is where a set ends.

A code is `bar << MODE_BITS | mode`: with an opposite order and a level in one bar the lower one
comes first. What an open has passed fills there, entries before levels; then come the parts of the
way, and on one of them what is met first: its *way* is the price, negative where the price falls.

An *exit* is looked for when the first set takes the order, only as far as sets hold its position,
and further if another one does: its code or, until it is found, the first bar that was not looked
at, below 0 (UNKNOWN: none was); its way, the price of the fill and the lowest signed price until
then.

A *link* says how one position ends and how the next begins. Of its end the mode is one of first
passage's, with IS_LATE where it is on the way of a bar.

Where positions close in parts the exit of an order is its last close, and which closes come before
a position ends is told when its links are known (`part_links`): each becomes a link of its own.
"""

from typing import NamedTuple

from engines.kernels.chains.columns import AT_LEVEL, I32_1D, Decides, Opens, Sizes
from engines.kernels.chains.shares import Shares
from engines.kernels.columns import F64_2D
from engines.kernels.gates.columns import Days, Gates
from engines.kernels.parts.columns import PartExits, Portions
from engines.kernels.passage.columns import Fixed, Payments
from engines.types import F64_1D, I64_1D

# A row: the price of the fill; what sizing reckons with at the close; the price at which it is met,
# for a limit that is verified some ticks beyond that of the fill;
# the closes that decide and before the fill; the lowest price of the bar's way until then, in the
# sign of the other side, and that of the rest of the bar, in its own; where it fills.
R_PRICE, R_DECIDED, R_MET, R_CLOSE, R_BEFORE, R_PATH, R_REST, R_WHERE = range(8)
ROW_BITS = 3
ROW = 1 << ROW_BITS
# Where it fills is `bar << WHERE_BITS`, and whether it sells, on the way, in the size of its close.
WHERE_BITS = 3
IS_SHORT, ON_ITS_WAY, SIZED_BEFORE = 1, 2, 4

AT_OPEN = AT_LEVEL - 1  # the mode of an order that an open has passed

UNKNOWN = -1
EXIT_WAY, EXIT_PRICE, EXIT_WORST = range(3)
EXIT = 3

# The end of a link: one of first passage's modes, and on the way; of the next: does it only close?
END_MODE, IS_LATE = 3, 4
CLOSES_ONLY = 1


class Waiting(NamedTuple):
    """How a plan's entries wait: their kind, how far from the close, and how many bars.

    A limit is met `verified` ticks beyond its price.
    """

    kind: int
    offset: float
    timeout: int
    verified: int


class Orders(NamedTuple):
    """How the orders of one kind of waiting are met: `codes`, `places` and rows [N + 1, ROW].

    `entries` [N] are their lines and sides. Of one that times out the row knows no more than what
    sizing reckons with and the close that decides.
    """

    codes: I32_1D
    places: I32_1D
    rows: F64_1D
    entries: I64_1D


class Levels(NamedTuple):
    """How levels end positions, by plan and order: codes [plans x N], values [plans x N, EXIT].

    `runs` [plans, PART_WALK] have room for a walk and hold the terms of each plan. Where positions
    close in parts, `parts` are the closes of each, as `portions` divide it, and `ways` theirs.
    """

    codes: I32_1D
    values: F64_1D
    runs: F64_2D
    parts: PartExits
    ways: F64_1D
    portions: Portions


class Way(NamedTuple):
    """What all sets of a call read; `atr` may be empty, `tiers` are those of `Charges`."""

    opens: Opens
    prices: F64_2D
    slip_ratio: F64_1D
    atr: F64_1D
    decides: Decides
    waiting: Waiting
    orders: Orders
    shares: Shares
    sizes: Sizes
    payments: Payments
    fixed: Fixed
    gates: Gates
    days: Days
    tiers: F64_2D


class Turns(NamedTuple):
    """The links of LANES sets, `room` for each: ends, the lowest signed prices until then, nexts.

    `prices` are those of the ends, NaN until they are found. Of the next one `nexts` is its row and
    whether it only closes, `decided` the close at which it was decided. `shares` are those of the
    next ones, if each entry has its own.
    """

    ends: I32_1D
    nexts: I32_1D
    decided: I32_1D
    prices: F64_1D
    worst: F64_1D
    shares: F64_1D
    room: int


# A link of a position that closes in parts: its code as in `parts.columns`, but with a mode as
# above; the row of the order that comes next, whether that only closes and whether something is
# left; the close that decided it, and whether this close is the first behind that; the month.
# Then its price, the lowest until then and of quiet bars, and the next one's share.
P_CODE, P_NEXT, P_DECIDED, P_MONTH = range(4)
P_PRICE, P_WORST, P_QUIET, P_SHARE = range(4)
PART_BITS = 2
PART_LINK = 1 << PART_BITS
IS_LEFT, NEXT_BITS = 2, 2


class PartTurns(NamedTuple):
    """The links of LANES sets whose positions close in parts, `room` for each [... x PART_LINK]."""

    links: I32_1D
    values: F64_1D
    room: int
