"""When the plan trades: hours, days, a session, the weekend, and how long a trade may last.

Theory. Everything is judged at a bar's close, in `time_zone`, by the time at which an order of that
close goes to work: the close itself. An entry wish outside the allowed time is passed over: it
neither enters nor closes; an order that waits already may still fill there. The
session closes the position at the first close at or after its end, the weekend exit at the first
close at or after Friday's `weekend_exit_hour`, even where that close is already inside the next
session or week because none came before. Entries wait until the session opens, or Monday. A session
whose end is not after its start runs over midnight. Clocks that are set back live an hour twice.
"""

import re
from collections.abc import Set
from dataclasses import dataclass
from itertools import combinations
from zoneinfo import ZoneInfo

from engines.errors import PlanFault
from engines.plan.checks import contradict, require, whole

MINUTES_PER_HOUR = 60
FRIDAY = 4


@dataclass(frozen=True, slots=True)
class Session:
    """The part of each day in which positions may be held, from `start` to before `end` (HH:MM)."""

    start: str
    end: str

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            _minute(f"hours.session.{name}", getattr(self, name))
        if self.start_minute == self.end_minute:
            contradict(
                "hours.session.start", "hours.session.end", "two times", f"both {self.start}"
            )

    @property
    def start_minute(self) -> int:
        """Return the minute of the day at which the session opens."""
        return _minute("hours.session.start", self.start)

    @property
    def end_minute(self) -> int:
        """Return the minute of the day at which the session ends."""
        return _minute("hours.session.end", self.end)

    def holds(self, minute: int) -> bool:
        """Return whether a minute of the day is inside."""
        start, end = self.start_minute, self.end_minute
        return start <= minute < end if start < end else minute >= start or minute < end


@dataclass(frozen=True, slots=True)
class Hours:
    """Time rules; empty and None mean no such rule.

    `no_trade_hours` 0-23 and `no_trade_days` 0-6 (Monday is 0) forbid entries. `bars_held_max`
    counts from the bar of the oldest lot still open: the position is closed at the next open.
    """

    time_zone: str = "UTC"
    no_trade_hours: tuple[int, ...] = ()
    no_trade_days: tuple[int, ...] = ()
    session: Session | None = None
    weekend_exit_hour: int | None = None
    bars_held_max: int | None = None

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError, TypeError):
            expected = "a zone such as UTC or Europe/Berlin"
            raise PlanFault("hours.time_zone", expected, repr(self.time_zone)) from None
        for name, count in (("no_trade_hours", 24), ("no_trade_days", 7)):
            object.__setattr__(self, name, _choice(f"hours.{name}", getattr(self, name), count))
        whole("hours.weekend_exit_hour", self.weekend_exit_hour, 0, 23, optional=True)
        whole("hours.bars_held_max", self.bars_held_max, 1, 10_000_000, optional=True)
        if self.is_used:
            self._require_open()

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the names of the settings that look at the clock."""
        given = {
            "hours.session": self.session is not None,
            "hours.no_trade_hours": bool(self.no_trade_hours),
            "hours.no_trade_days": bool(self.no_trade_days),
            "hours.weekend_exit_hour": self.weekend_exit_hour is not None,
        }
        return tuple(name for name, is_given in given.items() if is_given)

    @property
    def is_used(self) -> bool:
        """Return whether a rule looks at the clock."""
        return bool(self.rules)

    def _require_open(self) -> None:
        week = {(day, hour) for day in range(7) for hour in range(24)}
        closed = {name: slots for name, slots in self._closed(week).items() if slots}
        # The fewest rules that leave nothing are the ones to name.
        for count in range(1, len(closed) + 1):
            for names in combinations(closed, count):
                if set().union(*(closed[name] for name in names)) == week:
                    raise PlanFault(" and ".join(names), "an hour left to trade in", "none")

    def _closed(self, week: Set[tuple[int, int]]) -> dict[str, set[tuple[int, int]]]:
        """Return the (day, hour) of a week that each rule closes from start to end."""
        session, exit_hour = self.session, self.weekend_exit_hour
        minutes = range(MINUTES_PER_HOUR)
        outside: set[int] = set()
        if session is not None:
            outside = {
                hour
                for hour in range(24)
                if not any(session.holds(hour * MINUTES_PER_HOUR + minute) for minute in minutes)
            }
        weekend = set() if exit_hour is None else {s for s in week if s >= (FRIDAY, exit_hour)}
        return {
            "hours.session": {slot for slot in week if slot[1] in outside},
            "hours.no_trade_hours": {slot for slot in week if slot[1] in self.no_trade_hours},
            "hours.no_trade_days": {slot for slot in week if slot[0] in self.no_trade_days},
            "hours.weekend_exit_hour": weekend,
        }


def _choice(name: str, values: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return distinct whole numbers from 0 to count - 1 as a tuple."""
    expected = f"whole numbers from 0 to {count - 1}, each once"
    require(isinstance(values, tuple | list | range), name, expected, values)
    is_whole = all(type(value) is int and 0 <= value < count for value in values)
    require(is_whole and len(set(values)) == len(values), name, expected, values)
    return tuple(values)


def _minute(name: str, text: str) -> int:
    """Return the minute of the day that HH:MM means."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text) if isinstance(text, str) else None
    if found is None:
        raise PlanFault(name, "a time such as 09:30", repr(text))
    return int(found[1]) * MINUTES_PER_HOUR + int(found[2])
