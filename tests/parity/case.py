"""What one TradingView list needs to be run again: the strategy, its settings and its bars."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from engines.context import Context
from engines.costs import FREE, Costs
from engines.klines import MINUTE_MS
from engines.plan import Plan, Sizing, SizingKind
from engines.wishes import Tradable

DAY_MINUTES = 24 * 60
ONE_CONTRACT = Sizing(SizingKind.QTY, 1.0)


@dataclass(frozen=True)
class Case:
    """One list: `history` is where the indicators' history starts, `since` where trading does."""

    strategy: Tradable
    plan: Plan = field(default_factory=lambda: Plan(capital_quote=1_000_000, sizing=ONE_CONTRACT))
    costs: Costs = FREE
    history: str = "2025-03-31T00:00Z"
    since: str | None = None
    compares_excursions: bool = True


def time_ms(text: str) -> int:
    """Return the milliseconds of an ISO time such as 2025-03-31T00:00Z."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def opened_at(ctx: Context, *times: str) -> bool:
    """Return whether the bar that has just closed opened at one of the UTC `times` (hh:mm)."""
    minute = ctx.open_time_ms // MINUTE_MS % DAY_MINUTES
    return any(minute == int(time[:2]) * 60 + int(time[3:]) for time in times)
