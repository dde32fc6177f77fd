"""The gate in front of entry wishes: how soon, how often, and after how many losses in a row.

Theory. Everything follows from the rounds ended so far (positions, flat to flat: one that was left
in pieces is one) and the entries decided so far. An end belongs to the day on which its bar opens,
a decision to the day on which its bar closes, both in the exchange's time zone; weeks begin on
Monday. See `plan.entry.Reentry` for the rules.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from engines.plan import Reentry
from engines.position import Round

DAYS_PER_WEEK = 7


class ReentryGate:
    """Judges entry wishes of one run; it looks at each ended position once."""

    def __init__(self, rules: Reentry, time_zone: str, rounds: Sequence[Round]) -> None:
        self._rules = rules
        self._zone = ZoneInfo(time_zone)
        self._rounds = rounds
        self._seen = 0
        self._losses_in_a_row = 0
        self._halted_day = -1
        self._day = self._week = -1
        self._today = self._this_week = 0

    def refusal(self, bar_index: int, close_time_ms: int) -> str | None:
        """Return why a wish at the close of `bar_index` is passed over, None if it is not."""
        rules = self._rules
        if self._rounds:
            last = self._rounds[-1]
            bars = bar_index - last.exit_bar
            if bars < rules.delay_bars:
                return "entries within the delay after an exit"
            if bars < rules.cooldown_bars and last.pnl_quote < 0:
                return "entries within the cooldown after a loss"
        day = self._day_of(close_time_ms)
        self._turn(day)
        if rules.trades_per_day_max is not None and self._today >= rules.trades_per_day_max:
            return "entries beyond the trades of a day"
        if rules.trades_per_week_max is not None and self._this_week >= rules.trades_per_week_max:
            return "entries beyond the trades of a week"
        if rules.losses_in_a_row_max is not None and self._is_halted(day):
            return "entries after losses in a row"
        return None

    def count(self, close_time_ms: int) -> None:
        """Count an entry decided at this close."""
        self._turn(self._day_of(close_time_ms))
        self._today += 1
        self._this_week += 1

    def _turn(self, day: int) -> None:
        week = (day - 1) // DAYS_PER_WEEK  # day 1 of the calendar was a Monday
        if day != self._day:
            self._day, self._today = day, 0
        if week != self._week:
            self._week, self._this_week = week, 0

    def _is_halted(self, day: int) -> bool:
        """Return whether losses in a row forbid entries on `day`."""
        limit = self._rules.losses_in_a_row_max
        for one in self._rounds[self._seen :]:
            exit_day = self._day_of(one.exit_time_ms)
            if exit_day <= self._halted_day:
                continue  # What ends on a halted day is part of it.
            if one.pnl_quote < 0:
                self._losses_in_a_row += 1
            elif one.pnl_quote > 0:
                self._losses_in_a_row = 0
            if self._losses_in_a_row == limit:
                self._halted_day, self._losses_in_a_row = exit_day, 0
        self._seen = len(self._rounds)
        return day <= self._halted_day

    def _day_of(self, time_ms: int) -> int:
        moment = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(self._zone)
        return moment.toordinal()
