"""How far along the way of its bar each close is met, for whoever holds more than one entry.

Theory. Of what closes in one bar that goes first which the price comes to first. So a *way* is the
price that meets a close, negative where the price falls: on one part of a bar's way the lower comes
first.
"""

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import AT_LEVEL, MODE_MASK, ON_THE_WAY, Opens
from engines.kernels.columns import F64_2D
from engines.kernels.parts.columns import C_LOW, C_WAY, CLOSE, CODE_BITS, PartExits
from engines.kernels.parts.levels import MET_AT, SIGN
from engines.kernels.slots import HIGH, LOW, OPEN
from engines.types import F64_1D


@rule
def way_at(prices: F64_2D, bar: int, part: int, price: float) -> float:
    """Return the way of what is met at a price on some part of a bar's."""
    opened = prices[bar, OPEN]
    is_high_first = prices[bar, HIGH] - opened < opened - prices[bar, LOW]
    return float(price if is_high_first == (part != 1) else -price)


@rule
def note_ways(
    run: F64_1D, opens: Opens, prices: F64_2D, exits: PartExits, place: int
) -> None:  # fmt: skip # what it reads, then where it writes
    """Write the ways of an entry's closes, which have just been listed, and the lowest prices."""
    sign = run[SIGN]
    for part in range(exits.parts):
        found = place * exits.parts + part
        code = int(exits.codes[found])
        bar, mode, met = (code >> CODE_BITS) - opens.lag, code & MODE_MASK, run[MET_AT + part]
        if bar >= opens.bars:
            return
        way, low = sign * met, met
        if mode != AT_LEVEL:
            way = way_at(prices, bar, mode - ON_THE_WAY, sign * met)
            low = min(met, _lowest_before(prices, bar, mode - ON_THE_WAY, sign))
        exits.closes[found * CLOSE + C_WAY], exits.closes[found * CLOSE + C_LOW] = way, low


@rule
def _lowest_before(prices: F64_2D, bar: int, parts: int, sign: float) -> float:
    """Return the lowest signed price of the first parts of a bar's way."""
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_high_first, lowest = high - opened < opened - low, sign * opened
    for part in range(parts):
        lowest = min(lowest, sign * (high if (part == 0) == is_high_first else low))
    return float(lowest)
