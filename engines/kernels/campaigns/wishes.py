"""The wishes of a set as a campaign reads them: which matter to it, and where the next is."""

from engines.kernels._compiled import rule
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import I32_1D, LINE, WISH_BITS
from engines.kernels.slots import (
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
)
from engines.types import F64_1D


@rule
def side_of(wish: int) -> float:
    """Return the side of an entry wish."""
    return 1.0 if wish & ENTERS_LONG != 0 else -1.0


@rule
def closing(side: float) -> int:
    """Return which wishes may close a position of a side."""
    return ENDS | (LEAVES_LONG | ENTERS_SHORT if side > 0 else LEAVES_SHORT | ENTERS_LONG)


@rule
def find_wish(wishes: I32_1D, place: int, matters: int, timed: int) -> tuple[int, int]:
    """Return the place of the first wish that matters or is not before `timed`, and that wish."""
    wish = 0
    while place < len(wishes):
        wish = int(wishes[place])
        if wish & matters != 0 or wish >> WISH_BITS >= timed:
            break
        place += 1
    return place, wish


@rule
def fetch_wishes(lines: F64_1D, wishes: I32_1D, first: int) -> None:
    """Ask for the lines of the fills of two wishes, at which the next position may begin."""
    for place in range(first, min(first + 2, len(wishes))):
        prefetch(lines, ((int(wishes[place]) >> WISH_BITS) + 1) * LINE)


@rule
def place_from(wishes: I32_1D, place: int, bar: int) -> int:
    """Return the first place from `place` on whose wish is not before `bar`."""
    while place < len(wishes) and int(wishes[place]) >> WISH_BITS < bar:
        place += 1
    return place
