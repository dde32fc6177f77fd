"""The columns of positions that close in parts: how levels close each entry, links, portions.

Theory. With one entry at a time and several targets, what closes a position in parts hangs on its
entry alone, as with one leg (`chains.columns`). So the *closes* of an entry are listed once for all
sets of a plan, in the order in which they fill. A set takes those that come before its wishes end
the position, and what is left then closes as one more part, the REST. How many it takes is all
that a link is made from, so the codes of closes lie apart from their prices, which a step looks up.

A close says which portion of the entry it takes; how many steps that are depends on the account. It
knows two lowest signed prices: from the entry to the close, for the part's own worst mark, and in
the *quiet* bars since the last bar with a fill, in which all parts were held together (`metrics`).
Stacks, whose entries know their own past, ask instead how far along the way of its bar a close is
met, and how low the price came on that way until then (`ways`).
"""

from typing import NamedTuple

from engines.kernels.chains.columns import I32_1D, MODE_BITS
from engines.types import F64_1D

# A close, besides its code: its price, the lowest price until then and of quiet bars, its month.
C_PRICE, C_WORST, C_QUIET, C_MONTH = range(4)
C_WAY, C_LOW = C_QUIET, C_MONTH  # of closes that stacks ask for
CLOSE_BITS = 2
CLOSE = 1 << CLOSE_BITS

# A link: a code, the place of the close among the exits, what is entered next, and where rules ask
# for it what the position brings that has ended, UNTOLD if it has not; or where links are made some
# at a time the place of the wish that enters next.
L_CODE, L_FOUND, L_NEXT, L_RESULT = range(4)
UNTOLD, WON, LOST = range(3)
L_WISH, NO_WISH = L_RESULT, -1
LINK_BITS = 2
LINK = 1 << LINK_BITS

# A code: the bar, the part and the mode (`chains.columns`). What no level has closed is the REST.
PART_BITS = 3
PART_MASK = (1 << PART_BITS) - 1
CODE_BITS = MODE_BITS + PART_BITS
REST = 4
PARTS_MAX = 4


class Portions(NamedTuple):
    """What part of an entry each of the targets takes; the last one of `targets` takes the rest."""

    targets: int
    first: float
    second: float
    third: float


class Foretold(NamedTuple):
    """From which price on the rest of an entry makes up for its closes (`parts.results`).

    `evens` [N x (parts + 1)] are by how many closes come before, empty where nobody asks. A fill
    costs `by_price` of its value, and `by_contract` in prices.
    """

    evens: F64_1D
    portions: Portions
    by_price: float
    by_contract: float


class PartExits(NamedTuple):
    """How levels close entries, in `parts` or fewer: `codes` [N x parts], `closes` [... x CLOSE].

    `places` [2 x (T + 1)] are those of a plan's entries, by line and side; the `entries` of several
    plans lie one after the other. `levels` [N] are the bars in which nothing is left, T if some is
    left; a close that is not met lies behind the last line.
    """

    places: I32_1D
    levels: I32_1D
    codes: I32_1D
    closes: F64_1D
    entries: int
    parts: int
    foretold: Foretold


class PartLinks(NamedTuple):
    """Links of LANES sets, `room` for each: `links` [... x LINK].

    Where a part is still held the next is the line that enters nothing. `worst` are the lowest
    signed prices of rests, of which the exits know nothing. `shares` are those of the next ones, if
    each entry has its own.
    """

    links: I32_1D
    worst: F64_1D
    shares: F64_1D
    room: int
