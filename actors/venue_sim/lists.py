"""Pages of an account's histories: filtered, newest first, cut at a limit, continued by a cursor.

A page's cursor is the id of its last row; the next page begins behind it. Without times a history
reaches back seven days, with one of them seven days from or to it; a range longer than that is
refused.
Source: Bybit v5, "Get Open & Closed Orders", "Get Order History", "Get Trade History".
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from actors.venue_sim.listing import Listed
from actors.venue_sim.wire import PARAMETER_ERROR, Refused, limit_of, whole_number
from engines.klines import DAY_MS

Row = TypeVar("Row")
WEEK_MS = 7 * DAY_MS


def is_asked(query: Mapping[str, str], listed: Listed) -> bool:
    """Return whether a market is among those that a query names: symbol, base or settle coin."""
    if symbol := query.get("symbol"):
        return listed.name == symbol
    if base := query.get("baseCoin"):
        return listed.base == base
    if settle := query.get("settleCoin"):
        return listed.quote == settle
    return True


def time_range(query: Mapping[str, str], now_ms: int) -> tuple[int, int]:
    """Return the first and last millisecond of the history that is asked for.

    Raises: Refused for more than seven days, or an end before the start.
    """
    start_ms, end_ms = whole_number(query, "startTime"), whole_number(query, "endTime")
    if start_ms is None:
        end_ms = now_ms if end_ms is None else end_ms
        return end_ms - WEEK_MS, end_ms
    if end_ms is None:
        return start_ms, start_ms + WEEK_MS
    if not start_ms <= end_ms <= start_ms + WEEK_MS:
        raise Refused(
            PARAMETER_ERROR, "The time range between startTime and endTime is over 7 days"
        )
    return start_ms, end_ms


def page(
    rows: Iterable[Row],
    row_id: Callable[[Row], str],
    query: Mapping[str, str],
    default: int,
    highest: int,
) -> tuple[list[Row], str]:
    """Return a page of rows that come newest first, and the cursor of the next one.

    Raises: Refused for a limit or a cursor that is wrong.
    """
    limit = limit_of(query, default, highest)
    listed = list(rows)
    begin = 0
    if cursor := query.get("cursor"):
        ids = [row_id(row) for row in listed]
        if cursor not in ids:
            raise Refused(PARAMETER_ERROR, "params error: cursor invalid")
        begin = ids.index(cursor) + 1
    part = listed[begin : begin + limit]
    is_last = begin + limit >= len(listed)
    return part, "" if is_last or not part else row_id(part[-1])
