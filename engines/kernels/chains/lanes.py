"""Links in the lanes of `passage.lanes`: each lane a set, each step a link of its chain.

Theory. A link says at which line a position ends and at which the next begins; all that the records
and events of first passage hold follows from the two lines by arithmetic without a branch. What is
done with money then is the same step, in the same lanes. At the last close lines are priced at that
close, which is not an open that a position may still go against.

The lines of a long market do not fit into the cache of a core, and each lane is somewhere else. So
those of the links to come are asked for some steps ahead, or most of a step were waiting.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE_BITS,
    MODE_BITS,
    MODE_MASK,
    O_CLOSE,
    O_MONTH,
    O_OPEN,
    O_ORDERED,
    O_PRICE,
    SIDE_MASK,
    Links,
    Sizes,
)
from engines.kernels.passage.columns import OPEN_AT_END, PASSED_AT_OPEN, U64_1D, Fixed
from engines.kernels.passage.events import HALF, need_of
from engines.kernels.passage.lanes import (
    AT,
    AT_HORIZON,
    BAR,
    END,
    ENTRY_PRICE,
    LANE_NUMBERS,
    LANES,
    LOSS,
    MONTH,
    N_BAR,
    N_CLOSE,
    N_FIXED,
    N_NEED,
    N_OPEN,
    N_OWN_SHARE,
    N_PRICE,
    N_SHARE,
    N_SIDE,
    N_UNIT,
    PHASE,
    PRICE,
    SIDE,
)
from engines.types import F64_1D

# Behind the numbers of a lane: what sizing reckons with, the open of the end, the lowest price, and
# of the position that ends and of the one that begins, with leverage, its value and its cover.
N_ORDERED, OPENED, WORST, VALUE, LEFT, N_VALUE, N_LEFT = range(
    LANE_NUMBERS * LANES, (LANE_NUMBERS + 7) * LANES, LANES
)
CHAIN_NUMBERS = LANE_NUMBERS + 7
LINKS_AHEAD = 16  # links that are asked for themselves
AHEAD = 2  # links whose lines are asked for: a step takes about as long as memory does


@rule
def start_chain(places: U64_1D, lane: int, first: int, count: int) -> None:
    """Let a lane stand before the first link of its set."""
    places[END + lane] = first + count - 1
    places[AT + lane] = np.uint64(first) - np.uint64(1)


@rule
def idle(places: U64_1D, lane: int) -> None:
    """Let a lane that has no set stand at the end of the first lane's."""
    places[END + lane] = places[AT + lane] = places[END]


@rule
def follow(lanes: F64_1D, places: U64_1D, links: Links, lines: F64_1D) -> None:
    """Look up the next link of each lane; one that is at its end stays there."""
    one, bits = np.uint64(1), np.uint64(LINE_BITS)
    for lane in range(LANES):
        at = min(places[AT + lane] + one, places[END + lane])
        places[AT + lane] = at
        ends, follower = np.uint64(links.ends[at]), np.uint64(links.nexts[at])
        _ask_for_links(links, at + np.uint64(LINKS_AHEAD))
        soon = min(at + np.uint64(AHEAD), places[END + lane])
        prefetch(lines, np.uint64(links.ends[soon]) >> np.uint64(MODE_BITS) << bits)
        prefetch(lines, np.uint64(links.nexts[soon]) >> one << bits)
        stand_at_end(lanes, places, lane, ends, links.prices[at], links.worst[at], lines)
        stand_before(lanes, lane, follower, lines)
    if len(links.shares) > 0:
        for lane in range(LANES):
            lanes[N_OWN_SHARE + lane] = links.shares[places[AT + lane]]


@inlined
def _ask_for_links(links: Links, at: np.uint64) -> None:
    """Ask for links: of each column lanes read as many places at once as no hardware follows."""
    prefetch(links.ends, at)
    prefetch(links.nexts, at)
    prefetch(links.prices, at)
    prefetch(links.worst, at)


@inlined
def stand_at_end(
    lanes: F64_1D, places: U64_1D, lane: int, ends: np.uint64, price: float, worst: float,
    lines: F64_1D,
) -> None:  # fmt: skip # the lane, then how it ends
    """Look up where a position ends; `price` is that of the level, if it is one that ends it."""
    lanes[WORST + lane] = worst
    bar, mode = ends >> np.uint64(MODE_BITS), ends & np.uint64(MODE_MASK)
    lanes[BAR + lane] = bar
    lanes[AT_HORIZON + lane] = mode
    line = bar << np.uint64(LINE_BITS)
    # A position is closed by the other side's price.
    closes = np.uint64(O_PRICE + (1 if lanes[SIDE + lane] > 0 else 0))
    lanes[PRICE + lane] = price if mode >= np.uint64(AT_LEVEL) else lines[line + closes]
    lanes[OPENED + lane] = lines[line + np.uint64(O_OPEN)]
    places[MONTH + lane] = np.uint64(lines[line + np.uint64(O_MONTH)])


@inlined
def stand_before(lanes: F64_1D, lane: int, follower: np.uint64, lines: F64_1D) -> None:
    """Look up the entry that follows."""
    bar, side = follower >> np.uint64(1), follower & np.uint64(SIDE_MASK)
    lanes[N_BAR + lane] = bar
    line = bar << np.uint64(LINE_BITS)
    lanes[N_PRICE + lane] = lines[line + np.uint64(O_PRICE) + side]
    lanes[N_ORDERED + lane] = lines[line + np.uint64(O_ORDERED) + side]
    lanes[N_CLOSE + lane] = lines[line + np.uint64(O_CLOSE)]
    lanes[N_OPEN + lane] = lines[line + np.uint64(O_OPEN)]
    lanes[N_SIDE + lane] = side


@rule
def weigh(lanes: F64_1D, fixed: Fixed, sizes: Sizes, last: float) -> None:
    """Find what the lines of each lane say of the position that ends and of the one that begins.

    `last` is the line behind the last close, at which nothing is entered.
    """
    for lane in range(LANES):
        side, mode = lanes[SIDE + lane], lanes[AT_HORIZON + lane]
        base, price = lanes[ENTRY_PRICE + lane], lanes[PRICE + lane]
        # What the open of a level's own bar counts is in the lowest price already.
        is_inside = (mode == OPEN_AT_END) | (mode >= AT_LEVEL)
        opened = math.inf if is_inside else side * lanes[OPENED + lane]
        worst = min(lanes[WORST + lane], opened)
        lanes[LOSS + lane] = max(0.0, side * base - worst, -side * (price - base))
        lanes[PHASE + lane] = max(0.0, mode - (AT_LEVEL - PASSED_AT_OPEN))
        n_side = 1.0 - 2.0 * lanes[N_SIDE + lane]
        n_side = n_side if lanes[N_BAR + lane] < last else 0.0
        lanes[N_SIDE + lane] = n_side
        ordered = lanes[N_ORDERED + lane]
        unit = ordered * fixed.point_value * sizes.factor + sizes.added
        lanes[N_UNIT + lane] = unit
        steps_a_quote = fixed.step_under / fixed.step_over / unit
        share = lanes[N_OWN_SHARE + lane] if sizes.has_own_shares else fixed.share
        lanes[N_SHARE + lane] = share * fixed.leverage * steps_a_quote
        lanes[N_FIXED + lane] = -fixed.order_fee * steps_a_quote
        ratio = fixed.margin_long if n_side > 0 else fixed.margin_short
        need = need_of(lanes[N_PRICE + lane], ordered, lanes[N_OPEN + lane], n_side, ratio)
        lanes[N_NEED + lane] = need * fixed.point_value
    if not sizes.is_by_equity:
        _fix(lanes, fixed, sizes)


@rule
def _fix(lanes: F64_1D, fixed: Fixed, sizes: Sizes) -> None:
    """Find the whole steps of a size that does not depend on the account."""
    for lane in range(LANES):
        qty = sizes.cash / (lanes[N_ORDERED + lane] * fixed.point_value)
        steps = float(np.floor(qty * fixed.step_under / fixed.step_over))
        steps = steps if sizes.is_by_cash else sizes.steps
        lanes[N_SHARE + lane], lanes[N_FIXED + lane] = 0.0, steps + HALF
