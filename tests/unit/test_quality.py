"""Quality of bars: which rows are rejected and why, and what is measured of a stored series."""

from dataclasses import replace

import numpy as np
import pytest

from engines.klines import Klines
from engines.quality import (
    ROW_RULES,
    Judged,
    Limits,
    Quality,
    RawBars,
    assess,
    findings,
    judge,
    raw_of,
)
from tests.unit.bars import NOW_MS, START_MS, STEP_MS, bars

LIMITS = Limits()


def spoilt(column: str, row: int, value: float) -> RawBars:
    good = raw_of(bars(0, 20))
    changed = getattr(good, column).copy()
    changed[row] = value
    return replace(good, **{column: changed})


def rejected(judged: Judged) -> dict[str, list[int]]:
    return {name: rows.tolist() for name, rows in judged.rejected.items()}


def test_good_bars_break_no_rule() -> None:
    judged = judge(raw_of(bars(0, 5000)), NOW_MS)
    assert judged.is_good.all()
    assert judged.count == 0


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (spoilt("close", 7, float("nan")), "not a number"),
        (spoilt("volume", 7, float("inf")), "not a number"),
        (spoilt("low", 7, 0.0), "not positive"),
        (spoilt("volume", 7, -1.0), "not positive"),
        (spoilt("high", 7, 50.0), "inconsistent"),
        (spoilt("low", 7, 150.0), "inconsistent"),
        (spoilt("high", 7, 150.0), "spike"),
        (spoilt("low", 7, 50.0), "spike"),
        (spoilt("open_time_ms", 7, START_MS + 6 * STEP_MS), "duplicate"),
        (spoilt("open_time_ms", 7, START_MS + 7 * STEP_MS + 1000), "off the grid"),
    ],
)
def test_a_bad_row_is_rejected_by_its_rule_and_alone(rows: RawBars, name: str) -> None:
    judged = judge(rows, NOW_MS)
    assert rejected(judged) == {name: [7]}
    assert np.flatnonzero(~judged.is_good).tolist() == [7]


def test_a_bar_that_has_not_closed_is_rejected() -> None:
    rows = raw_of(bars(0, 20))
    now_ms = START_MS + 18 * STEP_MS + 1
    assert rejected(judge(rows, now_ms)) == {"not closed": [18, 19]}


def test_every_row_may_be_bad() -> None:
    rows = raw_of(bars(0, 20))
    judged = judge(replace(rows, close=np.full(20, np.nan)), NOW_MS)
    assert rejected(judged) == {"not a number": list(range(20))}


def test_a_market_that_stays_at_its_new_level_is_believed() -> None:
    low, high = bars(0, 10), bars(10, 20)
    raised = {name: getattr(high, name) * 1.5 for name in ("open", "high", "low", "close")}
    both = joined(low, replace(high, **raised))
    assert judge(raw_of(both), NOW_MS).count == 0
    assert measured(both).jumps_ms == (START_MS + 10 * STEP_MS,)
    assert measured(both).spikes_ms == ()


def test_a_spike_is_judged_by_good_neighbours_and_its_limit() -> None:
    rows = spoilt("high", 7, 140.0)
    broken = rows.close.copy()
    broken[8] = np.nan
    assert rejected(judge(replace(rows, close=broken), NOW_MS))["spike"] == [7]
    assert judge(rows, NOW_MS, Limits(spike_ratio=0.5)).count == 0


def test_each_rule_says_what_it_asks() -> None:
    assert len({rule.name for rule in ROW_RULES}) == len(ROW_RULES)
    assert all(rule.meaning for rule in ROW_RULES)


def joined(one: Klines, other: Klines) -> Klines:
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    columns = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names}
    return Klines.of_columns(one.symbol, one.interval_ms, columns)


def measured(klines: Klines, since: int | None = None, until: int | None = None) -> Quality:
    at = [None if bar is None else START_MS + bar * STEP_MS for bar in (since, until)]
    return assess(raw_of(klines), at[0], at[1], START_MS + 3000 * STEP_MS, LIMITS)


def test_completeness_counts_what_the_range_should_hold() -> None:
    with_gap = joined(bars(10, 50), bars(60, 100))
    own, asked = measured(with_gap), measured(with_gap, since=0, until=120)
    assert (own.bars, own.bars_expected, own.completeness_ratio) == (80, 90, 80 / 90)
    assert (asked.bars_expected, asked.completeness_ratio) == (120, 80 / 120)
    assert [gap.bars_missing for gap in own.gaps] == [10]
    assert "completeness" in findings(own, LIMITS)
    assert "gaps" not in findings(own, LIMITS)


def test_bars_that_are_known_not_to_exist_are_not_expected() -> None:
    with_gap = raw_of(joined(bars(0, 50), bars(60, 3000)))
    quality = assess(with_gap, None, None, START_MS + 3000 * STEP_MS, LIMITS, absent=10)
    assert (quality.bars_expected, quality.completeness_ratio) == (2990, 1.0)


def test_staleness_is_measured_by_now_or_the_end_that_is_asked_for() -> None:
    klines = bars(0, 2990)
    assert measured(klines).stale_ms == 10 * STEP_MS
    assert findings(measured(klines), LIMITS) == ["staleness"]
    assert measured(klines, until=2990).stale_ms == 0
    # What has not happened yet is not missing.
    assert measured(bars(0, 3000), until=4000).completeness_ratio == 1.0
    assert findings(measured(bars(0, 3000)), LIMITS) == []


def test_bars_without_trades_are_counted() -> None:
    quiet = bars(0, 100)
    quiet = replace(quiet, volume=np.where(np.arange(100) < 7, 0.0, quiet.volume))
    assert measured(quiet).zero_volume == 7


def test_a_stored_spike_is_a_finding() -> None:
    assert measured(bars(0, 3000, high_at={7: 50.0})).spikes_ms == (START_MS + 7 * STEP_MS,)
    assert findings(measured(bars(0, 3000, high_at={7: 50.0})), LIMITS) == ["spikes"]


def test_rows_that_are_no_bars_are_found_where_they_are_stored() -> None:
    rows = raw_of(bars(0, 3000))
    high = rows.high.copy()
    high[[7, 9]] = 1.0
    quality = assess(replace(rows, high=high), None, None, START_MS + 3000 * STEP_MS, LIMITS)
    assert quality.bad == {"inconsistent": 2}
    assert findings(quality, LIMITS) == ["rows"]
