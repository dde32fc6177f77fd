"""How much of each stretch of time is stored."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engines.coverage import coverage


def test_whole_half_and_empty_stretches_are_told_apart() -> None:
    times = np.array([0, 10, 20, 30, 70, 80], dtype=np.int64)
    edges = np.array([0, 20, 40, 60, 80, 100], dtype=np.int64)
    assert coverage(times, 10, edges).tolist() == [1.0, 1.0, 0.0, 0.5, 0.5]


@given(
    st.sets(st.integers(0, 60), min_size=1),
    st.sets(st.integers(0, 700), min_size=2, max_size=9),
)
def test_the_parts_are_those_of_counting_each_millisecond(bars: set[int], cuts: set[int]) -> None:
    step = 10
    times = np.array(sorted(bars), dtype=np.int64) * step
    edges = np.array(sorted(cuts), dtype=np.int64)
    covered = np.isin(np.arange(700) // step, sorted(bars))
    wanted = [covered[a:b].mean() for a, b in itertools.pairwise(edges)]
    assert np.allclose(coverage(times, step, edges), wanted)
