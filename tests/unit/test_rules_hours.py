"""When the clock allows entries and ends positions, by hand and against one datetime a bar."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.errors import PlanFault
from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, Klines
from engines.plan import Hours, Plan, Session
from engines.rules import rule_columns
from engines.rules.clock import local_times_ms
from engines.types import BOOL_1D, I64_1D
from tests.unit.market import klines_of, still

QUARTER_MS = 15 * MINUTE_MS
# Zones with summer time north and south, half hours, a half-hour change, and none.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Santiago",
)
SWITCHES = (  # The moments in UTC at which one of them changes its clocks.
    "2025-03-30T01:00",
    "2025-10-26T01:00",
    "2025-03-09T07:00",
    "2025-11-02T06:00",
    "2025-04-05T15:00",
    "2025-10-04T15:30",
    "2025-02-23T02:00",
    "2025-04-06T03:00",
)


def ms(text: str) -> int:
    """Return a UTC time such as 2025-01-03T17:00."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def closing_at(*times: str, interval_ms: int = HOUR_MS) -> Klines:
    """Return bars that close at these UTC times."""
    return bars_closing(np.array([ms(time) for time in times]), interval_ms)


def bars_closing(close_ms: I64_1D, interval_ms: int) -> Klines:
    klines = klines_of([still(10.0)] * len(close_ms), interval_ms)
    return replace(klines, open_time_ms=close_ms - interval_ms)


def hourly(first_close: str, count: int) -> Klines:
    return klines_of([still(10.0)] * count, HOUR_MS, start_ms=ms(first_close) - HOUR_MS)


def text(column: BOOL_1D | None) -> str:
    assert column is not None and column.dtype == np.bool_
    return "".join("x" if value else "." for value in column)


def entries(hours: Hours, klines: Klines) -> str:
    columns = rule_columns(Plan(hours=hours), klines)
    assert columns.may_long is columns.may_short
    return text(columns.may_long)


def session_closes(hours: Hours, klines: Klines) -> str:
    return text(rule_columns(Plan(hours=hours), klines).session_close)


def weekend_closes(hours: Hours, klines: Klines) -> str:
    return text(rule_columns(Plan(hours=hours), klines).weekend_close)


def test_hour_is_that_of_the_close() -> None:
    hours = Hours(no_trade_hours=(0, 3))
    assert entries(hours, hourly("2025-01-02T23:00", 6)) == "x.xx.x"


def test_day_is_that_of_the_close() -> None:
    # The close at Saturday 00:00 belongs to Saturday, day 5.
    hours = Hours(no_trade_days=(5,))
    assert entries(hours, hourly("2025-01-03T22:00", 4)) == "xx.."
    assert entries(hours, hourly("2025-01-04T23:00", 2)) == ".x"


def test_rule_that_is_not_asked_for_has_no_column() -> None:
    columns = rule_columns(Plan(hours=Hours(no_trade_days=(5,))), hourly("2025-01-03T22:00", 4))
    assert columns.session_close is None and columns.weekend_close is None
    columns = rule_columns(Plan(hours=Hours(bars_held_max=5)), hourly("2025-01-03T22:00", 4))
    assert columns.may_long is None and columns.may_short is None


def test_session_holds_from_its_start_to_before_its_end() -> None:
    hours = Hours(session=Session("09:00", "12:00"))
    klines = hourly("2025-01-02T08:00", 6)
    assert entries(hours, klines) == ".xxx.."
    assert session_closes(hours, klines) == "x...xx"


def test_session_over_midnight_holds_on_both_days() -> None:
    hours = Hours(session=Session("22:00", "02:00"))
    klines = hourly("2025-01-02T21:00", 7)
    assert entries(hours, klines) == ".xxxx.."
    assert session_closes(hours, klines) == "x....xx"


def test_session_end_between_two_closes_ends_the_position_at_the_later() -> None:
    # No close falls between 12:30 and 12:45: the one at 13:00 is inside the next session already.
    hours = Hours(session=Session("12:45", "12:30"))
    klines = hourly("2025-01-02T11:00", 4)
    assert session_closes(hours, klines) == "..x."
    assert entries(hours, klines) == "xxxx"


def test_session_end_inside_an_outage_ends_the_position_after_it() -> None:
    hours = Hours(session=Session("09:00", "17:00"))
    klines = closing_at(
        "2025-01-02T14:00", "2025-01-02T15:00", "2025-01-02T16:00", "2025-01-03T10:00"
    )
    assert session_closes(hours, klines) == "...x"
    assert entries(hours, klines) == "xxxx"


def test_session_follows_the_summer_time_of_its_zone() -> None:
    # Berlin's 09:00 is 08:00 UTC on Friday, and 07:00 UTC from Sunday, 30 March 2025 on.
    hours = Hours(time_zone="Europe/Berlin", session=Session("09:00", "10:00"))
    assert entries(hours, hourly("2025-03-28T06:00", 4)) == "..x."
    assert entries(hours, hourly("2025-03-31T06:00", 4)) == ".x.."


def test_hour_that_the_clocks_skip_never_comes() -> None:
    # At 01:00 UTC Berlin's clocks go from 02:00 to 03:00.
    hours = Hours(time_zone="Europe/Berlin", no_trade_hours=(2,))
    assert entries(hours, hourly("2025-03-30T00:00", 3)) == "xxx"
    assert entries(hours, hourly("2025-03-29T00:00", 3)) == "x.x"


def test_hour_that_the_clocks_repeat_comes_twice() -> None:
    # At 01:00 UTC Berlin's clocks go from 03:00 back to 02:00.
    hours = Hours(time_zone="Europe/Berlin", no_trade_hours=(2,))
    assert entries(hours, hourly("2025-10-25T23:00", 4)) == "x..x"


def test_weekend_lasts_from_friday_hour_to_monday() -> None:
    hours = Hours(weekend_exit_hour=20)
    friday, monday = hourly("2025-01-03T18:00", 4), hourly("2025-01-05T22:00", 4)
    assert (weekend_closes(hours, friday), entries(hours, friday)) == ("..xx", "xx..")
    assert (weekend_closes(hours, monday), entries(hours, monday)) == ("xx..", "..xx")


def test_weekend_without_bars_ends_the_position_on_monday() -> None:
    hours = Hours(weekend_exit_hour=20)
    klines = closing_at(
        "2025-01-03T16:00", "2025-01-03T17:00", "2025-01-06T10:00", "2025-01-06T11:00"
    )
    assert weekend_closes(hours, klines) == "..x."
    assert entries(hours, klines) == "xxxx"


def test_weekend_is_that_of_the_zone() -> None:
    # Friday 20:00 in New York is Saturday 01:00 UTC in winter.
    hours = Hours(time_zone="America/New_York", weekend_exit_hour=20)
    assert weekend_closes(hours, hourly("2025-01-03T23:00", 4)) == "..xx"


def test_all_time_rules_hold_together() -> None:
    hours = Hours(
        no_trade_hours=(17,), no_trade_days=(0,), session=Session("16:00", "19:00"),
        weekend_exit_hour=18,
    )  # fmt: skip # one line
    assert entries(hours, hourly("2025-01-02T15:00", 5)) == ".x.x."  # Thursday
    assert entries(hours, hourly("2025-01-03T15:00", 5)) == ".x..."  # Friday
    assert entries(hours, hourly("2025-01-06T15:00", 5)) == "....."  # Monday


# The same rules, told for one bar after the other.


@dataclass(frozen=True)
class Told:
    """What holds at each close."""

    may_enter: Sequence[bool]
    session_close: Sequence[bool]
    weekend_close: Sequence[bool]


def last_end(local: datetime, hour: int, minute: int, days: int, day_of_week: int) -> datetime:
    """Return the newest moment at or before `local` that comes every so many days."""
    end = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    while end > local or (days == 7 and end.weekday() != day_of_week):
        end -= timedelta(days=1)
    return end


def told(hours: Hours, close_ms: Sequence[int]) -> Told:
    """Judge bar by bar with the clocks of the zone."""
    zone = ZoneInfo(hours.time_zone)
    session, exit_hour = hours.session, hours.weekend_exit_hour
    assert session is not None and exit_hour is not None
    end_hour, end_minute = divmod(session.end_minute, 60)
    rows = []
    before: tuple[datetime, datetime] | None = None
    for moment in close_ms:
        local = datetime.fromtimestamp(moment / 1000, zone).replace(tzinfo=None)
        inside = session.holds(local.hour * 60 + local.minute)
        weekend = local.weekday() > 4 or (local.weekday() == 4 and local.hour >= exit_hour)
        ends = last_end(local, end_hour, end_minute, 1, 0), last_end(local, exit_hour, 0, 7, 4)
        is_allowed = (
            local.hour not in hours.no_trade_hours and local.weekday() not in hours.no_trade_days
        )
        rows.append(
            (
                is_allowed and inside and not weekend,
                not inside or (before is not None and ends[0] > before[0]),
                weekend or (before is not None and ends[1] > before[1]),
            )
        )
        before = ends
    return Told(*zip(*rows, strict=True))


@st.composite
def closes_near_a_switch(draw: st.DrawFn) -> tuple[I64_1D, int]:
    """Return ascending close times on a grid, with gaps, and their interval."""
    interval_ms = draw(st.sampled_from([QUARTER_MS, HOUR_MS, 4 * HOUR_MS]))
    first = ms(draw(st.sampled_from(SWITCHES))) - draw(st.integers(0, 40)) * interval_ms
    first += draw(st.sampled_from([0, 5 * MINUTE_MS, 30 * MINUTE_MS]))
    steps = draw(st.lists(st.sampled_from([1] * 12 + [2, 9, 60]), min_size=10, max_size=60))
    steps[: len(steps) * 3 // 4] = [1] * (len(steps) * 3 // 4)
    order = draw(st.permutations(steps))
    return first + interval_ms * np.cumsum([0, *order]), interval_ms


minutes = st.builds(lambda h, m: f"{h:02}:{m:02}", st.integers(0, 23), st.sampled_from([0, 15, 30]))


@given(
    closes=closes_near_a_switch(),
    zone=st.sampled_from(ZONES),
    session=st.lists(minutes, min_size=2, max_size=2, unique=True),
    no_trade_hours=st.sets(st.integers(0, 23), max_size=2),
    no_trade_days=st.sets(st.integers(0, 3), max_size=2),
    exit_hour=st.integers(0, 23),
)
def test_time_rules_equal_one_datetime_a_bar(
    closes: tuple[I64_1D, int],
    zone: str,
    session: list[str],
    no_trade_hours: set[int],
    no_trade_days: set[int],
    exit_hour: int,
) -> None:
    close_ms, interval_ms = closes
    span = Session(*session)
    if all(not span.holds(h * 60 + m) or h in no_trade_hours for h in range(24) for m in range(60)):
        no_trade_hours = set()
    hours = Hours(
        time_zone=zone,
        session=span,
        no_trade_hours=tuple(no_trade_hours),
        no_trade_days=tuple(no_trade_days),
        weekend_exit_hour=exit_hour,
    )
    expected = told(hours, close_ms.tolist())
    try:
        columns = rule_columns(Plan(hours=hours), bars_closing(close_ms, interval_ms))
    except PlanFault:  # Bars of this interval never close in this session.
        assert not any(expected.may_enter)
        return
    assert columns.may_long is not None and columns.may_long.tolist() == list(expected.may_enter)
    assert columns.session_close is not None and columns.weekend_close is not None
    assert columns.session_close.tolist() == list(expected.session_close)
    assert columns.weekend_close.tolist() == list(expected.weekend_close)


@pytest.mark.parametrize("zone", [*ZONES, "Europe/London", "Pacific/Apia"])
def test_local_times_equal_the_clock_all_year(zone: str) -> None:
    # Seven and a bit hours apart over twelve years, and every minute around a change of clocks.
    coarse = np.arange(ms("2010-12-25T00:00"), ms("2023-01-01T00:00"), 7 * HOUR_MS + 61_001)
    for switch in SWITCHES:
        fine = np.arange(ms(switch) - 90 * MINUTE_MS, ms(switch) + 90 * MINUTE_MS, MINUTE_MS)
        assert local_times_ms(fine, zone).tolist() == clock_of(fine, zone)
    assert local_times_ms(coarse, zone).tolist() == clock_of(coarse, zone)


def clock_of(time_ms: I64_1D, zone: str) -> list[int]:
    clock = ZoneInfo(zone)
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 # what a wall shows has no zone
    return [
        (datetime.fromtimestamp(t // 1000, clock).replace(tzinfo=None) - epoch)
        // timedelta(milliseconds=1)
        + t % 1000
        for t in time_ms.tolist()
    ]


def test_local_time_of_a_single_moment_needs_no_span() -> None:
    moment = np.array([ms("2025-07-01T12:00")])
    assert local_times_ms(moment, "Asia/Kolkata").tolist() == [ms("2025-07-01T17:30")]


def test_session_that_no_bar_closes_in_is_refused() -> None:
    klines = bars_closing(ms("2025-01-03T00:00") + DAY_MS * np.arange(4), DAY_MS)
    with pytest.raises(PlanFault) as caught:
        rule_columns(Plan(hours=Hours(session=Session("08:00", "20:00"))), klines)
    assert str(caught.value) == (
        "hours.session and interval: expected bars that close in an hour left to trade in, found"
        " none in a year of 1d bars like the one that closes 2025-01-03 00:00Z"
    )


def test_session_between_the_closes_of_hours_is_refused() -> None:
    hours = Hours(session=Session("09:15", "09:45"), weekend_exit_hour=20)
    with pytest.raises(PlanFault, match=r"^hours.session and hours.weekend_exit_hour and interval"):
        rule_columns(Plan(hours=hours), hourly("2025-01-02T08:00", 30))


def test_session_that_summer_time_will_open_is_no_fault() -> None:
    # Days of UTC close at 01:00 in Berlin, but from the end of March on at 02:00.
    hours = Hours(time_zone="Europe/Berlin", session=Session("02:00", "03:00"))
    winter = bars_closing(ms("2025-03-28T00:00") + DAY_MS * np.arange(3), DAY_MS)
    both = bars_closing(ms("2025-03-28T00:00") + DAY_MS * np.arange(5), DAY_MS)
    assert entries(hours, winter) == "..."
    assert entries(hours, both) == "...xx"
