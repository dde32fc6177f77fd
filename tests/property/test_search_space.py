"""Numbering, tiles and samples cover a space exactly once and cost nothing, whatever its size."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import ParameterFault
from engines.search import sampling
from engines.search.grid import Axis
from engines.search.sampling import Sample
from engines.search.space import Space, Tiling, swept_names

LENGTHS = st.lists(st.integers(1, 5), max_size=3)


def axes(lengths: list[int], prefix: str) -> list[Axis]:
    return [Axis(f"{prefix}{i}", tuple(range(length))) for i, length in enumerate(lengths)]


def space_of(strategy: list[int], plan: list[int]) -> Space:
    return Space.of(axes(strategy, "s"), axes(plan, "p"))


@given(LENGTHS, LENGTHS)
def test_numbers_and_points_are_one_to_one_with_the_plan_turning_fastest(
    strategy: list[int], plan: list[int]
) -> None:
    space = space_of(strategy, plan)
    points = [tuple(space.values_at(number).values()) for number in range(len(space))]
    assert points == list(itertools.product(*(range(n) for n in (*strategy, *plan))))
    for number in range(len(space)):
        s, q = space.split(number)
        assert s * space.plans.size + q == number
        assert space.strategies.index_of(space.strategies.values_at(s)) == s


@given(LENGTHS, LENGTHS, st.integers(1, 40), st.integers(1, 40))
def test_tiles_hold_each_set_once_and_stay_within_their_limits(
    strategy: list[int], plan: list[int], sets_max: int, plans_max: int
) -> None:
    space = space_of(strategy, plan)
    tiling = Tiling.of(space, sets_max, plans_max)
    found = []
    for number in range(len(tiling)):
        tile = tiling[number]
        assert 0 < len(tile.plans) <= plans_max
        assert len(tile) <= max(sets_max, 1)
        found += [s * space.plans.size + q for s in tile.strategies for q in tile.plans]
    assert sorted(found) == list(range(len(space)))


@given(LENGTHS, st.integers(1, 200))
def test_a_run_of_plans_keeps_the_fastest_axes_whole(plan: list[int], length_max: int) -> None:
    numbering = space_of([], plan).plans
    run = numbering.whole_run(length_max)
    assert 1 <= run <= length_max
    inner = 1
    for axis in reversed(numbering.axes):
        if run % (inner * len(axis.values)):
            break
        inner *= len(axis.values)
    assert run % inner == 0
    assert inner == numbering.size or run < inner * 5


@given(st.integers(1, 5000), st.integers(0, 2**63), st.data())
def test_a_sample_has_no_repeats_and_its_parts_make_the_whole(
    size: int, seed: int, draws: st.DataObject
) -> None:
    count = draws.draw(st.integers(1, size))
    cut = draws.draw(st.integers(0, count))
    sample = Sample(size, count, seed)
    whole = sample.points(0, count)
    assert len(np.unique(whole)) == count
    assert whole.min() >= 0
    assert whole.max() < size
    np.testing.assert_array_equal(np.r_[sample.points(0, cut), sample.points(cut, count)], whole)


@given(st.integers(1, 300), st.integers(1, 90), st.data())
def test_a_sorted_sample_has_the_same_points_run_by_run(
    count: int, run: int, draws: st.DataObject
) -> None:
    cut = draws.draw(st.integers(0, count))
    sample = Sample(1_000, count, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "RUN", run)
        sampling._sorted_run.cache_clear()
        found = np.r_[sample.sorted_points(0, cut), sample.sorted_points(cut, count)]
        sampling._sorted_run.cache_clear()
    runs = [sample.points(at, min(at + run, count)) for at in range(0, count, run)]
    np.testing.assert_array_equal(found, np.concatenate([np.sort(own) for own in runs]))


def test_samples_are_spread_evenly_and_follow_from_the_seed() -> None:
    points = Sample(1_000_003, 100_000, 7).points(0, 100_000)
    counts = np.histogram(points, bins=20, range=(0, 1_000_003))[0]
    # 5,000 a bin with a standard deviation of 65.
    assert np.abs(counts - 5000).max() < 5 * 65
    assert np.abs(np.corrcoef(points[1:], points[:-1])[0, 1]) < 0.02
    assert (points != Sample(1_000_003, 100_000, 8).points(0, 100_000)).mean() > 0.99


def test_a_billion_points_are_numbered_cut_and_sampled_without_memory() -> None:
    tracemalloc.start()
    space = space_of([1000, 1000], [10, 100])
    assert len(space) == 10**9
    tiling = Tiling.of(space, 50_000, 4096)
    assert len(tiling) == 20_000
    last = tiling[len(tiling) - 1]
    assert (last.strategies[-1], last.plans[-1]) == (999_999, 999)
    assert space.values_at(10**9 - 1) == {"s0": 999, "s1": 999, "p0": 9, "p1": 99}
    Sample(10**9, 10**9, 1).points(10**9 - 5, 10**9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_space_beyond_a_number_is_refused_and_fingerprints_tell_spaces_apart() -> None:
    with pytest.raises(ParameterFault, match="at most"):
        space_of([1000] * 4, [1000] * 3)
    prints = {space_of(s, p).fingerprint for s, p in (([2, 3], []), ([3, 2], []), ([2], [3]))}
    assert len(prints) == 3


def test_a_swept_name_that_a_column_already_has_gets_a_prefix() -> None:
    found = swept_names(axes([1, 1], "s"), ("s1", "trades"), "strategy")
    assert found == ["s0", "strategy.s1"]
