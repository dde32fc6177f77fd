"""Many parameter sets on one market: a row of summary metrics for each strategy and plan.

Theory. A set is a strategy and a plan. Each is run by the fastest engine that is known to give the
reference's result for it, and the row says by which. What sets share is made once: the bars with
their blocks, the columns of rules and the terms of the plans, the wishes of a strategy. A set that
an engine meets and cannot decide exactly goes to the next one, at last to the reference.

A set that cannot be run at all (a plan that contradicts the market, a strategy that fails) has a
row of NaN and one sentence that says why; the other sets go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from engines.backtest import run_backtest
from engines.errors import Fault, StrategyFault
from engines.features._shared import Shelf, sharing
from engines.kernels.columns import F64_2D, U8_1D
from engines.kernels.cpu import run_many
from engines.kernels.first_passage import run_first_passage
from engines.kernels.groups import Group, Groups, Market, Sorted
from engines.kernels.plan_terms import refusal_of_signals
from engines.kernels.summary import FIGURES, SUMMARY
from engines.kernels.wants import wants_of
from engines.metrics.measure import measure
from engines.plan import Plan
from engines.signals import Signals
from engines.wishes import (
    MakesSignals,
    Tradable,
    checked_signals,
    effective_plan,
    makes_signals,
)

__all__ = ["Engine", "Market", "Summaries", "Trials"]

SHARED_BYTES = 100_000_000  # of features that strategies share

F64_3D: TypeAlias = npt.NDArray[np.float64]
U8_2D: TypeAlias = npt.NDArray[np.uint8]
UNDECIDED = 1.0  # behind the figures of a set, 0 where they are sure


class Engine(IntEnum):
    """What ran a set: nothing, the reference, or one of its faster equals."""

    NONE = 0
    REFERENCE = 1
    MACHINE = 2
    FIRST_PASSAGE = 3
    GPU = 4


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
        self.market, self.plans = market, tuple(plans)
        # Numba never runs more threads than it found CPUs for when it began.
        self._threads = min(threads, numba.get_num_threads())
        self._groups = Groups(market)
        self._shelf = Shelf(SHARED_BYTES)
        self._sorted: Sorted | None = None

    def run(self, strategies: Sequence[Tradable]) -> Summaries:
        """Return the summaries of every strategy with every plan."""
        shape = len(strategies), len(self.plans)
        values, engine = np.full((*shape, FIGURES), np.nan), np.zeros(shape, np.uint8)
        errors: dict[tuple[int, int], str] = {}
        threads = numba.get_num_threads()
        numba.set_num_threads(self._threads)
        for row, strategy in enumerate(strategies):
            failed = self._run(strategy, values[row], engine[row])
            errors.update({(row, column): text for column, text in failed.items()})
        numba.set_num_threads(threads)
        return Summaries(values, engine, errors)

    def _run(self, strategy: Tradable, values: F64_2D, engine: U8_1D) -> dict[int, str]:
        """Run one strategy with every plan; return what failed, by the plan's place."""
        left, failed = list(range(len(self.plans))), dict[int, str]()
        if makes_signals(strategy):
            try:
                signals = self._wishes_of(strategy)
            except Fault as fault:
                return dict.fromkeys(left, str(fault))
            if refusal_of_signals(signals, self.market.instrument) is None:
                sets = self._sort(strategy)
                left, failed = list(sets.left), dict(sets.failed)
                for group in sets.groups:
                    left += self._run_group(signals, group, values, engine)
        for column in left:
            try:
                values[column] = self._run_reference(strategy, self.plans[column])
                engine[column] = Engine.REFERENCE
            except Fault as fault:
                failed[column] = str(fault)
        return failed

    def _wishes_of(self, strategy: MakesSignals) -> Signals:
        """Return what a strategy wants; one that fails is at fault, whatever it raises."""
        try:
            with sharing(self._shelf):
                return checked_signals(strategy, self.market.klines)
        except (Fault, AssertionError):
            raise
        except Exception:  # perhaps since it writes to what a feature gave it: give it its own
            return self._wishes_alone(strategy)

    def _wishes_alone(self, strategy: MakesSignals) -> Signals:
        try:
            return checked_signals(strategy, self.market.klines)
        except (Fault, AssertionError):
            raise
        except Exception as error:
            subject, found = f"signals of {type(strategy).__name__}", type(error).__name__
            raise StrategyFault(subject, "an answer", f"{found}: {error}") from error

    def _sort(self, strategy: MakesSignals) -> Sorted:
        """Return where the plans go as this strategy makes them; most leave them as they are."""
        failed, effective = dict[int, str](), dict[int, Plan]()
        for place, plan in enumerate(self.plans):
            try:
                effective[place] = effective_plan(strategy, plan)
            except Fault as fault:
                failed[place] = str(fault)
        if all(plan is self.plans[place] for place, plan in effective.items()) and not failed:
            if self._sorted is None:
                self._sorted = self._groups.sort(effective)
            return self._sorted
        sets = self._groups.sort(effective)
        return replace(sets, failed={**sets.failed, **failed})

    def _run_group(
        self, signals: Signals, group: Group, values: F64_2D, engine: U8_1D
    ) -> list[int]:
        """Run plans that read the same columns; return the places of those it cannot decide."""
        if not group.takes_levels:
            signals = replace(signals, stop_price=None, target_price=None)
        wants = wants_of(signals, group.rules)
        bars, places, terms = self._groups.bars, np.array(group.places), group.terms
        for run_by, ran_by in (
            (run_first_passage, Engine.FIRST_PASSAGE), (run_many, Engine.MACHINE),
        ):  # fmt: skip # the faster one first
            found = np.full((len(places), FIGURES + 1), UNDECIDED)
            run_by(bars, wants, group.charges, terms, found)
            is_run = found[:, FIGURES] == 0
            values[places[is_run]], engine[places[is_run]] = found[is_run, :FIGURES], ran_by
            places, terms = places[~is_run], terms[~is_run]
        left: list[int] = places.tolist()
        return left

    def _run_reference(self, strategy: Tradable, plan: Plan) -> list[float]:
        market = self.market
        result = run_backtest(
            strategy, market.klines, market.instrument, plan, market.costs,
            since_ms=market.since_ms, funding=market.funding, mark=market.mark,
        )  # fmt: skip # who and where, then the rest
        figures = measure(result)
        return [figures[name] for name in SUMMARY]
