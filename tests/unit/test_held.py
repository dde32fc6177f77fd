"""What compiled code holds: tuples by their address, rows by their first number."""

from typing import NamedTuple

import numpy as np
import pytest
from numba.core.errors import TypingError

from engines.kernels._compiled import driver, rule, shared
from engines.kernels._held import held
from engines.kernels.columns import F64_2D, Run
from engines.types import F64_1D, I64_1D


class Shop(NamedTuple):
    """Columns of several kinds, and a number."""

    prices: F64_1D
    counts: I64_1D
    rate: float


SHOP = Shop(np.array([0.1, 2.5, -3.0]), np.array([4, 0, 2]), 1.5)


@rule
def sell(run: Run, shop: Shop) -> None:
    """Read and write by places and names, whatever was given."""
    for place in range(len(run)):
        run[place] += shop.prices[place] * shop.counts[place] * shop.rate
        run[place] -= shop.counts[place] > 1
    run[0] = len(shop.prices)


sell_uncounted = shared(sell)


def _sell_passed(rows: F64_2D, shop: Shop) -> None:
    for place in range(len(rows)):
        sell(rows[place], shop)


def _sell_held(rows: F64_2D, shop: Shop) -> None:
    for place in range(len(rows)):
        sell(held(rows[place]), held(shop))


def _sell_uncounted(rows: F64_2D, shop: Shop) -> None:
    for place in range(len(rows)):
        sell_uncounted(held(rows[place]), held(shop))


def _steal(shop: Shop) -> float:
    return float(held(shop).stolen)  # type: ignore[attr-defined] # which is the point


def _hold_apart(rows: F64_2D) -> float:
    return float(held(rows[:, 0])[0])


def test_a_rule_reads_and_writes_what_is_held_as_what_is_passed() -> None:
    rows = np.array([[1.0, 2.0, 3.0], [-1.0, 0.0, 1e300]])
    passed, own, uncounted = rows.copy(), rows.copy(), rows.copy()
    driver(_sell_passed)(passed, SHOP)
    driver(_sell_held)(own, SHOP)
    driver(_sell_uncounted)(uncounted, SHOP)
    np.testing.assert_array_equal(own, passed)
    np.testing.assert_array_equal(uncounted, passed)
    assert passed[0].tolist() == [3.0, 2.0, 3.0 - 9.0 - 1.0]
    assert SHOP.prices.tolist() == [0.1, 2.5, -3.0]  # nobody has let go of what was held


def test_a_held_tuple_has_no_members_but_those_of_the_tuple() -> None:
    with pytest.raises(TypingError, match="stolen"):
        driver(_steal)(SHOP)


def test_numbers_that_lie_apart_cannot_be_held_as_a_row() -> None:
    with pytest.raises(TypingError, match="_hold"):
        driver(_hold_apart)(np.ones((2, 2)))
