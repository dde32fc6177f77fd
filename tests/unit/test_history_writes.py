"""Writes that must not be: bars within others, corrections that are said to be done before."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from cluster.history import Correction, History, HistoryFault, Overlap
from engines.klines import DAY_MS, HOUR_MS
from engines.series import SeriesKey
from tests.unit.bars import NOW_MS, START_MS, STEP_MS, bars, same
from tests.unit.failing_disk import failing_at, full

KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP_MS)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(str(tmp_path / "history"), now_ms=lambda: NOW_MS)


@pytest.mark.parametrize(("step_ms", "stop"), [(DAY_MS, 10), (DAY_MS, 31), (7 * DAY_MS, 50)])
def test_long_bars_that_open_within_stored_ones_are_refused(
    history: History, step_ms: int, stop: int
) -> None:
    key = replace(KEY, interval_ms=step_ms)
    stored = bars(0, stop, step_ms=step_ms)
    history.write(key, stored)
    for first in (stop - 5, stop - 1):
        late = bars(first, stop + 20, step_ms=step_ms, shift_ms=8 * HOUR_MS)
        with pytest.raises(HistoryFault, match=r"open within one another, found 20.* and 20"):
            history.write(key, late)
        assert same(history.read(key), stored)
    # An hour is no other grid, since the days of some markets change by one; and bars that come
    # before stored ones are refused as those that come after.
    history.write(key, bars(stop + 1, stop + 2, step_ms=step_ms, shift_ms=HOUR_MS))
    with pytest.raises(HistoryFault, match="open within one another"):
        history.write(key, bars(stop, stop + 1, step_ms=step_ms, shift_ms=8 * HOUR_MS))


def test_a_month_fetched_anew_does_not_open_within_its_neighbours(history: History) -> None:
    key = replace(KEY, interval_ms=DAY_MS)
    history.write(key, bars(0, 80, step_ms=DAY_MS))
    (path,) = Path(history.shown).rglob("2025-02.parquet")
    path.write_bytes(b"damaged")
    with history.writing(key) as writer:
        with pytest.raises(HistoryFault, match="open within one another"):
            writer.replace_month("2025-02", bars(31, 59, step_ms=DAY_MS, shift_ms=8 * HOUR_MS))
        writer.replace_month("2025-02", bars(31, 59, step_ms=DAY_MS))
    assert same(history.read(key), bars(0, 80, step_ms=DAY_MS))


def test_rows_of_something_else_are_refused_and_leave_no_issue_each(tmp_path: Path) -> None:
    flagged = list[Correction]()
    history = History(
        str(tmp_path), now_ms=lambda: NOW_MS, flag=lambda _, found, *__: flagged.extend(found)
    )
    history.write(KEY, bars(0, 9000))
    other = bars(2000, 6000, high_at=dict.fromkeys(range(2000, 5000), 0.5))
    with pytest.raises(HistoryFault, match=r"found 3,000 of 4,000 others \(--correct puts them in"):
        history.write(KEY, other)
    assert flagged == []
    assert same(history.read(KEY), bars(0, 9000))
    # A few, and many of very many, are what a venue corrects.
    for wrong in (100, 1900):
        some = bars(2000, 6000, high_at=dict.fromkeys(range(2000, 2000 + wrong), 0.5))
        part = some if wrong > 100 else some.between(0, 100)
        assert history.write(KEY, part).corrected == wrong
    assert same(history.read(KEY), bars(0, 9000))
    history.write(KEY, other, Overlap.CORRECT)
    assert same(history.read(KEY).between(2000, 6000), other)


def test_a_correction_is_open_until_it_is_on_disk(tmp_path: Path) -> None:
    late = (100, 4000, 8000)  # in three months
    corrected = bars(0, 9000, high_at=dict.fromkeys(late, 0.5))
    became: dict[int, Overlap] = {}

    def flag(_: object, found: Sequence[Correction], overlap: Overlap, __: int) -> None:
        became.update(dict.fromkeys((each.time_ms for each in found), overlap))

    for failing in count():
        history = History(str(tmp_path / f"{failing}"), now_ms=lambda: NOW_MS, flag=flag)
        history.write(KEY, bars(0, 9000))
        became.clear()
        with failing_at(failing, full()) as step, suppress(HistoryFault):
            history.write(KEY, corrected, Overlap.CORRECT)
        stored = history.read(KEY)
        done = {START_MS + bar * STEP_MS for bar in late if stored.high[bar] == corrected.high[bar]}
        assert {time_ms for time_ms, what in became.items() if what is Overlap.CORRECT} <= done
        if len(step.taken) <= failing:
            break
    assert failing > 10
    assert set(became.values()) == {Overlap.CORRECT}
    assert len(became) == len(done) == len(late)
