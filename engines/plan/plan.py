"""The plan of one run: every setting that turns wishes into orders.

The names follow TradingView's strategy properties where it has them, so that a person who copies
the properties tab finds each field: initial capital, order size, pyramiding, close rule, margin,
fill orders on bar close, verify price for limit orders, and the risk rules.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from engines.plan.checks import between, contradict, member, number, require, whole
from engines.plan.closes import Close
from engines.plan.entry import EntryTerms, Reentry
from engines.plan.exits import Basis, Exits
from engines.plan.filters import Filter
from engines.plan.hours import Hours
from engines.plan.ladder import Ladder
from engines.plan.sizing import Sizing, SizingKind

LEVERAGE_MAX = 125
CAPITAL_MIN, CAPITAL_MAX = 100, 100_000_000


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


class Market(StrEnum):
    """What is traded: a linear perpetual, or the coin itself, which cannot be sold short."""

    LINEAR = "linear"
    SPOT = "spot"


class MarginMode(StrEnum):
    """What a leveraged position can lose: its own margin, or the whole account."""

    ISOLATED = "isolated"
    CROSS = "cross"


class PositionMode(StrEnum):
    """One net position, or a long and a short one side by side."""

    NET = "net"
    HEDGE = "hedge"


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of a run, money in account currency.

    `sizing` is a tenth of equity by default: at 100 % margin an all-in short is called at once.
    `pyramiding` is the number of entries allowed in one direction. `margin_*_ratio` is the share of
    notional to be covered by equity (1 is TradingView's 100 %; 0 switches margin calls off).
    `leverage` above 1 says the same for both sides, with liquidation by the instrument's margin
    tiers in the place of margin calls. In HEDGE mode there are no margin calls either (without
    leverage a short ends at twice its entry), and no limits that judge the whole account: caps, the
    largest drawdown, cross margin. The caps are per trading day of the exchange's time zone;
    `intraday_loss_ratio_max` is of the equity at the day's start.
    """

    capital_quote: float = 10_000.0
    sizing: Sizing = field(default_factory=lambda: Sizing(SizingKind.EQUITY_RATIO, 0.1))
    pyramiding: int = 1
    close_rule: CloseRule = CloseRule.FIFO
    direction: Direction = Direction.BOTH
    leverage: float = 1.0
    margin_mode: MarginMode = MarginMode.ISOLATED
    position_mode: PositionMode = PositionMode.NET
    market: Market = Market.LINEAR
    exits: Exits = field(default_factory=Exits)
    entry: EntryTerms = field(default_factory=EntryTerms)
    reentry: Reentry = field(default_factory=Reentry)
    hours: Hours = field(default_factory=Hours)
    filters: tuple[Filter, ...] = ()
    closes: tuple[Close, ...] = ()
    ladder: Ladder | None = None
    margin_long_ratio: float = 1.0
    margin_short_ratio: float = 1.0
    process_on_close: bool = False
    limit_verify_ticks: int = 0
    position_qty_max: float | None = None
    intraday_fills_max: int | None = None
    intraday_loss_ratio_max: float | None = None
    intraday_loss_quote_max: float | None = None

    def __post_init__(self) -> None:
        for name, kind in (
            ("margin_mode", MarginMode),
            ("position_mode", PositionMode),
            ("market", Market),
            ("direction", Direction),
            ("close_rule", CloseRule),
        ):
            object.__setattr__(self, name, member(name, kind, getattr(self, name)))
        object.__setattr__(self, "filters", tuple(self.filters))
        object.__setattr__(self, "closes", tuple(self.closes))
        number("capital_quote", self.capital_quote, CAPITAL_MIN, CAPITAL_MAX)
        number("leverage", self.leverage, 1, LEVERAGE_MAX)
        whole("pyramiding", self.pyramiding, 0, 99)
        whole("limit_verify_ticks", self.limit_verify_ticks, 0, 1_000_000)
        number("margin_long_ratio", self.margin_long_ratio, 0, 1)
        number("margin_short_ratio", self.margin_short_ratio, 0, 1)
        between("position_qty_max", self.position_qty_max, 0, math.inf, optional=True)
        whole("intraday_fills_max", self.intraday_fills_max, 1, 1_000_000, optional=True)
        between("intraday_loss_ratio_max", self.intraday_loss_ratio_max, 0, 1, optional=True)
        between("intraday_loss_quote_max", self.intraday_loss_quote_max, 0, math.inf, optional=True)
        self._check_spot()
        self._check_leverage()
        self._check_hedge()
        self._check_size()
        self._check_exits()
        self._check_ladder()

    @property
    def is_hedged(self) -> bool:
        """Return whether a long and a short position may be open side by side."""
        return self.position_mode is PositionMode.HEDGE

    @property
    def is_leveraged(self) -> bool:
        """Return whether positions can be liquidated."""
        return self.leverage > 1

    @property
    def uses_volatility(self) -> bool:
        """Return whether entries are sized by it; a ladder may have a budget of its own instead."""
        has_budget = self.ladder is not None and self.ladder.budget_ratio is not None
        return self.sizing.kind is SizingKind.VOLATILITY and not has_budget

    @property
    def basis(self) -> Basis:
        """Return which price levels count from, also where `exits` leave it open."""
        if self.exits.basis is not None:
            return self.exits.basis
        is_whole = self.ladder is not None and not self.ladder.refill
        return Basis.AVERAGE if is_whole else Basis.ENTRY

    def _check_spot(self) -> None:
        if self.market is not Market.SPOT:
            return
        if self.leverage > 1:
            contradict("market", "leverage", "spot without leverage", f"spot and {self.leverage:g}")
        for name in ("margin_long_ratio", "margin_short_ratio"):
            if getattr(self, name) != 1:
                found = f"spot and {getattr(self, name):g}"
                contradict("market", name, "spot paid in full, a ratio of 1", found)
        if self.direction is not Direction.LONG:
            contradict(
                "market", "direction", "spot with direction long", f"spot and {self.direction}"
            )

    def _check_hedge(self) -> None:
        """Refuse what is judged on one net position beside a long and a short one."""
        if not self.is_hedged:
            return
        for name, value in (
            ("intraday_fills_max", self.intraday_fills_max),
            ("intraday_loss_ratio_max", self.intraday_loss_ratio_max),
            ("intraday_loss_quote_max", self.intraday_loss_quote_max),
            ("exits.drawdown_ratio_max", self.exits.drawdown_ratio_max),
        ):
            if value is not None:
                expected = "one net position with a limit of the whole account"
                contradict("position_mode", name, expected, f"hedge and {value:g}")
        if self.is_leveraged and self.margin_mode is MarginMode.CROSS:
            found = f"hedge and cross on {self.leverage:g}x"
            contradict("position_mode", "margin_mode", "isolated margin in hedge mode", found)
        if self.market is Market.SPOT:
            contradict("position_mode", "market", "a perpetual in hedge mode", "hedge and spot")

    def _check_leverage(self) -> None:
        for name in ("margin_long_ratio", "margin_short_ratio") if self.is_leveraged else ():
            if getattr(self, name) != 1:
                found = f"{self.leverage:g} and {getattr(self, name):g}"
                contradict("leverage", name, "one of them to say what is borrowed", found)

    def _check_size(self) -> None:
        power = self.capital_quote * self.leverage
        if self.sizing.kind is SizingKind.CASH and self.sizing.value > power:
            contradict(
                "sizing.value", "capital_quote", f"cash within the capital x leverage ({power:g})",
                f"{self.sizing.value:g}",
            )  # fmt: skip # one sentence
        require(
            self.sizing.kind is not SizingKind.EQUITY_RATIO or self.sizing.value <= 1000,
            "sizing.value", "a ratio of equity", self.sizing.value,
        )  # fmt: skip # one sentence

    def _check_exits(self) -> None:
        if self.close_rule is CloseRule.ALL and self.exits.targets:
            contradict(
                "close_rule", "exits.targets", "a rule that lets a target take its portion", "all"
            )

    def _check_ladder(self) -> None:
        ladder = self.ladder
        if ladder is None:
            return
        is_ratio = self.sizing.kind is SizingKind.EQUITY_RATIO
        if is_ratio and ladder.budget_ratio is None and self.sizing.value > 1:
            contradict(
                "ladder",
                "sizing.value",
                "a ladder that spends at most all of the equity",
                f"{self.sizing.value:.0%} of it",
            )
        ratio = ladder.budget_ratio
        if ratio is not None and ratio > 1:
            contradict(
                "ladder",
                "capital_quote",
                "safety orders that spend at most all of the equity",
                f"{ratio:.0%} of it",
            )
        if ladder.late_target is not None and self.exits.targets:
            contradict(
                "ladder.late_target",
                "exits.targets",
                "a late target in place of one target",
                "both",
            )
