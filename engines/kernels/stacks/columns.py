"""What a set with several entries in one direction is while it is walked: numbers by their places.

Theory. A *stack* is a position of several entries. As in the reference two books are kept of the
same quantity: *entries*, each with the end that its own levels give it (`stacks.exits`), and *rows*
of the trade list, which an exit consumes by the close rule whichever entry it spends. One leg
closes its entry whole, several do so part by part (`stacks.parts`); a row may be closed in parts.

A set is three short arrays: its state (money and sums, the first SUMS of which are those of
`passage.lanes`, in their order), its counts (whole numbers) and a block of ENTRY places an entry
and ROW places a row. Rows lie one behind the other, oldest first, from FROM to TO: the oldest goes
by moving FROM. How many rows come apart has no bound (`lots`); a set that runs out of ROWS is
unsure.

Where fills are at closes, the points at which they happen are lines (`chains.columns`), one behind
the bar whose close it is; so rows and ends count in lines, and levels of bar b end at line b + 1.

Many sets go side by side, span by span of the bars: what they look up of a span stays in a cache.
What is asked of earlier positions, and how entries are sized by their own shares, is the machine's
(`machine.gates`, `machine.rounds`): `run` is a row of its numbers, of which only these are used.

An *end* of an entry is END places: when its levels end it, at what price, how far along the way of
the bar that is (lower comes first), the lowest signed price of that bar's way until then, and the
bar in which its stop began to follow the price, infinite if it did not. When is `bar << MODE_BITS |
mode`: at the open that had passed the level (AT_LEVEL), or on the first, second or third part of
the way (ON_THE_WAY + part). It is exact as a float.
"""

from typing import NamedTuple

from engines.kernels.chains.columns import I32_1D, Decides, Opens, Sizes
from engines.kernels.chains.shares import Shares
from engines.kernels.columns import F64_2D, I64_2D, Run
from engines.kernels.gates.columns import Days, Gates, Watch
from engines.kernels.parts.columns import PARTS_MAX, PartExits, Portions
from engines.kernels.passage.columns import Fixed, Payments
from engines.kernels.passage.lanes import SUMS
from engines.kernels.waits.columns import Orders
from engines.types import F64_1D, I64_1D

ROWS_MAX = 64
OF_ALL, NEVER = -1, 1 << 62

# What happens at a point: bits of `slots` for what is entered, or nothing, and these.
NOTHING, LEAVES, ENDS_BY_LEVEL, IS_OVER, PAUSES, IS_CALLED, IS_MET, IS_CUT = (
    0, 4, 8, 16, 32, 64, 128, 256,
)  # fmt: skip # one list

# An end, in a table by plan and entry.
END_AT, END_PRICE, END_WAY, END_LOW, END_ARMED = range(5)
END = END_ARMED + 1

# An entry: what it may still close, then its end, and which of the blocks behind all entries is its
# own where it has legs: levels that count from one price (`legs`), or that close it part by part.
ENTRY_STEPS, ENTRY_END = range(2)
ENTRY_LEG = ENTRY_END + END
ENTRY = ENTRY_LEG + 1

# The block of an entry that closes in parts (`stacks.parts`): what its next close takes, the place
# of the one after that among the closes, how many these are, and its portions.
PART_STEPS, PART_PLACE, PARTS_LEFT, PORTION = range(4)
PART_BLOCK = PORTION + PARTS_MAX

# A row: what is left of it, its price and bar, what it has paid, the lowest signed price since, and
# the deepest fall of equity while it alone was held, in money and over its peak. Behind all rows
# lies for each a signed price that may count among the lowest, infinite if there is none, for plans
# that move levels.
(
    ROW_STEPS, ROW_PRICE, ROW_BAR, ROW_FEE, ROW_FUNDING, ROW_LOW, ROW_FALL, ROW_FALL_RATIO,
) = range(8)  # fmt: skip # one list
ROW = ROW_FALL_RATIO + 1
DOUBTS = ROWS_MAX * ROW

# State: sums, then what is carried from event to event.
(
    NET, TRADES, WINS, GAINS, LOST, FEES, BARS, COVER, FIRST_PNL, DIFFERENCES, SQUARES,
    PNL_MAX, PNL_MIN, STREAK_MAX, FALL_MAX, SWING_MAX, SWING_RATIO_MAX, IS_UNSURE, FUNDED,
) = range(SUMS)  # fmt: skip # one list
(
    STREAK, PEAK, SETTLED_PEAK, HELD, SIGN, QTY, AVERAGE, FEES_OPEN, FUNDING_OPEN, FUNDING_MOST,
    ROUND_BAR, EXPOSED_FROM,
) = range(SUMS, SUMS + 12)  # fmt: skip # one list
# The share of equity that an entry may spend and the steps that one asks for; what was held when
# the bar of the last fill began, signed, and the equity that it began with.
SHARE, WANTED, STARTED_WITH, STARTED = range(SUMS + 12, SUMS + 16)
# The lowest signed price since SINCE, as far as what happens next.
LOWEST = SUMS + 16
# A margin call, or what a limit closes: the steps that it sells, at what price, and the lowest
# signed price of its bar until then, with the bar's open and without.
CALL_STEPS, CALL_PRICE, CALL_LOW, CALL_FRESH = range(SUMS + 17, SUMS + 21)
# Of the order that waits, the equity of the close that decided it and the share that it may spend;
# the lowest signed price of the rest of the bar in which an entry was met on the way.
ORDER_EQUITY, ORDER_SHARE, REST = range(SUMS + 21, SUMS + 24)
# Of limits: the peak of equity at closes, the equity at which the day's loss is reached, and the
# price on the way at which something happened last (`limits`).
TOP, DAY_LEAST, STOOD = range(SUMS + 24, SUMS + 27)
# Between these prices nothing happens to any leg (`legs`); where legs stand on the way of a bar and
# the lowest price of that until then, signed.
LEGS_DOWN, LEGS_UP, LEGS_AT, LEGS_LOW = range(SUMS + 27, SUMS + 31)
STATE = LEGS_LOW + 1

# Counts: rows from FROM up to TO, entries, which of them ends next and when, the bar of the last
# fill, the next settlement, and the last bars in which an entry joined others, and others of which
# one had a stop that followed the price already. Then the next wish, the line of what happens, what
# happens there after it, the first bar whose prices have not been looked up, and the first point at
# which margin was not judged (`calls`). Then the code of the order that waits (`waits.columns`) and
# its line and side, and the code of the last entry that was met on the way of a bar. Of limits: the
# bar with which the next day begins, the fills of this one, the bar before which no close lets
# anything in, and the first phase that was not looked at. The first bar that legs have not passed,
# and the part of its way on which they stand.
(
    FROM, TO, ENTRIES, NEXT, NEXT_AT, LAST_BAR, SETTLEMENT, JOINED, FOLLOWED, CURSOR, THE_LINE,
    QUEUED, SINCE, JUDGED, ORDER, ORDERED, LATE, DAY_END, DAY_FILLS, HALTED_UNTIL, WATCHED,
    LEGS_BAR, LEGS_PART,
) = range(23)  # fmt: skip # one list
COUNTS = LEGS_PART + 1


class Stack(NamedTuple):
    """A set on its way; `marks` are closed profits at the end of each month, LANES places apart."""

    state: F64_1D
    counts: I64_1D
    rows: F64_1D
    entries: F64_1D
    marks: F64_1D
    run: Run


class Stacks(NamedTuple):
    """Sets that go side by side [N, ...]; the fields are those of `Stack`."""

    state: F64_2D
    counts: I64_2D
    rows: F64_2D
    entries: F64_2D
    marks: F64_2D
    runs: F64_2D


class Ends(NamedTuple):
    """How the levels of some plans end entries [plans, N x END].

    `places` [2 x (T + 1)] are those of the entries, by line and side.
    """

    places: I32_1D
    values: F64_2D


class Stacking(NamedTuple):
    """How a plan stacks entries: how many, what its exits close, and what rules ask of a set.

    `order` is the order in which rows are consumed (`slots.FIFO` and so on); `closes_all` where any
    exit closes all of them. `is_exact` where no margin call trims what an account may not carry;
    `is_called` where calls are followed to the step (`stacks.calls`), `is_gated` where entries are
    counted or earlier positions asked, `counts_rounds` where these are remembered; `waits` where
    entries wait at a price, which `are_limits` or stops; `moves` where something moves levels;
    `is_limited` where anything is by the day or the drawdown, and `counts_money` if not by fills
    alone; `is_based` where levels count from the average or the last price (`legs`).
    """

    room: int
    order: int
    closes_all: bool
    is_exact: bool
    is_called: bool
    is_gated: bool
    counts_rounds: bool
    only_in_profit: bool
    waits: bool
    are_limits: bool
    moves: bool
    is_limited: bool
    counts_money: bool
    is_based: bool


class Deal(NamedTuple):
    """What happens at one point: how much is closed there, then how much is opened.

    `own` is the number of the entry whose exit it is, OF_ALL where it is of none in particular.
    Prices are those of the fills, fees what each part pays of them. `low` is the lowest signed
    price of the bar until then, `fresh` without its open, which is what counts for a row of the bar
    itself. `sign` is that of what is opened.
    """

    bar: int
    own: int
    closing: float
    price: float
    fee: float
    low: float
    fresh: float
    opening: float
    sign: float
    entry_price: float
    entry_fee: float


class Course(NamedTuple):
    """What all sets of a call read; `parts` are the closes of plans that have `portions`.

    `orders` are those of plans whose entries wait; then `ends` have the places of orders. `gates`
    and `watch` are what limits say and read.
    """

    opens: Opens
    decides: Decides
    ends: Ends
    stacking: Stacking
    parts: PartExits
    portions: Portions
    shares: Shares
    sizes: Sizes
    payments: Payments
    fixed: Fixed
    days: Days
    tiers: F64_2D
    orders: Orders
    gates: Gates
    watch: Watch
