"""Features that share their answers: what is remembered, how long, and what never is."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import engines.features
from engines.features._shared import Shelf, companion, shared, sharing
from engines.features.channels import bollinger
from engines.features.events import crossings, crossover, crossunder, rising
from engines.features.momentum import macd
from engines.features.moving_averages import dema, ema, sma
from engines.features.oscillators import rsi, stoch
from engines.types import F64_1D

ALONE = ("banks",)  # many periods at once, whose answers nobody asks for twice
PARTS = ["events.crossover", "events.crossunder"]  # of `crossings`, which is shared


def fixed(*values: float) -> F64_1D:
    """Return a column that cannot be written to."""
    column = np.array(values or range(100), dtype=np.float64)
    column.flags.writeable = False
    return column


def test_every_public_feature_is_shared() -> None:
    names = [module.name for module in pkgutil.iter_modules(engines.features.__path__)]
    alone = []
    for name in names:
        if name.startswith("_") or name in ALONE:
            continue
        module = importlib.import_module(f"engines.features.{name}")
        for title, item in inspect.getmembers(module, inspect.isfunction):
            is_own = item.__module__ == module.__name__ and not title.startswith("_")
            if is_own and not hasattr(item, "__wrapped__"):
                alone.append(f"{name}.{title}")
    assert alone == PARTS


def test_an_answer_is_the_same_object_and_the_same_values() -> None:
    close = fixed()
    with sharing(Shelf(100_000)):
        first = ema(close, 9)
        assert ema(close, 9) is first
        assert ema(close, period=9) is not first  # said otherwise, remembered apart
        assert bollinger(close).upper is bollinger(close).upper
        assert rsi(first, 5) is rsi(first, 5)  # a feature of a feature
    np.testing.assert_array_equal(first, ema(close, 9))


def test_crossings_are_found_once_for_both_ways() -> None:
    fast, slow = ema(fixed(), 3), ema(fixed(), 9)
    fast.flags.writeable = slow.flags.writeable = False
    with sharing(Shelf(100_000)):
        assert crossover(fast, slow) is crossings(fast, slow).over
        assert crossunder(fast, slow) is crossings(fast, slow).under


def test_a_columns_companion_is_made_once_it_is_asked_for_again_and_goes_for_want_of_room() -> None:
    close, other = fixed(), fixed(2.0, 3.0)
    made: list[int] = []

    def doubled(column: F64_1D) -> F64_1D:
        made.append(column.size)
        return column * 2.0

    assert companion(doubled, close) is None
    shelf = Shelf(close.nbytes)
    with sharing(shelf):
        assert companion(doubled, close) is None, "which may be read but once"
        first = companion(doubled, close)
        assert first is not None
        assert companion(doubled, close) is first
        assert shelf.bytes_held == close.nbytes
        assert companion(doubled, close.copy()) is None  # which may change
        companion(doubled, other)
        assert companion(doubled, close) is None
    assert made == [100]


def test_what_a_feature_asks_of_others_about_the_same_columns_is_shared() -> None:
    close = fixed(*np.sin(np.arange(200.0)))
    shelf = Shelf(100_000)
    with sharing(shelf):
        lines = macd(close, 3, 9, 5)
        assert macd(close, 3, 9, 7).macd is lines.macd
        assert ema(lines.macd, 5) is lines.signal
        held = shelf.bytes_held
        macd(close, 3, 11, 5)  # of which one average is known
        assert shelf.bytes_held - held == 6 * close.nbytes  # an average, the line, its three lines
    alone = macd(close, 3, 9, 5)
    for name in alone._fields:
        np.testing.assert_array_equal(getattr(alone, name), getattr(lines, name))


def test_what_a_feature_asks_about_columns_of_its_own_is_not_remembered() -> None:
    close = fixed(*np.sin(np.arange(200.0)))
    shelf = Shelf(100_000)
    with sharing(shelf):
        dema(close.copy(), 5)  # which may change, and so may all that is made of it
        assert shelf.bytes_held == 0
        stoch(close, close, close, 5)
        assert shelf.bytes_held == 3 * close.nbytes  # the highest, the lowest, where close is


def test_nothing_is_shared_unless_asked_for() -> None:
    close = fixed()
    with sharing(Shelf(100_000)):
        first = ema(close, 9)
    assert ema(close, 9) is not first
    assert ema(close, 9).flags.writeable
    with pytest.raises(ValueError, match="period"), sharing(Shelf(100_000)):
        ema(close, 0)
    assert ema(close, 9) is not ema(close, 9)


def test_a_column_that_can_change_is_read_each_time() -> None:
    close = fixed().copy()
    with sharing(Shelf(100_000)):
        first = sma(close, 3)
        close[:] = 7.0
        assert sma(close, 3)[-1] == 7.0
        assert first[-1] == 98.0


def test_equal_arguments_of_other_types_are_others() -> None:
    asked: list[object] = []

    @shared
    def told(source: F64_1D, value: object) -> F64_1D:
        asked.append(value)
        return source.copy()

    close = fixed()
    with sharing(Shelf(100_000)):
        for value in (1, 1.0, True, 1, [1], [1]):
            told(close, value)
    assert asked == [1, 1.0, True, [1], [1]]  # a list could change, so it is never remembered


def test_an_answer_that_is_shared_cannot_be_written_to() -> None:
    with sharing(Shelf(100_000)), pytest.raises(ValueError, match="read-only"):
        ema(fixed(), 9)[0] = 1.0


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    close = fixed()
    shelf = Shelf(2 * close.nbytes)
    with sharing(shelf):
        old, kept = ema(close, 2), ema(close, 3)
        assert ema(close, 2) is old
        ema(close, 4)
        assert ema(close, 2) is old
        assert ema(close, 3) is not kept
    assert shelf.bytes_held == shelf.bytes_max


def test_events_leave_the_room_of_numbers_alone() -> None:
    close = fixed()
    shelf = Shelf(2 * close.nbytes)
    with sharing(shelf):
        kept = ema(close, 2), ema(close, 3)
        first = rising(close, 1)
        events = [rising(close, period) for period in range(2, 20)]
        assert all(is_event.dtype == np.bool_ for is_event in events)
        assert rising(close, 1) is not first
        assert ema(close, 2) is kept[0]
        assert ema(close, 3) is kept[1]


def test_an_answer_larger_than_the_room_is_not_remembered() -> None:
    close = fixed()
    shelf = Shelf(close.nbytes - 1)
    with sharing(shelf):
        assert ema(close, 2) is not ema(close, 2)
    assert shelf.bytes_held == 0
