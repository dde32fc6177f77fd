"""The order in which strategies are asked: every one once, neighbours in tiles."""

from dataclasses import dataclass, field
from itertools import product

from engines.kernels.ordering import TILE, in_tiles


@dataclass(frozen=True)
class Pair:
    """Two parameters, one that never changes, and perhaps one that cannot be told apart."""

    fast: int
    slow: object
    kind: str = "cross"
    others: list[int] | None = field(default=None)


def test_a_grid_is_asked_in_tiles_and_in_its_own_order_within_them() -> None:
    grid = [Pair(fast, slow) for fast, slow in product(range(2 * TILE), range(3 * TILE))]
    order = in_tiles(grid)
    assert sorted(order) == list(range(len(grid)))
    first = [grid[place] for place in order[: TILE * TILE]]
    assert first == [Pair(fast, slow) for fast, slow in product(range(TILE), range(TILE))]
    for start in range(0, len(order), TILE * TILE):
        tile = [grid[place] for place in order[start : start + TILE * TILE]]
        assert len({own.fast for own in tile}) == TILE
        assert len({own.slow for own in tile}) == TILE


def test_values_without_an_order_are_ranked_as_they_come() -> None:
    grid = [Pair(fast, slow) for fast, slow in product((9, 5), (None, "b", 3.0, "a"))]
    assert in_tiles(grid) == list(range(len(grid)))


def test_what_lies_on_no_axes_is_asked_as_it_comes() -> None:
    assert in_tiles([]) == []
    assert in_tiles([object(), Pair(1, 2)]) == [0, 1]
    assert in_tiles([object(), object()]) == [0, 1]
    assert in_tiles([Pair(1, 2), Pair(1, 2)]) == [0, 1]
    assert in_tiles([Pair(place, 2, others=[1]) for place in (2, 1)]) == [0, 1]
