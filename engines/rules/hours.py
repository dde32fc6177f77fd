"""Time rules as columns: when entries are allowed, and when a position must be gone.

Theory. A close is judged by what the clocks of the plan's zone show at it. Session and weekend ends
are counted: between two closes one may lie that no close falls on (a long interval, an outage), and
the position that was held over it must go at the later close even if that is inside the next
session. When clocks are set back an hour is lived twice, and so are its rules. Rules under which
bars of this interval can never trade (a session of minutes between the closes of hours) are a fault
of the plan, not a run without trades.
"""

from typing import NamedTuple

import numpy as np

from engines.errors import PlanFault
from engines.klines import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    WEEK_MS,
    Klines,
    interval_text,
    time_text,
)
from engines.plan import Hours, Session
from engines.rules.clock import local_times_ms
from engines.types import BOOL_1D, I64_1D

# Day 0 of the epoch was a Thursday; days of the week count from Monday.
EPOCH_DAY_OF_WEEK = 3
FRIDAY = 4
YEAR_MS = 366 * DAY_MS


class HourColumns(NamedTuple):
    """Time rules at each close [T], None where there is no such rule."""

    may_enter: BOOL_1D | None
    session_close: BOOL_1D | None
    weekend_close: BOOL_1D | None


def hour_columns(hours: Hours, klines: Klines) -> HourColumns:
    """Return when entries are allowed and when session or weekend ends a position.

    Raises: PlanFault if bars of this interval never close in an hour that is left to trade in.
    """
    if not hours.is_used:
        return HourColumns(None, None, None)
    columns = _judged(hours, klines.close_time_ms)
    if columns.may_enter is not None and not columns.may_enter.any():
        _require_ever_open(hours, klines)
    return columns


def _judged(hours: Hours, close_time_ms: I64_1D) -> HourColumns:
    local_ms = local_times_ms(close_time_ms, hours.time_zone)
    day_of_week = (local_ms // DAY_MS + EPOCH_DAY_OF_WEEK) % 7
    hour = local_ms % DAY_MS // HOUR_MS
    may_enter = ~(_is_any_of(hour, hours.no_trade_hours, 24))
    may_enter &= ~(_is_any_of(day_of_week, hours.no_trade_days, 7))
    session_close = weekend_close = None
    if hours.session is not None:
        is_inside = _is_inside(hours.session, local_ms)
        may_enter &= is_inside
        end_ms = hours.session.end_minute * MINUTE_MS
        session_close = ~is_inside | _passes(local_ms - end_ms, DAY_MS)
    if hours.weekend_exit_hour is not None:
        is_friday_late = (day_of_week == FRIDAY) & (hour >= hours.weekend_exit_hour)
        is_weekend = is_friday_late | (day_of_week > FRIDAY)
        may_enter &= ~is_weekend
        end_ms = (FRIDAY - EPOCH_DAY_OF_WEEK) * DAY_MS + hours.weekend_exit_hour * HOUR_MS
        weekend_close = is_weekend | _passes(local_ms - end_ms, WEEK_MS)
    return HourColumns(may_enter, session_close, weekend_close)


def _require_ever_open(hours: Hours, klines: Klines) -> None:
    """Raise PlanFault if no close of a year, from the first one on, is open for entries."""
    first_ms = int(klines.close_time_ms[0])
    step_ms = max(klines.interval_ms, MINUTE_MS)  # No rule is finer than a minute.
    year = _judged(hours, first_ms + np.arange(0, YEAR_MS, step_ms, dtype=np.int64))
    if year.may_enter is None or year.may_enter.any():
        return
    interval = interval_text(klines.interval_ms)
    raise PlanFault(
        " and ".join([*hours.rules, "interval"]),
        "bars that close in an hour left to trade in",
        f"none in a year of {interval} bars like the one that closes {time_text(first_ms)}",
    )


def _is_any_of(values: I64_1D, members: tuple[int, ...], count: int) -> BOOL_1D:
    """Return where values of 0 to count - 1 are among the members."""
    is_member = np.zeros(count, dtype=np.bool_)
    is_member[list(members)] = True
    return is_member[values]


def _is_inside(session: Session, local_ms: I64_1D) -> BOOL_1D:
    minute = local_ms % DAY_MS // MINUTE_MS
    start, end = session.start_minute, session.end_minute
    if start < end:
        return (minute >= start) & (minute < end)
    return (minute >= start) | (minute < end)


def _passes(time_ms: I64_1D, cycle_ms: int) -> BOOL_1D:
    """Return where a cycle that begins at time 0 has begun anew since the bar before."""
    count = time_ms // cycle_ms
    return np.concatenate(([False], count[1:] > count[:-1]))
