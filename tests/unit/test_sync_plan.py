"""What a sync asks for: exactly the missing bars and a few stored ones, by months and pages."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cluster.month_files import month_of
from cluster.sync_plan import OVERLAP_BARS, Range, funding_gaps, plan_parts, united, without
from engines.klines import DAY_MS, HOUR_MS

START = 1_735_689_600_000
PAGE_BARS = 50
RANGES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2000)), max_size=6)


def hours(ranges: list[tuple[int, int]]) -> list[Range]:
    """Return ranges of bar numbers as ranges of times."""
    return [(START + since * HOUR_MS, START + until * HOUR_MS) for since, until in ranges]


def opens(ranges: list[Range]) -> set[int]:
    """Return the opens of hourly bars that lie in ranges."""
    return {at for since_ms, until_ms in ranges for at in range(since_ms, until_ms, HOUR_MS)}


@given(RANGES, RANGES)
def test_what_is_taken_away_is_gone_and_the_rest_is_there(
    ranges: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    left = without(hours(ranges), hours(taken))
    assert opens(left) == opens(hours(ranges)) - opens(hours(taken))
    assert left == united(left)
    assert all(one[1] < other[0] for one, other in pairwise(left))


@given(RANGES, RANGES, st.none() | st.integers(100, 2000))
def test_the_pages_are_what_is_missing_and_the_newest_stored_bars(
    missing: list[tuple[int, int]], absent: list[tuple[int, int]], last: int | None
) -> None:
    last_ms = None if last is None else START + last * HOUR_MS
    parts = plan_parts(hours(missing), hours(absent), last_ms, HOUR_MS, PAGE_BARS)
    pages = [page for part in parts for page in part.pages]
    expected = opens(hours(missing)) - opens(hours(absent))
    if last_ms is not None:
        expected |= {last_ms - back * HOUR_MS for back in range(OVERLAP_BARS)}
    assert opens(pages) == expected
    assert pages == sorted(pages)
    assert sum(part.span_ms for part in parts) == len(expected) * HOUR_MS, "none twice"
    assert all(until_ms - since_ms <= PAGE_BARS * HOUR_MS for since_ms, until_ms in pages)
    months = [{month_of(at) for page in part.pages for at in opens([page])} for part in parts]
    assert all(len(month) == 1 for month in months)
    assert len(set.union(set(), *months)) == len(parts), "each month once"


def test_settlements_are_missing_where_more_than_eight_hours_lie_between() -> None:
    step = 8 * HOUR_MS
    times = [START + at * step for at in (0, 1, 4, 5)] + [START + 5 * step + HOUR_MS]
    assert funding_gaps(times, START - step, times[-1] + step) == [
        (START - step, START),
        (times[1] + 1, times[2]),
    ]
    assert funding_gaps(times[:2], START - step + 1, times[1] + step + 1) == [
        (times[1] + 1, times[1] + step + 1)
    ]
    assert funding_gaps([], START, START + step) == [(START, START + step)]


def test_nothing_missing_asks_for_the_newest_stored_bars_alone() -> None:
    last_ms = START + 20 * DAY_MS
    (part,) = plan_parts([], [], last_ms, HOUR_MS, 1000)
    assert part.pages == ((last_ms - 11 * HOUR_MS, last_ms + HOUR_MS),)


def test_a_tail_and_its_overlap_are_one_page() -> None:
    last_ms = START + 20 * DAY_MS
    missing = [(last_ms + HOUR_MS, last_ms + 6 * HOUR_MS)]
    (part,) = plan_parts(missing, [], last_ms, HOUR_MS, 1000)
    assert part.pages == ((last_ms - 11 * HOUR_MS, last_ms + 6 * HOUR_MS),)
