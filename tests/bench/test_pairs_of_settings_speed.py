"""Settings of a plan two by two: what a sample of all pairs takes.

A plan of any kind is to take 400 us of processor time a set at most. Each setting by itself is
timed in `test_each_setting_speed`; here they are put together, beside a stop of 1 to 3 %. A sample
of the pairs that make a valid plan, drawn with a seed, is run, 10,240 sets of each. Which pairs go
by the machine is asked in tests/property (`test_pairs_equal_reference`).
"""

import random
from functools import partial

import numpy as np
import pytest

from tests.bench.grids import Case, run_and_print
from tests.bench.test_any_plan_speed import MANY, REVERSIONS
from tests.settings import pairs, with_stop

pytestmark = pytest.mark.bench

SAMPLE, SEED, LIMIT_US = 60, 5, 400.0


def test_a_sample_of_pairs_takes_this_long() -> None:
    sample = random.Random(SEED).sample(sorted(pairs()), SAMPLE)
    taken = [
        run_and_print(name, Case(REVERSIONS, partial(with_stop, pairs()[name]), MANY), MANY)
        for name in sample
    ]
    tenths = np.percentile(taken, [10, 25, 50, 75, 90])
    within = np.count_nonzero(np.array(taken) <= LIMIT_US)
    print(
        f"{SAMPLE} pairs: {', '.join(f'{value:,.0f}' for value in tenths)} us a set at 10, 25, 50, "
        f"75 and 90 %, {np.mean(taken):,.0f} in the mean; {within} take {LIMIT_US:.0f} us or less"
    )
