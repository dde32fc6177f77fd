"""The columns of the chain path: fills at each open, how far spans of bars reach, wishes, links.

Theory. A set without stops and targets trades at opens alone. What a fill at an open costs depends
on the market only, so it is priced once for all sets: a *line* an open, one line of the cache.
Line b is the open of bar b, decided at the close of the bar before; line T is the last close, at
which what is open is valued; line T + 1 enters nothing, it is where a set ends, and at line 0
nothing ends, it is where every set begins.

Where what a close decides fills at that close, line b + 1 is the close of bar b. So the last close
is a line like any other, T of T + 1, and a bar behind the last, which reaches nothing, makes a
market of as many. A level that is met in bar b ends a position at line b + 1 too, so that lines
count bars from a position's begin to its end; `Opens.lag` is by how many a line lies behind.

Prices are multiplied by the position's sign, so that the lowest is the worst for both sides alike.
The lowest of 1, 4, 16 and 64 bars from each bar on are kept, so that four look-ups that may overlap
answer for any span of up to 256 bars (`chains.walk.lowest`).

Where the plan has levels, *exits* say for each line and side at which bar, at what price and after
which lowest price a level ends the position that is entered there (`exit_walk`), the same for all
sets of a plan. They are found for the lines at which any set of the call may enter.

A *chain* is what becomes of one set's wishes: for each position a link, which says where and how
the one before ends and where the next begins. The chains of up to TOGETHER sets lie one after the
other.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from engines.kernels.columns import F64_2D, U8_1D
from engines.types import F64_1D

I32_1D: TypeAlias = npt.NDArray[np.int32]
I32_2D: TypeAlias = npt.NDArray[np.int32]

TOGETHER = 64  # sets whose chains are made together
NO_LEVELS = -1  # the row among exits of a plan that has none

# A line: the price of a fill by side, what sizing reckons with by side, the close that decides, the
# open, the month, and the ratio by which what is decided at that close slips, 0 without one.
O_PRICE, O_ORDERED, O_CLOSE, O_OPEN, O_MONTH, O_SLIP = 0, 2, 4, 5, 6, 7
LINE_BITS = 3
CACHE_LINE = 64  # bytes
LINE = 1 << LINE_BITS
LONG, SHORT = 0, 1  # what a side adds to the first two

# A wish: its bar and, in the low bits, what is wished at the close of it.
WISH_BITS, WISH_MASK = 8, 255
BARS_MAX = 1 << 24

# A link: the line at which a position ends and how, the line and the side of the next.
# A mode is one of first passage's, or from AT_LEVEL on: alone, at a level's price, which the open
# had passed (AT_LEVEL) or the way of the bar met (ON_THE_WAY).
MODE_BITS, MODE_MASK = 3, 7
AT_LEVEL, ON_THE_WAY = 4, 5
SIDE_MASK = 1

SPANS, SPAN_BITS = 4, 2  # kinds of spans, each so many doublings of the one before
LOOKS = 1 << SPAN_BITS
LONGEST = 1 << (SPAN_BITS * SPANS)  # bars for which the longest spans suffice


class Opens(NamedTuple):
    """What chains read of a market of T bars: `lines` [(T + 2) x LINE], `reach` as in `Bars`.

    `lag` is 1 where fills are those of closes, else 0.

    `lowest` [SPANS x 2 x T] are the lowest signed prices of the spans from each bar on, by side.
    """

    lines: F64_1D
    lowest: F64_1D
    reach: F64_2D
    bars: int
    lag: int


class Exits(NamedTuple):
    """How the levels of some plans end positions, by entry [plans, N].

    `places` [2 x (T + 1)] are those of the entries, by line and side. `ends` are bars and modes of
    the exits as a link has them, bar T where no level is met, with their prices and the lowest
    signed prices until then.
    """

    places: I32_1D
    ends: I32_2D
    prices: F64_2D
    worst: F64_2D


class Given(NamedTuple):
    """Stops and targets that strategies give with each wish of a list, empty if they give none.

    `runs` [plans, WALK] have room for a walk and hold the terms of each plan. `known` are walks
    that were done last, KNOWN numbers each (`chains.exits`), 2 ** n of them or none.
    """

    stops: F64_1D
    targets: F64_1D
    runs: F64_2D
    prices: F64_2D
    slip_ratio: F64_1D
    known: F64_1D


class Links(NamedTuple):
    """Links of some sets: `ends`, `nexts` and the lowest signed price between.

    `prices` are those at which levels end positions; where something else does they say nothing.
    `shares` are those of the next ones, if each entry has its own.
    """

    ends: I32_1D
    nexts: I32_1D
    worst: F64_1D
    prices: F64_1D
    shares: F64_1D


class Permits(NamedTuple):
    """What rules make of the wishes of each close: bits that count, and bits of their own [T]."""

    allowed: U8_1D
    forced: U8_1D


class Decides(NamedTuple):
    """What of a plan decides which wishes make positions: the rest is money."""

    start: int
    held_max: int
    enters: int


class Sizes(NamedTuple):
    """How entries are sized; what their kind does not count is a factor of one or nothing.

    A contract takes `ordered x point value x factor + added` of the money of a share of equity;
    `steps` are those of a quantity. Shares may be those of each entry (`chains.shares`).
    """

    is_by_equity: bool
    is_by_cash: bool
    has_own_shares: bool
    factor: float
    added: float
    cash: float
    steps: float


def on_cache_lines(count: int) -> F64_1D:
    """Return room for so many numbers that begins with a line of the cache."""
    whole = np.empty(count + CACHE_LINE // 8)
    first = -whole.ctypes.data % CACHE_LINE // 8
    return whole[first : first + count]
