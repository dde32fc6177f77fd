"""How wishes become orders: the frozen, validated settings of one run.

The names follow TradingView's strategy properties where it has them, so that a person who copies
the properties tab finds each field: initial capital, order size, pyramiding, close rule, margin,
fill orders on bar close, verify price for limit orders, and the risk rules.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from engines.errors import PlanFault

Member = TypeVar("Member", bound=StrEnum)


class SizingKind(StrEnum):
    """What the sizing value counts."""

    QTY = "qty"
    CASH = "cash"
    EQUITY_RATIO = "equity_ratio"


@dataclass(frozen=True, slots=True)
class Sizing:
    """Size of an order that names none: contracts, account currency, or a ratio of equity."""

    kind: SizingKind = SizingKind.QTY
    value: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", member("sizing kind", SizingKind, self.kind))
        if not (math.isfinite(self.value) and self.value > 0):
            raise PlanFault(f"sizing value ({self.kind})", "above zero", repr(self.value))


class CloseRule(StrEnum):
    """Which open entries an exit closes first.

    FIFO is TradingView's default and LIFO its mirror; ANY closes the entry that the exit names;
    with ALL any exit closes the whole position.
    """

    FIFO = "fifo"
    LIFO = "lifo"
    ANY = "any"
    ALL = "all"


class Direction(StrEnum):
    """Which positions entries may open; a forbidden side may still close."""

    BOTH = "both"
    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of a run, money in account currency.

    `sizing` is a tenth of equity by default: at 100 % margin an all-in short is called at once.
    `pyramiding` is the number of entries allowed in one direction. `stop_loss_ratio` and
    `take_profit_ratio` put a bracket around the entry price of every entry that a signal makes
    (None: no such exit). `margin_*_ratio` is the share of notional to be covered by equity (1 is
    TradingView's 100 %; 0 switches margin calls off). The caps are per trading day of the
    exchange's time zone; `intraday_loss_ratio_max` is of the equity at the day's start.
    """

    capital_quote: float = 10_000.0
    sizing: Sizing = field(default_factory=lambda: Sizing(SizingKind.EQUITY_RATIO, 0.1))
    pyramiding: int = 1
    close_rule: CloseRule = CloseRule.FIFO
    direction: Direction = Direction.BOTH
    stop_loss_ratio: float | None = None
    take_profit_ratio: float | None = None
    margin_long_ratio: float = 1.0
    margin_short_ratio: float = 1.0
    process_on_close: bool = False
    limit_verify_ticks: int = 0
    position_qty_max: float | None = None
    intraday_fills_max: int | None = None
    intraday_loss_ratio_max: float | None = None
    intraday_loss_quote_max: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "close_rule", member("close_rule", CloseRule, self.close_rule))
        object.__setattr__(self, "direction", member("direction", Direction, self.direction))
        for name in ("pyramiding", "limit_verify_ticks", "intraday_fills_max"):
            value = getattr(self, name)
            _require(value is None or type(value) is int, name, "a whole number", value)
        _require(0 <= self.pyramiding <= 999, "pyramiding", "0 to 999", self.pyramiding)
        ticks = self.limit_verify_ticks
        _require(ticks >= 0, "limit_verify_ticks", "zero or more", ticks)
        for name in ("stop_loss_ratio", "intraday_loss_ratio_max"):
            value = getattr(self, name)
            _require(value is None or 0 < value < 1, name, "a ratio between 0 and 1", value)
        for name in (
            "capital_quote", "take_profit_ratio", "position_qty_max", "intraday_loss_quote_max"
        ):  # fmt: skip # one list
            value = getattr(self, name)
            is_above = value is None or 0 < value < math.inf
            _require(is_above, name, "a finite number above zero", value)
        for name in ("margin_long_ratio", "margin_short_ratio"):
            _require(0 <= getattr(self, name) <= 1, name, "0 to 1", getattr(self, name))
        fills = self.intraday_fills_max
        _require(fills is None or fills >= 1, "intraday_fills_max", "1 or more", fills)


def member(name: str, kind: type[Member], value: str) -> Member:
    """Return `value` as a member of the enum `kind`; its plain text will do."""
    try:
        return kind(value)
    except ValueError:
        expected = f"one of {', '.join(str(item) for item in kind)}"
        raise PlanFault(name, expected, repr(value)) from None


def _require(holds: bool, name: str, expected: str, found: object) -> None:
    if not holds:
        raise PlanFault(name, expected, repr(found))
