"""Plans whose positions close in parts: what sets share of them, and their exits found."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from engines.kernels import slots
from engines.kernels.chains.columns import I32_1D, Opens, on_cache_lines
from engines.kernels.columns import F64_2D
from engines.kernels.parts.columns import CLOSE, Foretold, PartExits, Portions
from engines.kernels.parts.drivers import find_part_exits
from engines.kernels.parts.known_closes import Asked, KnownCloses
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.lanes import LANES
from engines.types import F64_1D


def portions_of(terms: F64_1D) -> Portions:
    """Return how a plan divides its entries; a plan without targets has none."""
    count = int(terms[slots.TARGETS])
    own = [0.0, 0.0, 0.0]
    for place in range(count - 1):
        own[place] = float(terms[slots.PORTIONS + place])
    return Portions(count, own[0], own[1], own[2])


@contextmanager
def part_exits_of(
    opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, rows: list[F64_1D],
    known: KnownCloses, fixed: Fixed | None, ways: bool, places: I32_1D, asked: Asked, count: int,
) -> Iterator[PartExits]:  # fmt: skip # the market, then the plans and what each is asked
    """Return how the levels of plans, by their terms, close the entries that each is asked for.

    `places` are those of all `count` entries. What `fixed` charges tells of results, None: none do.
    Stacks ask for the `ways` of closes.
    """
    make = partial(part_exits, places, count, len(rows), portions_of(rows[0]), fixed)
    with known.lent(rows, (fixed, ways), asked, make) as found:
        exits, least = found.exits._replace(places=places), found.least
        for row, (terms, (own, last)) in enumerate(zip(rows, asked, strict=True)):
            find_part_exits(
                opens, prices, slip_ratio, atr, terms, own, last, exits, row, least, ways
            )  # fmt: skip # one call
        yield exits


def part_room(entries: int, portions: Portions, fixed: Fixed | None) -> PartExits:
    """Return room for the closes of so many entries of each lane's own, as `part_exits`."""
    return part_exits(np.empty(0, np.int32), entries, LANES, portions, fixed)


def part_exits(
    places: I32_1D, entries: int, times: int, portions: Portions, fixed: Fixed | None = None
) -> PartExits:
    """Return room for the closes of so many entries, each so many times.

    There is room for what tells of results if somebody asks, who then says what a fill costs.
    """
    count, parts = max(1, entries * times), portions.targets
    foretold = Foretold(np.empty(0), portions, 0.0, 0.0)
    if fixed is not None:
        by_price = fixed.commission if fixed.is_by_price else 0.0
        by_contract = 0.0 if fixed.is_by_price else fixed.commission / fixed.point_value
        foretold = Foretold(np.empty(count * (parts + 1)), portions, by_price, by_contract)
    return PartExits(
        places, np.empty(count, np.int32), np.empty(count * parts, np.int32),
        on_cache_lines(count * parts * CLOSE), entries, parts, foretold,
    )  # fmt: skip # the order of its fields
