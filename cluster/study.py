"""What a study is: a strategy, what is fixed and what is swept of it, a plan, and markets.

A study is known by what it computes, not by when it is run: the same strategy, code, space, plan
and bars are the same study, which is why a second run of one goes on where the first one stopped.
What it is ranked by is not part of it.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import engines
import strategies
from cluster.plan_shapes import tree_of
from cluster.trial_keys import code_fingerprint
from cluster.user_strategy import FoundStrategy
from engines.errors import Fault, KlineFault, ParameterFault, PlanFault
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Market
from engines.klines import Klines, interval_text
from engines.plan import Plan
from engines.report import fingerprint
from engines.search.grid import Setting, Value
from engines.search.plan_axes import with_settings
from engines.search.sampling import Sample
from engines.search.space import Space, swept_names
from engines.wishes import Tradable
from strategies.base import Parameter, ParameterValue

PROBES_MAX = 100_000
ID_DIGITS = 10
# What a row begins and ends with; a swept setting of such a name gets a prefix.
ROW_HEAD, ROW_TAIL = ("set_id", "symbol", "interval"), ("engine", "trial_key")


class StudyFault(Fault):
    """A study that cannot be made, continued or stored."""


class StudyBusy(StudyFault):
    """A study that another program is at work on."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What every task of a study needs besides the bars of one market.

    `fixed` are the values of the parameters that are not swept, `code` the strategy's fingerprint;
    `study_id` and the fingerprints `market_ids` are those of the study that it belongs to.
    """

    strategy: FoundStrategy
    fixed: Mapping[str, ParameterValue]
    plan: Plan
    space: Space
    sample: Sample | None
    code: str
    code_version: str
    study_id: str = ""
    market_ids: tuple[str, ...] = ()

    def parameters_at(self, index: int) -> dict[str, Value]:
        """Return every parameter's value at a strategy index."""
        return {**self.fixed, **self.space.strategies.values_at(index)}

    def strategy_at(self, index: int) -> Tradable | None:
        """Return the strategy at an index, None where its own rules exclude these values."""
        values: Mapping[str, ParameterValue] = self.parameters_at(index)  # type: ignore[assignment]  # a strategy's axis is never None
        try:
            return self.strategy.make(values)
        except ParameterFault:
            return None
        except Fault as fault:
            if isinstance(fault.__cause__, ValueError):  # a plain class's way to refuse values
                return None
            raise

    def plan_at(self, index: int) -> Plan | None:
        """Return the plan at an index, None where its settings contradict each other."""
        try:
            return with_settings(self.plan, self.space.plans.values_at(index))
        except PlanFault:
            return None

    @property
    def columns(self) -> tuple[list[str], list[str]]:
        """Return the names of the columns of the strategy's and of the plan's axes."""
        taken = (*ROW_HEAD, *SUMMARY, *ROW_TAIL)
        return (
            swept_names(self.space.strategies.axes, taken, "strategy"),
            swept_names(self.space.plans.axes, taken, "plan"),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A recipe and the markets on which every set of it is evaluated."""

    recipe: Recipe
    markets: tuple[Market, ...]

    @property
    def id(self) -> str:
        """Return the name under which its results are kept."""
        return self.recipe.study_id

    @property
    def points(self) -> int:
        """Return how many sets are tried on each market."""
        sample = self.recipe.sample
        return len(self.recipe.space) if sample is None else len(sample)

    @property
    def sets(self) -> int:
        """Return how many sets are tried in all."""
        return self.points * len(self.markets)


def study_of(
    strategy: FoundStrategy,
    fixed: Mapping[str, ParameterValue],
    plan: Plan,
    space: Space,
    markets: Sequence[Market],
    sample: Sample | None = None,
) -> Study:
    """Return the study of these, checked to hold at least one set.

    Raises: ParameterFault or PlanFault where rules exclude every combination; StudyFault where a
    market comes twice.
    """
    recipe = Recipe(
        strategy, fixed, plan, space, sample, code_fingerprint(strategy.cls), code_version()
    )
    _require_some(recipe)
    names = [market_name(market) for market in markets]
    if len(set(names)) < len(names):
        raise StudyFault("markets of a study", "each once", ", ".join(names))
    recipe = replace(recipe, market_ids=tuple(map(market_fingerprint, markets)))
    return Study(replace(recipe, study_id=_study_id(recipe)), tuple(markets))


def market_name(market: Market) -> str:
    """Return a market as people call it, such as BTCUSDT 15m."""
    return f"{market.klines.symbol} {interval_text(market.klines.interval_ms)}"


def swept_settings(parameters: Sequence[Parameter]) -> list[Setting]:
    """Return a strategy's parameters as settings of a grid."""
    return [
        Setting(item.name, type(item.default), item.low, item.high, item.step)
        for item in parameters
    ]


@cache
def code_version() -> str:
    """Return the version of phalanx and a hash of all code that decides a result."""
    digest = hashlib.sha256()
    for package in (engines, strategies):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{importlib.metadata.version('phalanx')}+{digest.hexdigest()[:12]}"


def market_fingerprint(market: Market) -> str:
    """Return a hash of all that a market brings into a result."""
    digest = hashlib.sha256(fingerprint(market.klines).encode())
    for name, other in sorted(market.klines.others.items()):
        digest.update(f"{name}={fingerprint(other)}".encode())
    if market.mark is not None:
        digest.update(b"mark" + fingerprint(market.mark).encode())
    if market.funding is not None:
        digest.update(market.funding.time_ms.tobytes() + market.funding.rate.tobytes())
    digest.update(f"{market.instrument!r} {market.costs!r} {market.since_ms}".encode())
    return digest.hexdigest()


def require_bars(strategy: Tradable, klines: Klines, name: str) -> None:
    """Raise KlineFault where bars are too few for the warm-up of a strategy, called `name`."""
    ask = getattr(strategy, "min_bars", None)
    needed = int(ask()) if callable(ask) else 1
    if len(klines) < needed:
        raise KlineFault(
            f"bars of {klines.symbol} {interval_text(klines.interval_ms)}",
            f"at least {needed}, the warm-up of {name}",
            f"{len(klines)}",
        )


def _study_id(recipe: Recipe) -> str:
    sample = recipe.sample
    known = {
        "strategy": [recipe.strategy.bare_name, recipe.code, sorted(recipe.fixed.items())],
        "plan": tree_of(recipe.plan),
        "space": recipe.space.fingerprint,
        "sample": None if sample is None else [sample.count, sample.seed],
        "markets": recipe.market_ids,
        "code_version": recipe.code_version,
    }
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_]+", "_", recipe.strategy.bare_name.removesuffix(".py"))
    return f"{name}-{digest[:ID_DIGITS]}"


def first_strategy(recipe: Recipe) -> Tradable:
    """Return a strategy that its own rules allow.

    One whose constructor fails is no better than one that is not allowed.
    Raises: the Fault of the first combination if there is none among those tried.
    """
    for index in _probed(recipe.space.strategies.size):
        with contextlib.suppress(Fault):
            if (strategy := recipe.strategy_at(index)) is not None:
                return strategy
    values: Mapping[str, ParameterValue] = recipe.parameters_at(0)  # type: ignore[assignment]  # as above
    return recipe.strategy.make(values)


def first_plan(recipe: Recipe) -> Plan:
    """Return a plan whose settings agree.

    Raises: PlanFault of the first combination if there is none among those tried.
    """
    for index in _probed(recipe.space.plans.size):
        if (plan := recipe.plan_at(index)) is not None:
            return plan
    return with_settings(recipe.plan, recipe.space.plans.values_at(0))


def _probed(size: int) -> Iterator[int]:
    """Yield every index of a space, or many at random where it is large."""
    if size <= PROBES_MAX:
        return iter(range(size))
    return iter(Sample(size, PROBES_MAX, 0).points(0, PROBES_MAX).tolist())


def _require_some(recipe: Recipe) -> None:
    """Raise the first combination's own fault where every combination is excluded."""
    sizes = {"strategy": recipe.space.strategies.size, "plan": recipe.space.plans.size}
    for name, first in (("strategy", first_strategy), ("plan", first_plan)):
        try:
            first(recipe)
        except Fault as fault:
            tried = min(sizes[name], PROBES_MAX)
            raise type(fault)(
                f"all {tried:,} combinations of the {name} that were tried: {fault.subject}",
                fault.expected,
                fault.found,
            ) from None
