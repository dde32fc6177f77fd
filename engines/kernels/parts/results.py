"""Whether a position has lost: foretold when its links are made, and checked when it ends.

Theory. Rules that look back ask no more of a position's result than its sign. Where commission is
a ratio of what is traded or one of a contract, that hangs on prices and portions alone, but for
portions that are no whole steps. So links are made as if each portion were traded exactly, and a
lane compares the sign of what a position did bring. A set in which one of thousands differs is
unsure, and is asked again in lanes that find closes as they go (`gates.part_runs`); so is one with
a result too near to nothing to tell.
"""

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
from engines.kernels.parts.lanes import CLOSING
from engines.kernels.passage.columns import U64_1D, Fixed
from engines.kernels.passage.lanes import AT, IS_UNSURE, LANES, PNL, STEPS
from engines.types import F64_1D

SUM_NOISE = 1e-12  # of the sizes of what is summed: far more than a few additions lose
NO_PORTION = 1e-9  # of an entry: what is left where all is closed, far less than any portion


@rule
def asks_for_results(gates: Gates) -> bool:
    """Return whether what a plan allows hangs on how positions went."""
    return gates.cooldown != gates.delay or gates.losses_max != NEVER


@rule
def foretell(
    opens: Opens, exits: PartExits, portions: Portions, fixed: Fixed, follower: int, at: int,
    end: int,
) -> int:  # fmt: skip # what is read, then the entry, its place and its last bar
    """Return how a position goes that ends in a bar by its levels, else by a wish there."""
    entered, side = (follower >> 1) * LINE + O_PRICE, follower & SIDE_MASK
    base, sign, left, total = opens.lines[entered + side], 1.0 - 2.0 * side, 1.0, 0.0
    for place in range(at * exits.parts, (at + 1) * exits.parts):
        code = int(exits.codes[place])
        if code >> CODE_BITS > end + opens.lag:
            break
        part = portion_of_leg(portions, (code >> MODE_BITS) & PART_MASK)
        price = exits.closes[place * CLOSE + C_PRICE]
        total += part * (sign * (price - base) - _cost(fixed, base, price))
        left -= part
    if left > NO_PORTION:
        price = opens.lines[(end + 1) * LINE + O_PRICE + 1 - side]
        total += left * (sign * (price - base) - _cost(fixed, base, price))
    return LOST if total < 0 else WON


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
def _cost(fixed: Fixed, base: float, price: float) -> float:
    """Return the commission of a contract that is bought and sold, by what moves its value by 1."""
    if fixed.is_by_price:
        return fixed.commission * (base + price)
    return 2.0 * fixed.commission / fixed.point_value


@rule
def check_results(lanes: F64_1D, places: U64_1D, links: PartLinks) -> None:
    """Compare what the position of each lane has brought with what was foretold, if it ends."""
    for lane in range(LANES):
        told = links.links[(int(places[AT + lane]) << LINK_BITS) + L_RESULT]
        total = lanes[CLOSED_PNL + lane] + lanes[PNL + lane]
        size = lanes[CLOSED_SIZE + lane] + abs(lanes[PNL + lane])
        is_left = lanes[CLOSING + lane] < lanes[STEPS + lane]
        is_told = (told != UNTOLD) & (not is_left)
        gain = -total if told == LOST else total
        is_wrong = is_told & (not gain > SUM_NOISE * size)
        lanes[IS_UNSURE + lane] = max(lanes[IS_UNSURE + lane], 1.0 if is_wrong else 0.0)
        lanes[CLOSED_PNL + lane] = total if is_left else 0.0
        lanes[CLOSED_SIZE + lane] = size if is_left else 0.0
