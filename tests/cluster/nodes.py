"""The cluster of the tests, and small studies to run on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ray.cluster_utils import Cluster

from cluster.batches import BatchPlan
from cluster.settings import ClusterSettings
from cluster.study import Study, study_of, swept_settings
from cluster.study_folder import StudyFolder
from cluster.study_manifest import Ranking, Standing
from cluster.study_table import added, table_hash
from cluster.sweep import Sweep, SweepResult, Watch
from cluster.tasks import run_batch
from cluster.user_strategy import find_strategy
from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels.trials import Market
from engines.plan import Plan
from engines.search.grid import parse_grid
from engines.search.objectives import Objective
from engines.search.plan_axes import plan_settings
from engines.search.sampling import Sample
from engines.search.space import Space
from engines.synthetic import synthetic_klines

BARS = 1500
GRID = "fast=5:20:5 slow=20,30,40"
PLAN_GRID = "stop_loss=1%:4%:1%"
SOLID = ClusterSettings(task_retries=5)
FINE = ClusterSettings(task_seconds=0.001)  # so that there are many batches

# A strategy of a user's file: an average crossed by price, with something that happens on the way.
USER_STRATEGY = '''\
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import ray

from engines.signals import Signals
from strategies.base import SignalStrategy, parameter


def on_worker():
    return ray.get_runtime_context().worker.mode == 1


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Crossed(SignalStrategy):
    """Price crosses a mean."""

    period: int = parameter(5, low=2, high=500)

    def check(self):
        {built}

    def signals(self, klines):
        {happens}
        sums = np.cumsum(np.insert(klines.close, 0, 0.0))
        mean = np.full(len(klines), np.nan)
        mean[self.period - 1 :] = (sums[self.period :] - sums[: -self.period]) / self.period
        above = klines.close > mean
        cross = np.insert(above[1:] & ~above[:-1], 0, False)
        under = np.insert(~above[1:] & above[:-1], 0, False)
        none = np.zeros(len(klines), dtype=bool)
        return Signals(cross, under, none, none)
'''


@dataclass(frozen=True)
class Nodes:
    """The nodes of a test cluster."""

    cluster: Cluster

    @property
    def address(self) -> str:
        """Return where the cluster is joined."""
        return str(self.cluster.address)

    def add(self, cpus: int) -> Any:
        """Return a further node."""
        return self.cluster.add_node(object_store_memory=2**27, num_cpus=cpus)

    def remove(self, node: Any) -> None:
        """Kill a node."""
        self.cluster.remove_node(node, allow_graceful=False)


def market(bars: int = BARS, seed: int = 3, symbol: str = "TESTUSDT") -> Market:
    """Return made-up bars to trade."""
    klines = replace(synthetic_klines(bars, 900_000, seed), symbol=symbol)
    return Market(klines, Instrument(symbol, 0.1, 0.001), Costs())


def small_study(
    grid: str = GRID,
    plan_grid: str = PLAN_GRID,
    strategy: str = "ema_crossover",
    sample: tuple[int, int] | None = None,
    markets: tuple[Market, ...] = (),
    fixed: Mapping[str, str] | None = None,
) -> Study:
    """Return a study of made-up bars; `sample` is its count and seed."""
    found = find_strategy(strategy)
    axes, _ = parse_grid(grid, swept_settings(found.parameters), found.name)
    plan_axes, _ = parse_grid(plan_grid, plan_settings(Plan()), "the plan")
    swept = {axis.name for axis in axes}
    values = found.values(dict(fixed or {}))
    space = Space.of(axes, plan_axes)
    drawn = None if sample is None else Sample(len(space), *sample)
    kept = {name: value for name, value in values.items() if name not in swept}
    return study_of(found, kept, Plan(), space, markets or (market(),), drawn)


def user_strategy(folder: Path, happens: str = "pass", built: str = "pass") -> str:
    """Write a user's strategy in which something happens when it is `built` or asked for signals.

    Whatever follows `on_worker() and` happens on a worker of the cluster alone.
    """
    path = folder / "crossed.py"
    path.write_text(USER_STRATEGY.format(happens=happens, built=built))
    return f"{path}:Crossed"


def quiet(standing: Standing) -> None:
    """Show nothing."""


def swept(
    study: Study,
    out: Path,
    watch: Watch = quiet,
    settings: ClusterSettings = SOLID,
    top: int = 3,
) -> SweepResult:
    """Run a study into the folder `out`."""
    ranking = Ranking(Objective.parse("net_profit_quote"), (), top)
    folder = StudyFolder(out / study.id)
    with folder.locked():
        return Sweep(study, folder, ranking, settings, {}, watch).run()


def in_one_program(study: Study, sets_max: int = 7) -> tuple[str, pa.Table]:
    """Return the table of a study and its hash, made without a cluster."""
    sums, rows, tables = (0, 0), 0, []
    for batch in BatchPlan(len(study.markets), sets_max).of(study.recipe):
        found = run_batch(study.recipe, study.markets[batch.market], batch, 1, has_gpu=False)
        sums, rows = added(sums, found.sums), rows + found.rows
        if found.rows:
            tables.append(pq.read_table(pa.BufferReader(found.parquet)))
    return table_hash(sums, rows, study.recipe.space.fingerprint), pa.concat_tables(tables)
