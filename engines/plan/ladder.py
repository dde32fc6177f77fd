"""Several orders for one entry wish: a first one, and rungs that wait at other prices.

Theory. A ladder is a list of rungs. The first has no offset and is the entry itself; each further
rung waits at `offset_ratio` from the deciding close: above zero against the position (a limit
below for a long: it averages in), below zero with it (a stop above for a long: it scales in). A
rung lives only as long as its position: going flat cancels it. While a ladder's position is open
further wishes of its side are passed over.

Money. A DCA or custom ladder shares one entry's budget (`weight`s sum to 1). Safety orders have
ratios of equity of their own, and `budget_ratio` is their sum.

    DCA       offsets from the close to `range_ratio`, each step `log_step` times the one before;
              weights grow by `martingale`:
                each         w[i] = m^i
                total        w[i] = m x (w[0] + ... + w[i-1]), w[0] = 1 (m = 1: what is held, again)
                progressive  w[i] = 1 + (m - 1) x i
    safety    3commas: base order, then orders at deviation, + deviation x step, ..., each `volume`
              times the one before
    custom    as given

With `refill` a rung whose own trade has closed at its target waits again at its price while the
position lasts: even rungs and a target of one step make a grid. So levels count from each entry
where rungs refill, elsewhere from the average of the ladder, unless `exits.basis` says otherwise.
`late_target` takes the place of the plan's target once so many entries have filled.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from engines.plan.checks import between, contradict, member, number, require, whole

RUNGS_MAX = 99  # as many entries as pyramiding allows
PORTION_NOISE = 1e-9


class Growth(StrEnum):
    """How the sizes of a DCA ladder grow."""

    EACH = "each"
    TOTAL = "total"
    PROGRESSIVE = "progressive"


@dataclass(frozen=True, slots=True)
class Rung:
    """One order: where it waits from the deciding close, and its weight in the budget."""

    offset_ratio: float
    weight: float

    def __post_init__(self) -> None:
        between("ladder.rungs offset_ratio", self.offset_ratio, -1, 1)
        between("ladder.rungs weight", self.weight, 0, float("inf"))


@dataclass(frozen=True, slots=True)
class LateTarget:
    """A target in place of the plan's once `entries` are open, from the close on."""

    entries: int = 3
    ratio: float = 0.01

    def __post_init__(self) -> None:
        whole("ladder.late_target.entries", self.entries, 1, RUNGS_MAX)
        between("ladder.late_target.ratio", self.ratio, 0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class DcaLadder:
    """`orders` in all over `range_ratio` of price."""

    kind: Literal["dca"] = "dca"
    orders: int = 5
    range_ratio: float = 0.01
    martingale: float = 1.5
    growth: Growth = Growth.EACH
    log_step: float = 1.2
    refill: bool = False
    late_target: LateTarget | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "growth", member("ladder.growth", Growth, self.growth))
        whole("ladder.orders", self.orders, 2, 15)
        number("ladder.range_ratio", self.range_ratio, 0.001, 0.5)
        number("ladder.martingale", self.martingale, 1, 5)
        number("ladder.log_step", self.log_step, 0.1, 10)

    @property
    def budget_ratio(self) -> float | None:
        """Return None: the plan's sizing is shared out."""
        return None

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Return the orders, the entry first, weights summing to 1."""
        steps = [self.log_step**i for i in range(self.orders - 1)]
        offsets = [0.0] + [
            self.range_ratio * sum(steps[: i + 1]) / sum(steps) for i in range(len(steps))
        ]
        weights = [1.0]
        for i in range(1, self.orders):
            weights.append(
                {
                    Growth.EACH: self.martingale**i,
                    Growth.TOTAL: self.martingale * sum(weights),
                    Growth.PROGRESSIVE: 1 + (self.martingale - 1) * i,
                }[self.growth]
            )
        total = sum(weights)
        return tuple(Rung(o, w / total) for o, w in zip(offsets, weights, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyOrders:
    """A base order and safety orders, as ratios of equity."""

    kind: Literal["safety"] = "safety"
    base_ratio: float = 0.1
    safety_ratio: float = 0.1
    orders: int = 5
    deviation_ratio: float = 0.01
    step: float = 1.4
    volume: float = 1.05
    refill: bool = False
    late_target: LateTarget | None = None

    def __post_init__(self) -> None:
        between("ladder.base_ratio", self.base_ratio, 0, 1)
        between("ladder.safety_ratio", self.safety_ratio, 0, 1)
        whole("ladder.orders", self.orders, 1, RUNGS_MAX - 1)
        between("ladder.deviation_ratio", self.deviation_ratio, 0, 1)
        number("ladder.step", self.step, 0.1, 10)
        number("ladder.volume", self.volume, 0.1, 10)
        last = self._offsets()[-1]
        if last >= 1:
            contradict(
                "ladder.deviation_ratio",
                "ladder.orders",
                "safety orders above a price of zero",
                f"the last {last:.0%} below the entry",
            )

    def _offsets(self) -> list[float]:
        return [
            self.deviation_ratio * sum(self.step**j for j in range(i + 1))
            for i in range(self.orders)
        ]

    def _ratios(self) -> list[float]:
        safety = [self.safety_ratio * self.volume**i for i in range(self.orders)]
        return [self.base_ratio, *safety]

    @property
    def budget_ratio(self) -> float | None:
        """Return the share of equity that all orders together spend."""
        return sum(self._ratios())

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Return the orders, the entry first, weights summing to 1."""
        ratios = self._ratios()
        total = sum(ratios)
        offsets = [0.0, *self._offsets()]
        return tuple(Rung(o, r / total) for o, r in zip(offsets, ratios, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomLadder:
    """Orders as given: the first without an offset, weights summing to 1."""

    kind: Literal["custom"] = "custom"
    rungs: tuple[Rung, ...]
    refill: bool = False
    late_target: LateTarget | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rungs", tuple(self.rungs))
        count = len(self.rungs)
        require(2 <= count <= RUNGS_MAX, "ladder.rungs", f"2 to {RUNGS_MAX}", count)
        first = self.rungs[0].offset_ratio
        require(first == 0, "ladder.rungs offset_ratio of the first", "0: it is the entry", first)
        total = sum(rung.weight for rung in self.rungs)
        if abs(total - 1) > PORTION_NOISE:
            contradict(
                "ladder.rungs weight",
                "ladder.rungs",
                "weights that sum to 1",
                f"{total:g} in {count}",
            )

    @property
    def budget_ratio(self) -> float | None:
        """Return None: the plan's sizing is shared out."""
        return None


Ladder: TypeAlias = DcaLadder | SafetyOrders | CustomLadder
