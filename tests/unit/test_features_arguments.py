"""What features take and what they refuse."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from engines.features.channels import bollinger
from engines.features.events import change, crossover, valuewhen
from engines.features.moving_averages import ema, hma
from engines.features.ranks import percentile_linear
from engines.features.regime import hurst
from engines.features.statistics import stdev
from engines.features.volatility import atr
from engines.features.vwap import vwap

RISE = np.arange(1.0, 41.0)


ONES = np.ones(30)

REFUSALS: dict[str, tuple[Callable[[], object], str]] = {
    "hull of one bar": (lambda: hma(ONES, 1), r"period must be an integer >= 2, found 1"),
    "sample spread of one bar": (
        lambda: stdev(ONES, 1, biased=False),
        r"period must be an integer >= 2, found 1",
    ),
    "negative band": (lambda: bollinger(ONES, 5, -1.0), r"multiplier must be above zero"),
    "percentile of 101": (
        lambda: percentile_linear(ONES, 5, 101.0),
        r"percentage must be between 0 and 100, found 101\.0",
    ),
    "short Hurst window": (lambda: hurst(ONES, 10), r"period must be an integer >= 20, found 10"),
    "unequal lengths": (
        lambda: atr(ONES, ONES[:5], ONES, 3),
        r"columns must have one length, found high 30, low 5, close 30",
    ),
    "unequal sides": (
        lambda: crossover(ONES, ONES[:5]),
        r"columns must have one length, found source 30, other 5",
    ),
    "numeric condition": (
        lambda: valuewhen(ONES, ONES),  # type: ignore[arg-type]  # the refusal is the test
        r"condition must be a bool column, found float64",
    ),
    "short anchor": (
        lambda: vwap(ONES, ONES, np.zeros(3, dtype=np.bool_)),
        r"anchor must have shape \(30,\), found \(3,\)",
    ),
    "change over no bars": (lambda: change(ONES, 0), r"period must be an integer >= 1, found 0"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_wrong_arguments_are_refused_in_one_clear_sentence(case: str) -> None:
    call, sentence = REFUSALS[case]
    with pytest.raises(ValueError, match=sentence):
        call()


def test_integer_strided_and_read_only_columns_are_taken() -> None:
    strided = np.repeat(RISE, 2)[::2]
    frozen = RISE.copy()
    frozen.flags.writeable = False
    integers: npt.NDArray[Any] = RISE.astype(np.int64)
    expected = ema(RISE, 5).tobytes()
    for source in (strided, frozen, integers):
        assert ema(source, 5).tobytes() == expected
