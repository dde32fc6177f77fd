"""What the signal strategies share, by hand: decisions, stops, targets, the bar before."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engines.errors import StrategyFault
from engines.features._shared import Shelf, sharing
from engines.klines import Klines
from engines.signals import RangeBracket, Signals
from engines.synthetic import synthetic_klines
from strategies.ema_crossover import EmaCrossover
from strategies.levels import Decisions, atr_bracketed, decisions, newly, previous

BARS = 5


def klines(close: list[float], reach: float = 1.0) -> Klines:
    """Return bars that open at their close and reach as far up as down."""
    prices = np.array(close)
    return Klines(
        symbol="HAND",
        interval_ms=60_000,
        open_time_ms=60_000 * np.arange(len(close), dtype=np.int64),
        open=prices,
        high=prices + reach,
        low=prices - reach,
        close=prices,
        volume=np.ones(len(close)),
    )


def test_the_bar_before_the_first_is_undefined() -> None:
    source = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(previous(source), [np.nan, 1.0, 2.0])
    np.testing.assert_array_equal(previous(source, 5), [np.nan] * 3)


def test_a_condition_is_new_only_on_its_first_bar() -> None:
    condition = np.array([True, True, False, True, True])
    assert newly(condition).tolist() == [False, False, False, True, False]
    assert condition.tolist() == [True, True, False, True, True]


def on_sides(*sides: int) -> Decisions:
    """Return decisions to enter long where the number is above zero, short where it is below."""
    return decisions(np.array(sides) > 0, np.array(sides) < 0)


def test_a_bar_that_asks_for_both_sides_asks_for_neither() -> None:
    up, down = np.array([True, True, False, False]), np.array([True, False, True, False])
    decided = decisions(up, down, leave_short=up)
    assert decided.enter_long.tolist() == [False, True, False, False]
    assert decided.enter_short.tolist() == [False, False, True, False]
    assert not decided.leave_long.any()
    assert decided.leave_short is up


def test_stops_lie_so_many_ranges_on_the_losing_side() -> None:
    bars = klines([100.0] * BARS, reach=1.0)  # Every true range is 2.
    wishes = atr_bracketed(bars, on_sides(1, 1, -1, 0, 1), 2, 1.5, reward_ratio=2.0).priced()
    assert wishes.stop_price is not None
    assert wishes.target_price is not None
    np.testing.assert_allclose(wishes.stop_price, [np.nan, 97.0, 103.0, np.nan, 97.0])
    np.testing.assert_allclose(wishes.target_price, [np.nan, 106.0, 94.0, np.nan, 106.0])
    assert wishes.entry_long.tolist() == [False, True, False, False, True]
    assert wishes.entry_short.tolist() == [False, False, True, False, False]


def test_stops_lie_no_nearer_than_the_edges_that_a_strategy_gives() -> None:
    bars = klines([100.0] * BARS, reach=1.0)  # Every true range is 2.
    edges = (
        np.array([90.0, 97.0, 99.0, 96.0, np.nan]),
        np.array([110.0, 103.0, 101.0, 105.0, 104.0]),
    )
    wishes = atr_bracketed(bars, on_sides(1, 1, 1, -1, 1), 2, 1.0, 2.0, edges).priced()
    assert wishes.stop_price is not None
    assert wishes.target_price is not None
    # On bar 0 the range is not known, on bar 4 the edge.
    np.testing.assert_allclose(wishes.stop_price, [np.nan, 97.0, 98.0, 105.0, np.nan])
    np.testing.assert_allclose(wishes.target_price, [np.nan, 106.0, 104.0, 90.0, np.nan])
    assert wishes.entry_long.tolist() == [False, True, True, False, False]
    with pytest.raises(StrategyFault, match="bottom and top"):
        RangeBracket(bars.close, np.ones(BARS), 1.0, 2.0, bottom=edges[0])


def test_a_wish_whose_stop_is_undefined_or_not_behind_the_close_is_passed_over() -> None:
    bars = klines([100.0] * BARS, reach=0.0)  # Every true range is 0, but the first is not known.
    wishes = atr_bracketed(bars, on_sides(1, 1, -1, 0, 1), 2, 1.5, None)
    assert not (wishes.entry_long | wishes.entry_short).any()
    edges = np.array([90.0, 100.0, 99.0, 99.0, 99.0]), np.array([100.0] * BARS)
    wishes = atr_bracketed(bars, on_sides(1, 1, -1, 1, 1), 2, 1.5, None, edges)
    assert wishes.entry_long.tolist() == [False, False, False, True, True]
    assert not wishes.entry_short.any()


def test_sets_that_differ_in_their_levels_alone_share_what_they_decide() -> None:
    bars = synthetic_klines(500, 900_000, seed=1)
    some = [
        EmaCrossover(atr_multiplier=by, reward_ratio=far) for by in (1.0, 2.0) for far in (2.0, 3.0)
    ]
    with sharing(Shelf(10_000_000)):
        columns = [own.signals(bars).exit_long for own in some]
    assert all(column is columns[0] for column in columns)
    assert EmaCrossover().signals(bars).exit_long is not columns[0]


def test_levels_are_a_rule_or_columns_but_not_both() -> None:
    bars = klines([100.0] * BARS)
    wishes = atr_bracketed(bars, on_sides(1, 1, -1, 0, 1), 2, 1.5, reward_ratio=None)
    assert wishes.stop_price is None
    assert not wishes.have_no_levels
    assert wishes.without_levels().have_no_levels
    priced = wishes.priced()
    assert priced.priced() is priced
    assert priced.bracket is None
    assert priced.target_price is None
    with pytest.raises(StrategyFault, match="stop_price"):
        replace(wishes, stop_price=np.zeros(BARS))


def test_a_bracket_has_a_range_for_each_bar() -> None:
    bars = klines([100.0] * BARS)
    enters, never = np.ones(BARS, np.bool_), np.zeros(BARS, np.bool_)
    short = RangeBracket(bars.close, np.ones(BARS - 1), 1.0, 2.0)
    with pytest.raises(StrategyFault, match="ranges"):
        Signals(enters, never, never, never, bracket=short)


@pytest.mark.parametrize(("multiplier", "ratio"), [(None, 2.0), ("wide", 2.0), (1.5, "far")])
def test_a_bracket_of_no_numbers_is_the_strategys_fault(multiplier: Any, ratio: Any) -> None:
    bars = klines([100.0] * BARS)
    with pytest.raises(StrategyFault, match=r"signal bracket's (multiplier|reward_ratio)"):
        RangeBracket(bars.close, np.ones(BARS), multiplier, ratio)


def test_a_bracket_takes_what_counts_as_a_number() -> None:
    bars = klines([100.0] * BARS)
    bracket = RangeBracket(bars.close, np.ones(BARS), 1, 2)
    assert isinstance(bracket.multiplier, float)
    assert isinstance(bracket.reward_ratio, float)
