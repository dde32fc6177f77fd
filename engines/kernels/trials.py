"""Many parameter sets on one market: a row of summary metrics for each strategy and plan.

Theory. A set is a strategy and a plan. Each is run by the fastest engine that is known to give the
reference's result for it, and the row says by which. A set that cannot be run at all (a plan that
contradicts the market, a strategy that fails) has a row of NaN and one sentence that says why; the
other sets go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engines.backtest import Backtest, run_backtest
from engines.costs import Costs
from engines.errors import Fault, PlanFault
from engines.funding import Funding
from engines.instrument import Instrument
from engines.kernels.backtest import run_by_kernel
from engines.kernels.plan_terms import refusal
from engines.kernels.summary import SUMMARY
from engines.klines import Klines
from engines.metrics.measure import measure
from engines.plan import Plan
from engines.wishes import Tradable, effective_plan, makes_signals

F64_3D: TypeAlias = npt.NDArray[np.float64]
U8_2D: TypeAlias = npt.NDArray[np.uint8]


class Engine(IntEnum):
    """What ran a set: nothing, the reference, or one of its faster equals."""

    NONE = 0
    REFERENCE = 1
    MACHINE = 2
    FIRST_PASSAGE = 3
    GPU = 4


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """One dataset of a study; the fields are arguments of `run_backtest`."""

    klines: Klines
    instrument: Instrument
    costs: Costs
    funding: Funding | None = None
    mark: Klines | None = None
    since_ms: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Summaries:
    """What came of S strategies with Q plans each.

    `values` [S, Q, len(SUMMARY)] are NaN where undefined, `engine` [S, Q] holds an `Engine`.
    `errors` says of each set that could not be run, by its place, why not.
    """

    values: F64_3D
    engine: U8_2D
    errors: Mapping[tuple[int, int], str]


class Trials:
    """Sets of one market, prepared once: its bars, and the plans of every strategy to come."""

    def __init__(self, market: Market, plans: Sequence[Plan], threads: int) -> None:
        assert threads > 0, "a caller passes the CPUs that it was given"
        self.market, self.plans, self.threads = market, tuple(plans), threads

    def run(self, strategies: Sequence[Tradable]) -> Summaries:
        """Return the summaries of every strategy with every plan."""
        shape = len(strategies), len(self.plans)
        values, engine = np.full((*shape, len(SUMMARY)), np.nan), np.zeros(shape, np.uint8)
        errors: dict[tuple[int, int], str] = {}
        for row, strategy in enumerate(strategies):
            for column, plan in enumerate(self.plans):
                try:
                    ran_by, result = self._run(strategy, plan)
                except Fault as fault:
                    errors[row, column] = str(fault)
                    continue
                engine[row, column] = ran_by
                figures = measure(result)
                values[row, column] = [figures[name] for name in SUMMARY]
        return Summaries(values, engine, errors)

    def _run(self, strategy: Tradable, plan: Plan) -> tuple[Engine, Backtest]:
        """Run one set by the fastest engine that can."""
        market = self.market
        klines, instrument, costs = market.klines, market.instrument, market.costs
        terms = {name: getattr(market, name) for name in ("since_ms", "funding", "mark")}
        if makes_signals(strategy):
            reason = refusal(effective_plan(strategy, plan), costs, instrument, klines)
            if reason is None:
                try:
                    found = run_by_kernel(strategy, klines, instrument, plan, costs, **terms)
                    return Engine.MACHINE, found
                except PlanFault as fault:
                    if fault.subject != "plan of a kernel run":
                        raise
        return Engine.REFERENCE, run_backtest(strategy, klines, instrument, plan, costs, **terms)
