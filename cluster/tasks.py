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

from cluster.batches import Batch, BatchPlan, Work, work_of
from cluster.failed_sets import FailedSets
from cluster.memory import keep_freed_memory
from cluster.study import Recipe, Study, StudyFault, code_version, require_bars
from cluster.study_table import ENGINE_NAMES, Rows, parquet_of, row_sums, table_of
from cluster.trial_keys import U64_1D, U64_2D, surroundings, trial_keys
from cluster.user_strategy import FoundStrategy, fault_of
from engines.errors import Fault
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


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came of a batch: its rows as a Parquet file, and what was counted on the way.

    `excluded` sets contradict a rule, `failed` ones could not be run: `faults` names the first of
    them and `failed_csv` all. `no_gpu` is why a GPU that was reserved for the batch could not run
    it, "" if it could or none was.
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
    failed_csv: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Plans made ready: trials of those that do not contradict, and their indices [Q].

    `key_steps` [Q] is by how much the trial key of each plan differs from that of the first one,
    `places` where each of those that were asked for lies among them, -1 if it contradicts.
    """

    trials: Trials
    plans: I64_1D
    key_steps: U64_1D
    places: I64_1D

    def columns_of(self, asked: I64_1D | None) -> I64_1D:
        """Return where some of the plans that were asked for lie; None: all."""
        places = self.places if asked is None else self.places[asked]
        return places[places >= 0]


@dataclass(slots=True)
class Workbench:
    """What a worker has prepared, by study, market and plans; the least used goes first."""

    _prepared: OrderedDict[object, Prepared] = field(default_factory=OrderedDict)

    def prepared(
        self,
        recipe: Recipe,
        number: int,
        market: Market,
        work: Work,
        threads: int,
        on_gpu: bool,
    ) -> Prepared:
        """Return what was made ready of the plans of a batch, or make it."""
        key = (recipe.study_id, number, tuple(work.plans), threads, on_gpu)
        if key not in self._prepared:
            made = _made_ready(recipe, market, work.plans, threads, on_gpu)
            if not work.comes_again:
                return made
            self._prepared[key] = made
            while len(self._prepared) > PREPARED_MAX:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(key)
        return self._prepared[key]


def _made_ready(
    recipe: Recipe, market: Market, indices: Sequence[int], threads: int, on_gpu: bool
) -> Prepared:
    known = [recipe.plan_at(index) for index in indices]
    plans = [plan for plan in known if plan is not None]
    aside, words_of = threads_aside(threads), recipe.strategy.words_of
    trials = Trials(market, plans, threads, on_gpu, aside, words_of)
    keys = _keys(recipe, market, [0], plans)[0]
    allowed = np.array([plan is not None for plan in known], np.bool_)
    places = np.where(allowed, allowed.cumsum() - 1, -1)
    return Prepared(trials, np.array(indices)[allowed], keys - keys[:1], places)


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
    try:
        work = work_of(batch, recipe.space, recipe.sample)
        ready = WORKBENCH.prepared(recipe, batch.market, market, work, threads, on_gpu)
        rows, failed = _evaluated(recipe, market, work, ready)
    except (Exception, SystemExit) as error:
        found = recipe.strategy
        if isinstance(error, Fault) or found.is_to_blame(error):
            raise fault_of(error, found, f"strategy {found.name}", "to run") from error
        raise
    klines = market.klines
    table = table_of(rows, recipe, klines.symbol, interval_text(klines.interval_ms))
    counts = np.bincount(rows.engine, minlength=len(ENGINE_NAMES)).tolist()
    return BatchResult(
        number=batch.number,
        market=batch.market,
        parquet=parquet_of(table) if len(rows) else b"",
        rows=len(rows),
        excluded=len(batch) - len(rows) - len(failed),
        failed=len(failed),
        faults=failed.sentences,
        engines={name: n for name, n in zip(ENGINE_NAMES, counts, strict=True) if n},
        sums=row_sums(rows, recipe, recipe.market_ids[batch.market]),
        seconds=time.perf_counter() - started,
        no_gpu=no_gpu or "",
        failed_csv=failed.csv(),
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """What all tasks of a study read, in the object store: the recipe, and each market."""

    recipe: Any
    markets: tuple[Any, ...]


def sent(study: Study) -> Sent:
    """Put what all tasks of a study read into the object store, once a run."""
    send_code(study.recipe.strategy)
    return Sent(ray.put(study.recipe), tuple(ray.put(market) for market in study.markets))


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
    recipe: Recipe, market: Market, work: Work, ready: Prepared
) -> tuple[Rows, FailedSets]:
    """Return the rows of every strategy that its rules allow with its plans, and what failed."""
    kept, columns, failed = list[tuple[int, Tradable]](), list[I64_1D](), FailedSets(recipe, market)
    for place, index in enumerate(work.strategies):
        own = ready.columns_of(None if work.columns is None else work.columns[place])
        try:
            strategy = recipe.strategy_at(index)
            if strategy is None:
                continue
            require_bars(strategy, market.klines, recipe.strategy.name)
        except (Exception, SystemExit) as error:
            if not (text := recipe.strategy.words_of(error)):
                raise
            failed.add(index, ready.plans[own].tolist(), text)
        else:
            kept.append((index, strategy))
            columns.append(own)
    if not sum(map(len, columns)):
        return Rows.joined([]), failed
    found = ready.trials.run_some([strategy for _, strategy in kept], columns)
    indices, counts = np.array([index for index, _ in kept]), list(map(len, columns))
    of_strategy, of_plan = np.repeat(np.arange(len(kept)), counts), np.concatenate(columns)
    keys = _keys(recipe, market, indices.tolist(), ready.trials.plans[:1])[:, 0]
    ran = np.ones(len(of_plan), np.bool_)
    ran[list(found.errors)] = False
    for place, text in found.errors.items():
        failed.add(int(indices[of_strategy[place]]), [int(ready.plans[of_plan[place]])], text)
    of_strategy, of_plan = of_strategy[ran], of_plan[ran]
    rows = Rows(
        strategy=indices[of_strategy],
        plan=ready.plans[of_plan],
        values=found.values[ran],
        engine=found.engine[ran],
        trial_key=keys[of_strategy] + ready.key_steps[of_plan],
    )
    return rows, failed


def _keys(
    recipe: Recipe, market: Market, strategies: Sequence[int], plans: Sequence[Plan]
) -> U64_2D:
    """Return the trial keys [S, Q] of strategies, by index, with plans."""
    parameters = [recipe.parameters_at(index) for index in strategies]
    around = surroundings(market.klines, market.instrument, market.funding, market.mark)
    return trial_keys(recipe.code, parameters, plans, market.costs, around, market.since_ms)


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


def _run_in_worker(
    recipe: Recipe, market: Market, batch: Batch, threads: int, has_gpu: bool
) -> BatchResult:
    """Evaluate a batch in a process that does nothing else."""
    keep_freed_memory()
    return run_batch(recipe, market, batch, threads, has_gpu)


evaluate = ray.remote(_run_in_worker)
