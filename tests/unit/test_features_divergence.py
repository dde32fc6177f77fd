"""Divergences are confirmed where the second pivot of the oscillator is."""

import numpy as np

from engines.features.divergence import Divergence, divergence
from engines.types import F64_1D

# Lows of the oscillator at bars 2 and 6; with one bar on each side they are confirmed a bar later.
SWINGS = np.array([5.0, 4.0, 2.0, 4.0, 5.0, 4.0, 3.0, 4.0, 5.0])
FALLING = np.array([9.0, 9.0, 7.0, 9.0, 9.0, 9.0, 6.0, 9.0, 9.0])


def marked(marks: Divergence) -> dict[str, list[int]]:
    return {kind: np.flatnonzero(bars).tolist() for kind, bars in marks._asdict().items()}


def found(
    oscillator: F64_1D, price: F64_1D, apart: tuple[int, int] = (3, 9)
) -> dict[str, list[int]]:
    return marked(divergence(oscillator, price, price, 1, 1, *apart))


def test_lower_price_low_with_higher_oscillator_low_is_bullish() -> None:
    assert found(SWINGS, FALLING) == {
        "bullish": [7],
        "hidden_bullish": [],
        "bearish": [],
        "hidden_bearish": [],
    }


def test_higher_price_low_with_lower_oscillator_low_is_hidden_bullish() -> None:
    assert found(FALLING, SWINGS)["hidden_bullish"] == [7]


def test_highs_mirror_the_lows() -> None:
    assert found(-SWINGS, -FALLING)["bearish"] == [7]
    assert found(-FALLING, -SWINGS)["hidden_bearish"] == [7]


def test_pivots_too_near_or_too_far_apart_do_not_count() -> None:
    assert found(SWINGS, FALLING, (4, 9))["bullish"] == []
    assert found(SWINGS, FALLING, (1, 2))["bullish"] == []
