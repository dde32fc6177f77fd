"""Magnifier bars are those of the traded bars, whole and of the same market, or are refused."""

from dataclasses import replace

import numpy as np
import pytest

from engines.errors import KlineFault
from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, Klines
from engines.magnifier import sub_bars
from engines.resample import aggregate
from engines.synthetic import synthetic_klines
from tests.unit.market import klines_of

QUARTER_MS = 15 * MINUTE_MS
TICK = 0.1
FLAT = (100.0, 100.0, 100.0, 100.0)
FINE = synthetic_klines(48, QUARTER_MS, seed=3, tick_size=TICK)
HOURS = aggregate(FINE, HOUR_MS)


def chosen(klines: Klines, index: list[int]) -> Klines:
    """Return the bars of these indices."""
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    return replace(klines, **{name: getattr(klines, name)[index] for name in names})


def test_sub_bars_of_each_bar_are_those_within_it() -> None:
    columns, starts = sub_bars(HOURS, FINE, 0, TICK)
    assert starts == list(range(0, 49, 4))
    assert columns[1] == FINE.high.tolist()
    assert columns[3] == FINE.close.tolist()


def test_bars_before_the_first_traded_one_need_no_sub_bars() -> None:
    columns, starts = sub_bars(HOURS, FINE.between(8, 48), 2, TICK)
    assert starts[2:5] == [0, 4, 8]
    assert columns[0] == FINE.open[8:].tolist()


def test_sub_bars_in_a_gap_of_the_traded_bars_belong_to_none() -> None:
    holed = chosen(HOURS, [0, 1, *range(4, 12)])
    columns, starts = sub_bars(holed, FINE, 0, TICK)
    assert starts[:4] == [0, 4, 8, 12]
    assert columns[0][8] == FINE.open[16]


def test_traded_bar_without_sub_bars_is_named() -> None:
    with pytest.raises(KlineFault, match=r"2024-01-01 01:00Z: expected at least one .* found none"):
        sub_bars(HOURS, chosen(FINE, [*range(4), *range(8, 48)]), 0, TICK)


def test_sub_bars_of_the_last_quarter_only_are_refused() -> None:
    klines = klines_of([FLAT, (100.0, 101.0, 90.0, 100.0)])
    quarters = chosen(klines_of([FLAT] * 8, QUARTER_MS), [0, 1, 2, 3, 7])
    with pytest.raises(KlineFault, match=r"expected high 101 as the traded bar has, found 100"):
        sub_bars(klines, quarters, 0, TICK)


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
def test_first_bar_that_its_sub_bars_do_not_add_up_to_is_named(name: str) -> None:
    column = getattr(HOURS, name).copy()
    column[5:] += {"high": 1.0, "low": -1.0}.get(name, 0.0)
    if name in ("open", "close"):
        middle = (HOURS.high + HOURS.low) / 2
        column[5:] += np.where(column < middle, 0.3, -0.3)[5:]
    changed = replace(HOURS, **{name: column})
    with pytest.raises(KlineFault, match=f"in the bar at 2024-01-01 05:00Z: expected {name} "):
        sub_bars(changed, FINE, 0, TICK)


def test_another_market_is_refused() -> None:
    other = synthetic_klines(48, QUARTER_MS, seed=4, tick_size=TICK)
    with pytest.raises(KlineFault, match="as the traded bar has"):
        sub_bars(HOURS, other, 0, TICK)


def test_difference_of_one_tick_is_rounding() -> None:
    sub_bars(replace(HOURS, high=HOURS.high + TICK), FINE, 0, TICK)
    with pytest.raises(KlineFault, match="expected high"):
        sub_bars(replace(HOURS, high=HOURS.high + 2 * TICK), FINE, 0, TICK)


@pytest.mark.parametrize("minutes", [25, 60, 120])
def test_interval_must_be_a_shorter_divisor(minutes: int) -> None:
    fine = synthetic_klines(48, minutes * MINUTE_MS, seed=3)
    with pytest.raises(KlineFault, match="a shorter one that divides 1h"):
        sub_bars(HOURS, fine, 0, TICK)


def test_sub_bar_that_straddles_two_bars_is_refused() -> None:
    klines = klines_of([FLAT] * 3)
    shifted = klines_of([FLAT] * 12, QUARTER_MS, int(klines.open_time_ms[0]) + 5 * MINUTE_MS)
    with pytest.raises(KlineFault, match=r"00:00Z: expected all to close within the traded bar"):
        sub_bars(klines, shifted, 0, TICK)


@pytest.mark.parametrize("hours", [23, 25])
def test_day_of_summer_time_has_the_hours_it_has(hours: int) -> None:
    fine = klines_of([FLAT] * (48 + hours))
    days = klines_of([FLAT] * 3, DAY_MS)
    times_ms = days.open_time_ms + np.array([0, 0, (hours - 24) * HOUR_MS])
    _, starts = sub_bars(replace(days, open_time_ms=times_ms), fine, 0, TICK)
    assert starts == [0, 24, 24 + hours, 48 + hours]
