"""Whatever is written to a history in whatever order, and wherever it fails: readers see bars."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.history import History, HistoryFault, Overlap
from cluster.month_files import month_of
from engines.klines import Klines
from engines.series import SeriesKey
from tests.unit.bars import NOW_MS, START_MS, STEP_MS, bars, same
from tests.unit.failing_disk import Killed, failing_at, full

STEP = 24 * STEP_MS  # bars of six hours: a month has some 120
KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP)
LAST = 500  # more than four months


@dataclass(frozen=True)
class Write:
    """Bars that are offered, some with another high than all others give them."""

    first: int
    stop: int
    raised: frozenset[int]
    overlap: Overlap
    failing: int | None = None
    is_killed: bool = False

    @property
    def klines(self) -> Klines:
        """Return the bars."""
        return bars(self.first, self.stop, step_ms=STEP, high_at=dict.fromkeys(self.raised, 0.5))


@st.composite
def writes(draw: st.DrawFn, *, may_fail: bool = False) -> Write:
    first = draw(st.integers(0, LAST - 1))
    stop = draw(st.integers(first + 1, min(LAST, first + 260)))
    raised = draw(st.frozensets(st.integers(0, LAST - 1), max_size=6))
    overlap = draw(st.sampled_from(Overlap))
    failing = draw(st.none() | st.integers(0, 30)) if may_fail else None
    return Write(first, stop, raised, overlap, failing, draw(st.booleans()))


@contextmanager
def fresh() -> Iterator[History]:
    folder = tempfile.mkdtemp(prefix="phalanx-history-")
    try:
        yield History(folder, now_ms=lambda: NOW_MS, flag=lambda *_: None)
    finally:
        shutil.rmtree(folder)


Model = dict[int, bool]  # bar -> whether its high is the raised one


def applied(model: Model, write: Write) -> Model:
    """Return what must be stored after a write: the first values, or the last where corrected."""
    offered = {bar: bar in write.raised for bar in range(write.first, write.stop)}
    if write.overlap is Overlap.CORRECT:
        return model | offered
    return offered | model


def stored(history: History) -> Model:
    """Return what is stored, every value proven to be one that was offered."""
    if history.span(KEY) is None:
        return {}
    found = history.read(KEY)
    numbers = ((found.open_time_ms - START_MS) // STEP).tolist()
    plain = bars(0, LAST, step_ms=STEP)
    model = {}
    for row, bar in enumerate(numbers):
        assert found.close[row] == plain.close[bar]
        assert found.volume[row] == plain.volume[bar]
        gain = found.high[row] - plain.high[bar]
        assert gain == 0 or abs(gain - 0.5) < 1e-9
        model[bar] = bool(gain)
    assert [gap.bars_missing for gap in history.gaps(KEY)] == [
        b - a - 1 for a, b in pairwise(numbers) if b > a + 1
    ]
    return model


def months(model: Model) -> dict[str, Model]:
    parts: dict[str, Model] = {}
    for bar, is_raised in model.items():
        parts.setdefault(month_of(START_MS + bar * STEP), {})[bar] = is_raised
    return parts


@settings(max_examples=25)
@given(st.lists(writes(), min_size=1, max_size=8))
def test_any_order_of_writes_gives_the_first_values_or_the_accepted_ones(
    sequence: list[Write],
) -> None:
    model: Model = {}
    with fresh() as history:
        for write in sequence:
            offered = range(write.first, write.stop)
            known = [bar for bar in offered if bar in model]
            other = [bar for bar in known if model[bar] != (bar in write.raised)]
            result = history.write(KEY, write.klines, write.overlap)
            assert result.added == len(offered) - len(known)
            assert result.equal == len(known) - len(other)
            assert [found.time_ms for found in result.corrections] == [
                START_MS + bar * STEP for bar in other
            ]
            model = applied(model, write)
            assert stored(history) == model


def fails(history: History, write: Write) -> bool:
    """Write, and return whether that failed as it was meant to."""
    try:
        with failing_at(write.failing, Killed() if write.is_killed else full()):
            history.write(KEY, write.klines, write.overlap)
    except (Killed, HistoryFault) as error:
        return isinstance(error, Killed) or "No space left" in str(error)
    return False


@settings(max_examples=40)
@given(st.lists(writes(may_fail=True), min_size=1, max_size=6))
def test_a_write_that_fails_anywhere_leaves_each_month_as_before_or_after(
    sequence: list[Write],
) -> None:
    model: Model = {}
    with fresh() as history:
        for write in sequence:
            wanted = applied(model, write)
            has_failed = fails(history, write)
            found = stored(history)
            if not has_failed:
                assert found == wanted
            before, after, there = months(model), months(wanted), months(found)
            changed = [month for month in sorted(after) if before.get(month) != after[month]]
            written = [there.get(month) == after[month] for month in changed]
            # The earliest months first, so that what is missing is never in the middle.
            assert written == sorted(written, reverse=True) or not has_failed
            for month in after:
                assert there.get(month, {}) in (before.get(month, {}), after[month])
            # Whoever comes after a failure writes the same again, and all is well.
            history.write(KEY, write.klines, write.overlap)
            model = wanted
            assert stored(history) == model
            assert not history.broken(KEY)


def test_every_step_of_a_write_is_one_that_may_fail() -> None:
    first, write = bars(0, 3, step_ms=STEP), Write(0, LAST, frozenset(), Overlap.KEEP)
    with fresh() as history:
        history.write(KEY, first)
        with failing_at(None, full()) as step:
            history.write(KEY, write.klines)
    assert set(step.taken) == {"mkdir", "open", "write", "flush", "fsync", "replace"}
    for failing in range(len(step.taken)):
        for error in (full(), Killed()):
            with fresh() as history:
                history.write(KEY, first)
                with pytest.raises((HistoryFault, Killed)), failing_at(failing, error):
                    history.write(KEY, write.klines)
                found = history.read(KEY)
                assert same(found, bars(0, len(found), step_ms=STEP))
                history.write(KEY, first)
                assert not list(Path(history.shown).rglob("*.part"))


@settings(max_examples=20)
@given(st.integers(0, LAST), st.integers(0, 40), st.booleans())
def test_a_trim_that_fails_anywhere_has_taken_only_the_oldest(
    kept_from: int, failing: int, is_killed: bool
) -> None:
    with fresh() as history:
        history.write(KEY, bars(0, LAST, step_ms=STEP))
        before_ms = START_MS + kept_from * STEP
        error = Killed() if is_killed else full()
        with (
            suppress(Killed, HistoryFault),
            failing_at(failing, error),
            history.writing(KEY) as writer,
        ):
            writer.trim(before_ms)
        left = history.span(KEY)
        first = LAST if left is None else (left[0] - START_MS) // STEP
        assert first <= kept_from
        assert left is None or same(history.read(KEY), bars(first, LAST, step_ms=STEP))
        with history.writing(KEY) as writer:
            assert writer.trim(before_ms) == kept_from - first
