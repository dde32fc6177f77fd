"""What the manifest of a study says: what was asked, how it stands, and the best sets found.

study_id, status (running, complete, incomplete, interrupted), command, request, versions
strategy   name, source, code, fixed {parameter: value}
plan       the base plan as a plan file holds it
markets    [symbol, interval, bars, first_ms, last_ms, since_ms, sha256, costs, instrument,
           around {funding, mark, other NAME: SHA-256 of what is read besides the bars}]
space      strategy_axes and plan_axes [name, column, values], strategies, plans, sets,
           fingerprint
sample     count and seed, null for the whole grid
batches    sets_max and plans_max (how the space is cut), count, done
ranking    objective, is_larger_better, where, top
counts     sets, evaluated, excluded, failed, not_run (of batches that failed as a whole),
           met (the constraints)
engines    sets by the engine that ran them
no_gpu     {reason: batches} that a GPU was reserved for and CPUs ran
faults     sentences on the first sets that failed; failed/*.csv beside this file lists them all
failed_batches {number: sentence} of batches that were not run
best       [rank, set_id, symbol, interval, engine, objective, settings, metrics, verified,
           difference], the best first; undefined metrics are null. verified is true where the
           kernel's single run gives the reference's trades and the row its metrics, "reference"
           where the reference itself made the row, false where anything differs
trials     {market: trials of this strategy on these bars, over all studies}
table_hash of all rows, whatever their order (`study_table`); rows
seconds, sets_per_second of the last run that had sets to run
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.batches import Batch, BatchPlan, span_text
from cluster.plan_shapes import tree_of
from cluster.study import Study, market_name
from cluster.study_folder import Finished
from cluster.study_table import added, table_hash
from cluster.trial_keys import surroundings
from engines.kernels.trials import Market
from engines.klines import interval_text
from engines.report import fingerprint
from engines.search.objectives import Constraint, Objective, TopList

FAULTS_MAX = 20
REFERENCE = "reference"
SPEED = ("seconds", "sets_per_second")


@dataclass(frozen=True, slots=True)
class Ranking:
    """How sets are ranked: it decides which are shown, not which are evaluated."""

    objective: Objective
    constraints: tuple[Constraint, ...] = ()
    top: int = 20


@dataclass(slots=True)
class Standing:
    """How a sweep stands: what has been counted, and the best so far.

    `failed` sets could not be run, `not_run` ones are of batches that failed as a whole, which are
    run again when the study goes on. `resumed` are the sets of batches that an earlier run has
    finished; `sets_per_second` is of this run. `verifying` winners are run again on the reference,
    0 before that begins.
    """

    study: Study
    plan: BatchPlan
    batches: int
    top: TopList
    done: int = 0
    evaluated: int = 0
    excluded: int = 0
    failed: int = 0
    not_run: int = 0
    resumed: int = 0
    verifying: int = 0
    seconds: float = 0.0
    sums: tuple[int, int] = (0, 0)
    engines: Counter[str] = field(default_factory=Counter)
    no_gpu: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    failed_batches: dict[int, str] = field(default_factory=dict)

    @property
    def counted(self) -> int:
        """Return how many sets are accounted for."""
        return self.evaluated + self.excluded + self.failed

    @property
    def sets_per_second(self) -> float:
        """Return the speed of this run."""
        return (self.counted - self.resumed) / self.seconds if self.seconds > 0 else 0.0

    @property
    def best(self) -> float:
        """Return the best objective so far, NaN without one."""
        if not self.top.best:
            return math.nan
        score = self.top.best[0].score
        return score if self.top.objective.is_larger_better else -score

    @property
    def table_hash(self) -> str:
        """Return the hash of all rows so far."""
        return table_hash(self.sums, self.evaluated, self.study.recipe.space.fingerprint)

    def count(self, item: Finished) -> None:
        """Take a finished batch in."""
        self.done += 1
        self.evaluated += item.rows
        self.excluded += item.excluded
        self.failed += item.failed
        self.sums = added(self.sums, item.sums)
        self.engines.update(item.engines)
        self.no_gpu.update([item.no_gpu] if item.no_gpu else [])
        fresh = [text for text in item.faults if text not in self.faults]
        self.faults += fresh[: FAULTS_MAX - len(self.faults)]

    def leave(self, batch: Batch, why: str) -> None:
        """Note that a batch could not be run."""
        recipe = self.study.recipe
        span = span_text(batch, recipe.space, recipe.sample)
        where = market_name(self.study.markets[batch.market])
        self.not_run += len(batch)
        said = f"batch {batch.number} was not run ({span} on {where}): {why}"
        self.failed_batches[batch.number] = said


@dataclass(frozen=True, slots=True)
class Winner:
    """A set of the top list, with its row and what the reference says of it.

    `is_alone`: no kernel runs the set, so the reference made the row and has nothing beside it.
    """

    rank: int
    row: Mapping[str, Any]
    objective: float | None
    settings: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    is_verified: bool
    difference: str
    is_alone: bool = False

    @property
    def verified(self) -> bool | str:
        """Return whether two engines agree, or "reference" where no other one runs the set."""
        return REFERENCE if self.is_verified and self.is_alone else self.is_verified


def manifest_of(
    standing: Standing,
    request: Mapping[str, Any],
    status: str,
    winners: Sequence[Winner] = (),
    trials: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the manifest; `request` is what the caller adds to say what was asked of whom."""
    study = standing.study
    return {
        "study_id": study.id,
        "status": status,
        **request,
        **_asked(study),
        "batches": {
            "sets_max": standing.plan.sets_max,
            "plans_max": standing.plan.plans_max,
            "count": standing.batches,
            "done": standing.done,
        },
        "ranking": _ranking(standing.top),
        "counts": {
            "sets": study.sets,
            "evaluated": standing.evaluated,
            "excluded": standing.excluded,
            "failed": standing.failed,
            "not_run": standing.not_run,
            "met": standing.top.met,
        },
        "engines": dict(standing.engines),
        "no_gpu": dict(standing.no_gpu),
        "faults": standing.faults,
        "failed_batches": {str(number): text for number, text in standing.failed_batches.items()},
        "best": [_best(winner) for winner in winners],
        "trials": dict(trials or {}),
        "table_hash": standing.table_hash,
        "rows": standing.evaluated,
        "seconds": round(standing.seconds, 3),
        "sets_per_second": round(standing.sets_per_second, 1),
    }


def _asked(study: Study) -> dict[str, Any]:
    recipe, space, sample = study.recipe, study.recipe.space, study.recipe.sample
    axes = [
        [
            {"name": axis.name, "column": column, "values": list(axis.values)}
            for axis, column in zip(part.axes, columns, strict=True)
        ]
        for part, columns in zip((space.strategies, space.plans), recipe.columns, strict=True)
    ]
    return {
        "code_version": recipe.code_version,
        "strategy": {
            "name": recipe.strategy.name,
            "source": recipe.strategy.source,
            "code": recipe.code,
            "fixed": dict(recipe.fixed),
        },
        "plan": tree_of(recipe.plan),
        "markets": [_market(market) for market in study.markets],
        "space": {
            "strategy_axes": axes[0],
            "plan_axes": axes[1],
            "strategies": space.strategies.size,
            "plans": space.plans.size,
            "sets": len(space),
            "fingerprint": space.fingerprint,
        },
        "sample": None if sample is None else {"count": sample.count, "seed": sample.seed},
    }


def _ranking(top: TopList) -> dict[str, Any]:
    return {
        "objective": top.objective.name,
        "is_larger_better": top.objective.is_larger_better,
        "where": [str(item) for item in top.constraints],
        "top": top.size,
    }


def _market(market: Market) -> dict[str, Any]:
    klines = market.klines
    around = surroundings(klines, market.instrument, market.funding, market.mark)
    return {
        "symbol": klines.symbol,
        "interval": interval_text(klines.interval_ms),
        "bars": len(klines),
        "first_ms": int(klines.open_time_ms[0]),
        "last_ms": int(klines.close_time_ms[-1]),
        "since_ms": market.since_ms,
        "sha256": fingerprint(klines),
        "costs": tree_of(market.costs),
        "instrument": tree_of(market.instrument),
        "around": {name: text for name, text in around.items() if name != "instrument"},
    }


def _best(winner: Winner) -> dict[str, Any]:
    return {
        "rank": winner.rank,
        **{name: winner.row[name] for name in ("set_id", "symbol", "interval", "engine")},
        "objective": winner.objective,
        "settings": dict(winner.settings),
        "metrics": dict(winner.metrics),
        "verified": winner.verified,
        "difference": winner.difference,
    }
