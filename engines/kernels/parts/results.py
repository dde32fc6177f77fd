"""Whether a position has lost: foretold when its links are made, and checked when it ends.

Theory. Rules that look back ask no more of a position's result than its sign. Where commission is
a ratio of what is traded or one of a contract, that hangs on prices and portions alone, but for
portions that are no whole steps. So links are made as if each portion were traded exactly, and a
lane compares the sign of what a position did bring. A set in which one of thousands differs is
unsure, and is asked again in lanes that find closes as they go (`gates.part_runs`); so is one with
a result too near to nothing to tell.

What levels close of an entry is the same for all sets of a plan. So it is added up once, and what
is kept is the signed price at which the rest has to be closed for a result of nothing: a link
compares that with the price of its line. A position that levels close whole wins at any price, or
at none.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import LINE, MODE_BITS, O_PRICE, SIDE_MASK, Opens
from engines.kernels.gates.columns import CLOSED_PNL, CLOSED_SIZE, NEVER, Gates
from engines.kernels.parts.columns import (
    C_PRICE,
    CLOSE,
    CODE_BITS,
    L_RESULT,
    LINK_BITS,
    LOST,
    PART_MASK,
    UNTOLD,
    WON,
    PartExits,
    PartLinks,
    Portions,
)
from engines.kernels.parts.lanes import CLOSING, TOLD
from engines.kernels.passage.columns import U64_1D
from engines.kernels.passage.lanes import AT, IS_UNSURE, LANES, PNL, STEPS
from engines.types import F64_1D

SUM_NOISE = 1e-12  # of the sizes of what is summed: far more than a few additions lose
NO_PORTION = 1e-9  # of an entry: what is left where all is closed, far less than any portion


@rule
def asks_for_results(gates: Gates) -> bool:
    """Return whether what a plan allows hangs on how positions went."""
    return gates.cooldown != gates.delay or gates.losses_max != NEVER


@rule
def add_up_closes(opens: Opens, exits: PartExits, entry: int, at: int) -> None:
    """Write from which price on an entry gains, by how many closes come first, if that is asked."""
    told, side = exits.foretold, entry & SIDE_MASK
    if len(told.evens) == 0:
        return
    base, sign = opens.lines[(entry >> 1) * LINE + O_PRICE + side], 1.0 - 2.0 * side
    left, total, first = 1.0, 0.0, at * (exits.parts + 1)
    # What is bought and sold at signed prices of `least` and above it pays for both fills.
    least, kept = base * (sign + told.by_price) + 2.0 * told.by_contract, 1.0 - sign * told.by_price
    told.evens[first] = least / kept
    for part in range(exits.parts):
        place = at * exits.parts + part
        code = int(exits.codes[place])
        if code >> CODE_BITS >= opens.bars + opens.lag:
            return
        own = portion_of_leg(told.portions, (code >> MODE_BITS) & PART_MASK)
        total += own * (sign * exits.closes[place * CLOSE + C_PRICE] * kept - least)
        left -= own
        even = math.inf if total < 0 else -math.inf
        if left > NO_PORTION:
            even = (least - total / left) / kept
        told.evens[first + part + 1] = even


@rule
def foretell(opens: Opens, exits: PartExits, follower: int, at: int, taken: int, line: int) -> int:
    """Return how a position goes whose rest, after some closes of its entry, ends at a line."""
    side = follower & SIDE_MASK
    price = (1.0 - 2.0 * side) * opens.lines[line * LINE + O_PRICE + 1 - side]
    return LOST if price < exits.foretold.evens[at * (exits.parts + 1) + taken] else WON


@rule
def portion_of_leg(portions: Portions, leg: int) -> float:
    """Return which part of an entry a leg takes."""
    if leg >= portions.targets:
        return 1.0
    own = portions.first if leg == 0 else portions.second if leg == 1 else portions.third
    if leg < portions.targets - 1:
        return own
    before = portions.first if leg > 0 else 0.0
    before += portions.second if leg > 1 else 0.0
    before += portions.third if leg > 2 else 0.0
    return 1.0 - before


@rule
def check_results(lanes: F64_1D, places: U64_1D, links: PartLinks) -> None:
    """Compare what the position of each lane has brought with what was foretold, if it ends."""
    for lane in range(LANES):
        lanes[TOLD + lane] = links.links[(int(places[AT + lane]) << LINK_BITS) + L_RESULT]
    for lane in range(LANES):
        total = lanes[CLOSED_PNL + lane] + lanes[PNL + lane]
        size = lanes[CLOSED_SIZE + lane] + abs(lanes[PNL + lane])
        is_left = lanes[CLOSING + lane] < lanes[STEPS + lane]
        is_told = (lanes[TOLD + lane] != UNTOLD) & (not is_left)
        gain = -total if lanes[TOLD + lane] == LOST else total
        is_wrong = is_told & (not gain > SUM_NOISE * size)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_wrong else 0.0)
        lanes[CLOSED_PNL + lane] = total if is_left else 0.0
        lanes[CLOSED_SIZE + lane] = size if is_left else 0.0
