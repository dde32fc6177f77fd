"""Bars for the tests of this folder."""

import pytest

from engines.klines import MINUTE_MS, Klines
from engines.synthetic import synthetic_klines


@pytest.fixture(scope="session")
def klines() -> Klines:
    """Return two months of synthetic bars."""
    return synthetic_klines(6_001, 15 * MINUTE_MS, seed=11)
