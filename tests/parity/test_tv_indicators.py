"""Every indicator column that TradingView exported equals ours, NaN for NaN."""

from functools import cache

import numpy as np
import pytest

from engines.types import F64_1D
from tests.parity.tv_indicator_cases import CASES, FOLDER, Chart, read_chart

pytestmark = pytest.mark.skipif(not FOLDER.parent.is_dir(), reason="../shared/truth is absent")

# The source's own tolerances (SPEC.md of the folder): absolute, relative.
TOLERANCE = (1e-8, 1e-5)
TIGHT = {"bb.csv": (1e-10, 1e-7), "kc.csv": (1e-10, 1e-7)}
# TradingView's supertrend shows 0 on the very first bar, before it has any value; ours is NaN.
PLACEHOLDERS = {("supertrend.csv", "ta.supertrend(3, 10).down"): {0: 0.0}}

PAIRS = [(name, plot) for name, cases in CASES.items() for plot in cases]


@cache
def chart_of(name: str) -> Chart:
    return read_chart(FOLDER / name)


def expected_plot(name: str, plot: str) -> F64_1D:
    """Return TradingView's column with its placeholders, once checked, made NaN."""
    expected = chart_of(name).plots[plot].copy()
    for bar, shown in PLACEHOLDERS.get((name, plot), {}).items():
        assert expected[bar] == shown
        expected[bar] = np.nan
    return expected


@pytest.mark.parametrize(("name", "plot"), PAIRS)
def test_column_equals_tradingview_on_every_bar(name: str, plot: str) -> None:
    expected = expected_plot(name, plot)
    found = CASES[name][plot](chart_of(name))
    absolute, relative = TIGHT.get(name, TOLERANCE)
    assert found.shape == expected.shape
    near = np.isclose(found, expected, rtol=0.0, atol=absolute, equal_nan=True)
    near |= np.isclose(found, expected, rtol=relative, atol=0.0, equal_nan=True)
    wrong = np.flatnonzero(~near)
    assert wrong.size == 0, (
        f"{wrong.size} of {near.size} bars differ, the first at row {wrong[0]}: "
        f"TradingView {expected[wrong[0]]!r}, ours {found[wrong[0]]!r}"
    )


def test_every_column_of_every_file_is_covered() -> None:
    in_folder = {
        (path.name, plot) for path in FOLDER.glob("*.csv") for plot in read_chart(path).plots
    }
    assert set(PAIRS) == in_folder
