"""What makes one set better than another: an objective, constraints and a bounded list of the best.

Theory. An objective is one summary metric with its natural direction (a drawdown, a cost or a loss
is small, everything else large; `min:NAME` and `max:NAME` say otherwise), or `composite`:

    composite = cagr_ratio / (drawdown_ratio_max + 0.05) x trades / (trades + 30)

growth a year for each unit of drawdown, where a drawdown below five percent earns nothing more by
vanishing and few trades count for less (at 30 trades one half). A score is the objective turned so
that the higher one wins. NaN never wins, and a constraint on NaN never holds.

Equal scores are ordered by market and set number, so that the list depends on what was evaluated
and not on the order in which it came.
"""

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engines.errors import ParameterFault
from engines.kernels.summary import SUMMARY
from engines.types import BOOL_1D, F64_1D, I64_1D

SMALL_IS_GOOD = frozenset(
    {
        "drawdown_closed_quote_max", "drawdown_quote_max", "drawdown_ratio_max", "bars_held_mean",
        "exposure_ratio", "fees_quote", "funding_quote", "liquidations", "loss_quote_max",
        "losses_in_a_row_max",
    }
)  # fmt: skip  # one list
COMPOSITE = "composite"
COMPOSITE_READS = ("cagr_ratio", "drawdown_ratio_max", "trades")
DRAWDOWN_FLOOR, TRADES_HALF = 0.05, 30
DIRECTIONS = {"min": False, "max": True}

Columns = Mapping[str, F64_1D]
OPERATORS: Mapping[str, Callable[[F64_1D, float], BOOL_1D]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, "==": operator.eq,
    ">": operator.gt, "<": operator.lt,
}  # fmt: skip  # the longer ones first, as they are looked for in this order


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric by which sets are ranked, and whether the larger value is the better one."""

    name: str
    is_larger_better: bool

    @classmethod
    def parse(cls, text: str) -> "Objective":
        """Return the objective that a text names, such as sharpe, min:trades or composite.

        Raises: ParameterFault for an unknown metric.
        """
        direction, colon, name = text.strip().rpartition(":")
        if colon and direction not in DIRECTIONS:
            raise ParameterFault("objective", "min:NAME or max:NAME", repr(text))
        if name != COMPOSITE:
            _require_metric("objective", name, (*SUMMARY, COMPOSITE))
        return cls(name, DIRECTIONS.get(direction, name not in SMALL_IS_GOOD))

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the metrics that the score is made of."""
        return COMPOSITE_READS if self.name == COMPOSITE else (self.name,)

    def values(self, columns: Columns) -> F64_1D:
        """Return the objective of each set [N], NaN where it is undefined."""
        if self.name != COMPOSITE:
            return columns[self.name]
        growth, drawdown, trades = (columns[name] for name in COMPOSITE_READS)
        return growth / (drawdown + DRAWDOWN_FLOOR) * (trades / (trades + TRADES_HALF))

    def scores(self, columns: Columns) -> F64_1D:
        """Return the score of each set [N]: the higher the better, NaN never wins."""
        values = self.values(columns)
        return values if self.is_larger_better else -values


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a set must fulfil to be ranked, such as trades >= 30."""

    metric: str
    operator: str
    value: float

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """Return the constraint that a text such as "trades>=30" means.

        Raises: ParameterFault for an unknown metric, another form or no number.
        """
        found = re.fullmatch(r"\s*(\w+)\s*(>=|<=|==|!=|=|>|<)\s*(\S+)\s*", text)
        if found is None:
            raise ParameterFault("constraint", "METRIC OPERATOR NUMBER as trades>=30", repr(text))
        name, sign, number = found.groups()
        _require_metric(f"constraint {text.strip()}", name, SUMMARY)
        try:
            value = float(number[:-1]) / 100 if number.endswith("%") else float(number)
        except ValueError:
            value = float("nan")
        if value != value:
            raise ParameterFault(f"constraint {text.strip()}", "a number", repr(number))
        return cls(name, "==" if sign == "=" else sign, value)

    def __str__(self) -> str:
        """Return the constraint as `parse` takes it, with every digit: a manifest keeps it so."""
        number = int(self.value) if self.value.is_integer() else self.value
        return f"{self.metric}{self.operator}{number!r}"

    def holds(self, columns: Columns) -> BOOL_1D:
        """Return of each set [N] whether it fulfils this; what is undefined does not."""
        values = columns[self.metric]
        return OPERATORS[self.operator](values, self.value) & ~np.isnan(values)


def _require_metric(subject: str, name: str, known: Sequence[str]) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    expected = f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(known)}"
    raise ParameterFault(subject, expected, f"the unknown metric {name!r}")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A set in the list of the best; `place` is where its row was found."""

    score: float
    market: int
    set_id: int
    place: int


@dataclass(slots=True)
class TopList:
    """The best `size` sets of all that were shown to it, in no particular order of showing.

    `met` counts the sets that fulfil the constraints and have a score.
    """

    size: int
    objective: Objective
    constraints: Sequence[Constraint] = ()
    met: int = 0
    _best: list[Ranked] = field(default_factory=list)

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the metrics that `show` needs."""
        names = (*self.objective.reads, *(item.metric for item in self.constraints))
        return tuple(dict.fromkeys(names))

    @property
    def best(self) -> tuple[Ranked, ...]:
        """Return the list, the best first."""
        return tuple(self._best)

    def show(self, columns: Columns, set_ids: I64_1D, market: int, place: int) -> None:
        """Take the best of these sets [N] of one market, found at `place`, into the list."""
        scores = self.objective.scores(columns)
        fits = ~np.isnan(scores)
        for constraint in self.constraints:
            fits &= constraint.holds(columns)
        self.met += int(np.count_nonzero(fits))
        chosen = np.flatnonzero(fits)
        if len(chosen) > self.size > 0:
            # Every set that ties with the last one stays: set numbers decide below.
            worst = np.partition(scores[chosen], len(chosen) - self.size)[len(chosen) - self.size]
            chosen = chosen[scores[chosen] >= worst]
        if len(self._best) == self.size > 0:
            chosen = chosen[scores[chosen] >= self._best[-1].score]
        order = np.lexsort((set_ids[chosen], -scores[chosen]))[: self.size]
        found = [Ranked(float(scores[i]), market, int(set_ids[i]), place) for i in chosen[order]]
        self._best = sorted([*self._best, *found], key=_order)[: self.size]


def _order(item: Ranked) -> tuple[float, int, int]:
    return -item.score, item.market, item.set_id


def constraints_of(texts: Iterable[str]) -> tuple[Constraint, ...]:
    """Return the constraints that texts mean; one text may join several by commas.

    Raises: ParameterFault.
    """
    return tuple(Constraint.parse(part) for text in texts for part in text.split(","))
