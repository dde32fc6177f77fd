"""How an entry wish becomes an order, and when a further one is allowed.

Theory. A wish at a close makes one order: at market, or a limit `offset_ratio` better than that
close, or a stop as far beyond it. A priced entry that has not filled after `timeout_bars` bars is
cancelled at the close of the last of them; any new wish takes its place before.

Re-entry rules are judged at the deciding close from the positions ended so far. Days and weeks are
the exchange's; a position belongs to the day of its end, an entry counts on the day of its
decision.
"""

from dataclasses import dataclass
from enum import StrEnum

from engines.plan.checks import between, member, whole


class EntryKind(StrEnum):
    """Which order an entry wish makes."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """The order of an entry wish."""

    kind: EntryKind = EntryKind.MARKET
    offset_ratio: float = 0.001
    timeout_bars: int = 5

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", member("entry.kind", EntryKind, self.kind))
        between("entry.offset_ratio", self.offset_ratio, 0, 1)
        whole("entry.timeout_bars", self.timeout_bars, 1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Reentry:
    """When a new position may be entered; None means no such rule.

    A wish must come at least `delay_bars` bars after the bar in which the last position ended,
    `cooldown_bars` if that position lost (0: it may come at that bar's own close). The maxima of
    trades a day and a week count entries. After `losses_in_a_row_max` losing positions nothing is
    entered until the next day of the exchange, which counts from zero. A position is one from flat
    to flat, in however many pieces it was left. A wish that is passed over does not close an
    opposite position either.
    """

    delay_bars: int = 0
    cooldown_bars: int = 0
    trades_per_day_max: int | None = None
    trades_per_week_max: int | None = None
    losses_in_a_row_max: int | None = None

    def __post_init__(self) -> None:
        whole("reentry.delay_bars", self.delay_bars, 0, 1_000_000)
        whole("reentry.cooldown_bars", self.cooldown_bars, 0, 1_000_000)
        whole("reentry.trades_per_day_max", self.trades_per_day_max, 1, 1_000_000, optional=True)
        whole("reentry.trades_per_week_max", self.trades_per_week_max, 1, 1_000_000, optional=True)
        whole("reentry.losses_in_a_row_max", self.losses_in_a_row_max, 1, 1_000_000, optional=True)

    @property
    def is_used(self) -> bool:
        """Return whether any rule is set."""
        return self != Reentry()
