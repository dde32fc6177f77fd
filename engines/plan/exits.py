"""Stops and targets that the plan puts around every entry that a signal makes.

Theory. A level is a distance from a base price: the entry's own fill, the average of the open
position, or the last fill (`basis`; with the latter two every fill moves the levels of all
entries). Where the plan does not say which, a ladder that does not refill counts from the average,
for it is one position bought in parts, and all else from each entry (`Plan.basis`). A stop or
target price that the strategy gives with its signal goes before the plan's, unless `levels` leaves
the strategy's own out. A fixed and an ATR stop together mean the nearer one.
With several targets each takes its portion of the entry and the stop holds for what is left.

Trailing: armed when price has gained `activation`, the stop then follows the best price at
`distance`; both are fixed at the fill, a ratio counting of the base price.

Breakeven: once price has gained `activation_ratio`, the stop moves to the base price plus
`offset_ratio` in the direction of profit. With several targets it moves instead at each of them:
at the first to the base price plus offset, at every further one to the target before.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from engines.plan.checks import between, contradict, member, number, require, whole

TARGETS_MAX = 4
PORTION_NOISE = 1e-9


class Basis(StrEnum):
    """Which price the distances of stops and targets count from."""

    ENTRY = "entry"
    AVERAGE = "average"
    LAST = "last"


class LevelSource(StrEnum):
    """Whose stops and targets hold: the strategy's where it gives some, or only the plan's."""

    STRATEGY = "strategy"
    PLAN = "plan"


class DistanceUnit(StrEnum):
    """What a trailing distance counts."""

    RATIO = "ratio"
    TICKS = "ticks"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Target:
    """One of several targets: its distance and the portion of the entry that it takes."""

    ratio: float
    portion: float

    def __post_init__(self) -> None:
        between("exits.targets ratio", self.ratio, 0, 100)
        number("exits.targets portion", self.portion, 1e-6, 1)


@dataclass(frozen=True, slots=True)
class Trailing:
    """A stop that follows the best price, once price has gained `activation`."""

    activation: float = 0.01
    distance: float = 0.005
    unit: DistanceUnit = DistanceUnit.RATIO

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", member("exits.trailing.unit", DistanceUnit, self.unit))
        high = 1.0 if self.unit is DistanceUnit.RATIO else 1e9
        number("exits.trailing.activation", self.activation, 0, high)
        number("exits.trailing.distance", self.distance, 0, high)


@dataclass(frozen=True, slots=True)
class Breakeven:
    """Where the stop moves to the entry: gained `activation_ratio`, locked `offset_ratio`."""

    activation_ratio: float = 0.005
    offset_ratio: float = 0.0

    def __post_init__(self) -> None:
        between("exits.breakeven.activation_ratio", self.activation_ratio, 0, 100)
        number("exits.breakeven.offset_ratio", self.offset_ratio, -1, 100)
        if self.offset_ratio >= self.activation_ratio:
            contradict(
                "exits.breakeven.offset_ratio",
                "exits.breakeven.activation_ratio",
                "a stop behind the price that moves it",
                f"{self.offset_ratio:g} and {self.activation_ratio:g}",
            )


@dataclass(frozen=True, slots=True)
class Exits:
    """Stops and targets; None and an empty tuple mean no such exit.

    Ratios are of the base price, which `basis` names: without one the average of a ladder that does
    not refill, and each entry's own price elsewhere. `stop_atr` and `target_atr` are multiples of
    the ATR at the deciding close. `only_in_profit` lets wishes and rules close a position only
    where its result after commission is above zero; stops and targets still act.
    `drawdown_ratio_max`: once equity has fallen so far from its highest close the position is
    closed and nothing is entered any more.
    """

    stop_loss_ratio: float | None = None
    take_profit_ratio: float | None = None
    stop_atr: float | None = None
    target_atr: float | None = None
    atr_period: int = 14
    targets: tuple[Target, ...] = ()
    trailing: Trailing | None = None
    breakeven: Breakeven | None = None
    basis: Basis | None = None
    levels: LevelSource = LevelSource.STRATEGY
    only_in_profit: bool = False
    drawdown_ratio_max: float | None = None

    def __post_init__(self) -> None:
        if self.basis is not None:
            object.__setattr__(self, "basis", member("exits.basis", Basis, self.basis))
        object.__setattr__(self, "levels", member("exits.levels", LevelSource, self.levels))
        object.__setattr__(self, "targets", tuple(self.targets))
        between("exits.stop_loss_ratio", self.stop_loss_ratio, 0, 1, optional=True)
        between("exits.take_profit_ratio", self.take_profit_ratio, 0, float("inf"), optional=True)
        between("exits.stop_atr", self.stop_atr, 0, 1000, optional=True)
        between("exits.target_atr", self.target_atr, 0, 1000, optional=True)
        whole("exits.atr_period", self.atr_period, 2, 1000)
        between("exits.drawdown_ratio_max", self.drawdown_ratio_max, 0, 1, optional=True)
        self._check_targets()
        self._check_breakeven()
        self._check_trailing()

    @property
    def uses_atr(self) -> bool:
        """Return whether a level is a multiple of the ATR."""
        return self.stop_atr is not None or self.target_atr is not None

    @property
    def farthest_ratio(self) -> float | None:
        """Return the distance of the last fixed target, None without one."""
        return self.targets[-1].ratio if self.targets else self.take_profit_ratio

    def _check_targets(self) -> None:
        given = {
            "exits.take_profit_ratio": self.take_profit_ratio,
            "exits.target_atr": self.target_atr,
            "exits.targets": self.targets or None,
        }
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            contradict(named[0], named[1], "one kind of target", "both")
        if not self.targets:
            return
        count = len(self.targets)
        require(count <= TARGETS_MAX, "exits.targets", f"{TARGETS_MAX} at most", count)
        ratios = [target.ratio for target in self.targets]
        is_ascending = all(a < b for a, b in pairwise(ratios))
        require(is_ascending, "exits.targets ratio", "each above the one before", ratios)
        total = sum(target.portion for target in self.targets)
        if abs(total - 1) > PORTION_NOISE:
            contradict(
                "exits.targets portion",
                "exits.targets",
                "portions that sum to 1",
                f"{total:g} in {count}",
            )

    def _check_breakeven(self) -> None:
        target = self.take_profit_ratio
        if self.breakeven is None:
            return
        if self.targets and self.breakeven.offset_ratio >= self.targets[0].ratio:
            contradict(
                "exits.breakeven.offset_ratio",
                "exits.targets ratio",
                "a stop behind the first target, which moves it",
                f"{self.breakeven.offset_ratio:g} and {self.targets[0].ratio:g}",
            )
        if target is None:
            return
        if self.breakeven.activation_ratio >= target:
            contradict(
                "exits.breakeven.activation_ratio",
                "exits.take_profit_ratio",
                "a breakeven before the target",
                f"{self.breakeven.activation_ratio:g} and {target:g}",
            )

    def _check_trailing(self) -> None:
        target = self.farthest_ratio
        if self.trailing is None or target is None or self.trailing.unit is not DistanceUnit.RATIO:
            return
        if self.trailing.activation >= target:
            contradict(
                "exits.trailing.activation",
                "exits.targets" if self.targets else "exits.take_profit_ratio",
                "a trailing stop that arms before the last target",
                f"{self.trailing.activation:g} and {target:g}",
            )
