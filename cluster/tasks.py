"""What a worker does for a sweep: evaluate one batch, or check one winner.

A worker keeps what it has prepared for the last few runs of plans, so that batches of the same
plans prepare nothing. Numba is told how many threads the task was given, because Ray limits other
libraries' threads but not Numba's. The functions are plain; Ray is applied in the last lines.
"""

import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import ray

from cluster.batches import Batch, BatchPlan, rectangles
from cluster.study import Recipe, StudyFault, code_version, require_bars
from cluster.study_table import ENGINE_NAMES, Rows, parquet_of, row_sums, table_of
from cluster.trial_keys import U64_1D, U64_2D, trial_keys
from cluster.user_strategy import FoundStrategy, fault_of
from engines.errors import Fault, KlineFault
from engines.kernels.gpu import why_not
from engines.kernels.trials import Market, Trials
from engines.klines import interval_text
from engines.plan import Plan
from engines.types import I64_1D
from engines.wishes import Tradable

PREPARED_MAX = 4
RATE_UNKNOWN = 10.0  # sets a second: batches small enough to lose
CLOCK_STEP_S = 1e-4
GROWTH = 8  # of the sets in one step of calibration
FAULTS_MAX = 5  # sentences kept of one batch; all are counted


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came of a batch: its rows as a Parquet file, and what was counted on the way.

    `excluded` sets contradict a rule, `failed` ones could not be run, `faults` says why. `no_gpu`
    is why a GPU that was reserved for the batch could not run it, "" if it could or none was.
    """

    number: int
    market: int
    parquet: bytes
    rows: int
    excluded: int
    failed: int
    faults: tuple[str, ...]
    engines: dict[str, int]
    sums: tuple[int, int]
    seconds: float
    no_gpu: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A run of plans made ready: trials of those that do not contradict, and their indices [Q].

    `key_steps` [Q] is by how much the trial key of each plan differs from that of the first one.
    """

    trials: Trials
    plans: I64_1D
    key_steps: U64_1D


@dataclass(slots=True)
class Workbench:
    """What a worker has prepared, by study, market and plans; the least used goes first."""

    _prepared: OrderedDict[object, Prepared] = field(default_factory=OrderedDict)

    def prepared(
        self,
        recipe: Recipe,
        number: int,
        market: Market,
        plans: Sequence[int],
        threads: int,
        on_gpu: bool,
    ) -> Prepared:
        """Return what was made ready of these plans, or make it."""
        key = (recipe.study_id, number, tuple(plans), threads, on_gpu)
        if key not in self._prepared:
            known = [(index, recipe.plan_at(index)) for index in plans]
            kept = [(index, plan) for index, plan in known if plan is not None]
            own = [plan for _, plan in kept]
            trials = Trials(market, own, threads, on_gpu, threads_aside(threads))
            keys = _keys(recipe, market, [0], trials.plans)[0]
            self._prepared[key] = Prepared(
                trials, np.array([index for index, _ in kept], np.int64), keys - keys[:1]
            )
            while len(self._prepared) > PREPARED_MAX:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(key)
        return self._prepared[key]


WORKBENCH = Workbench()


@cache
def threads_aside(threads: int) -> ThreadPoolExecutor | None:
    """Return the threads of a task but the one that it runs on, for `Trials`; none if that is all.

    They are kept for the tasks to come, as the worker is.
    """
    return ThreadPoolExecutor(threads - 1) if threads > 1 else None


def run_batch(
    recipe: Recipe, market: Market, batch: Batch, threads: int, has_gpu: bool
) -> BatchResult:
    """Evaluate every set of a batch on its market.

    Where a GPU is reserved for it but does not answer, its CPUs do the work, and the result says
    so: a node can have a GPU and no driver for it.
    Raises: StudyFault on a worker with other code; whatever a strategy raises, as a Fault where it
    is the strategy's own.
    """
    started = time.perf_counter()
    _require_same_code(recipe)
    no_gpu = why_not() if has_gpu else None
    on_gpu = has_gpu and no_gpu is None
    parts: list[Rows] = []
    failed, faults = 0, list[str]()
    try:
        for strategies, plans in rectangles(batch.work, recipe.space, recipe.sample):
            ready = WORKBENCH.prepared(recipe, batch.market, market, plans, threads, on_gpu)
            rows, wrong = _evaluated(recipe, market, strategies, ready)
            parts.append(rows)
            failed += len(wrong)
            faults += [text for text in wrong if text not in faults][: FAULTS_MAX - len(faults)]
    except (Exception, SystemExit) as error:
        found = recipe.strategy
        if isinstance(error, Fault) or found.is_to_blame(error):
            raise fault_of(error, found, f"strategy {found.name}", "to run") from error
        raise
    rows = Rows.joined(parts)
    klines = market.klines
    table = table_of(rows, recipe, klines.symbol, interval_text(klines.interval_ms))
    counts = np.bincount(rows.engine, minlength=len(ENGINE_NAMES)).tolist()
    return BatchResult(
        number=batch.number,
        market=batch.market,
        parquet=parquet_of(table) if len(rows) else b"",
        rows=len(rows),
        excluded=len(batch) - len(rows) - failed,
        failed=failed,
        faults=tuple(faults),
        engines={name: n for name, n in zip(ENGINE_NAMES, counts, strict=True) if n},
        sums=row_sums(rows, recipe, recipe.market_ids[batch.market]),
        seconds=time.perf_counter() - started,
        no_gpu=no_gpu or "",
    )


def send_code(strategy: FoundStrategy) -> None:
    """Let a user's file, and what it imports from its own folder, travel with what is sent.

    A worker has none of these files; built-in strategies are installed there.
    """
    if not strategy.source:
        return
    cloudpickle: Any = ray.cloudpickle  # its functions carry no types
    folder = Path(strategy.source).resolve().parent
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is not None and Path(file).resolve().parent == folder:
            cloudpickle.register_pickle_by_value(module)


def _require_same_code(recipe: Recipe) -> None:
    if code_version() != recipe.code_version:
        expected = f"{recipe.code_version} on every node, as on the one that asks"
        raise StudyFault("phalanx on a worker", expected, code_version())


def _evaluated(
    recipe: Recipe, market: Market, strategies: Sequence[int], ready: Prepared
) -> tuple[Rows, list[str]]:
    """Return the rows of every strategy that its rules allow with the plans, and what failed."""
    kept, wrong = list[tuple[int, Tradable]](), list[str]()
    for index in strategies:
        strategy = recipe.strategy_at(index)
        if strategy is None:
            continue
        try:
            require_bars(strategy, market.klines, recipe.strategy.name)
        except KlineFault as fault:
            wrong += [str(fault)] * len(ready.plans)
        else:
            kept.append((index, strategy))
    if not (kept and len(ready.plans)):
        return Rows.joined([]), wrong
    found = ready.trials.run([strategy for _, strategy in kept])
    indices = [index for index, _ in kept]
    keys = _keys(recipe, market, indices, ready.trials.plans[:1]) + ready.key_steps
    shape = found.engine.shape
    rows = Rows(
        strategy=np.repeat(np.array(indices), shape[1]),
        plan=np.tile(ready.plans, shape[0]),
        values=found.values.reshape(shape[0] * shape[1], -1),
        engine=found.engine.ravel(),
        trial_key=keys.ravel(),
    )
    if not found.errors:
        return rows, wrong
    ran = np.ones(shape, np.bool_)
    for place in found.errors:
        ran[place] = False
    names = ("strategy", "plan", "values", "engine", "trial_key")
    wrong += found.errors.values()
    return Rows(*(getattr(rows, name)[ran.ravel()] for name in names)), wrong


def _keys(
    recipe: Recipe, market: Market, strategies: Sequence[int], plans: Sequence[Plan]
) -> U64_2D:
    """Return the trial keys [S, Q] of strategies, by index, with plans."""
    parameters = [recipe.parameters_at(index) for index in strategies]
    return trial_keys(recipe.code, parameters, plans, market.costs, market.since_ms)


def calibrated(recipe: Recipe, market: Market, patience_s: float = 0.25) -> float:
    """Return about how many sets a second one CPU evaluates here, compilation left out.

    Sets that raise end the try; they are named where they are evaluated.
    """
    sets, rate = 1, RATE_UNKNOWN
    while True:
        batches = BatchPlan(1, sets).of(recipe)
        batch = batches[0]
        try:
            seconds = _cpu_seconds(recipe, market, batch)
            if seconds > patience_s:  # It may have loaded a kernel, or compiled one.
                seconds = min(seconds, _cpu_seconds(recipe, market, batch))
        except Exception:  # The same sets are evaluated as a batch, where it is kept and named.
            return rate
        rate = len(batch) / seconds
        if seconds > patience_s or len(batches) == 1:
            return rate
        sets *= GROWTH


def _cpu_seconds(recipe: Recipe, market: Market, batch: Batch) -> float:
    """Return what a batch costs on one CPU, whoever else uses it."""
    started = time.process_time()
    run_batch(recipe, market, batch, 1, has_gpu=False)
    return max(time.process_time() - started, CLOCK_STEP_S)


evaluate = ray.remote(run_batch)
