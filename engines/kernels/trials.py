"""Many parameter sets on one market: a row of summary metrics for each strategy and plan.

Theory. A set is a strategy and a plan. Each is run by the fastest engine that is known to give the
reference's result for it, and the row says by which. What sets share is made once: the bars with
their blocks, the columns of rules and the terms of the plans, the wishes of a strategy. A set that
an engine meets and cannot decide exactly goes to the next one, at last to the reference. A GPU, if
it is there, takes the machine's sets where they are many: one that walks alone is slow on it.

A set that cannot be run at all (a plan that contradicts the market, a strategy that fails) has a
row of NaN and one sentence that says why; the other sets go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np

from engines.backtest import run_backtest
from engines.errors import Fault, StrategyFault
from engines.features._shared import Shelf, sharing
from engines.kernels import slots
from engines.kernels.chains.lists import Aside, ChainRuns
from engines.kernels.chains.opens import Opened, opened_of
from engines.kernels.chains.runs import Found
from engines.kernels.chains.wished import Wished
from engines.kernels.columns import F64_2D, F64_3D, U8_1D, U8_2D, Wants
from engines.kernels.cpu import run_sets
from engines.kernels.gpu import GpuRuns
from engines.kernels.groups import Group, Groups, Market
from engines.kernels.ordering import in_tiles
from engines.kernels.passage.runs import PLANS_MIN, run_first_passage
from engines.kernels.pending import Asked, Engine, Pending, Waiting, Words, words_of_fault
from engines.kernels.plan_terms import refusal_of_signals
from engines.kernels.sorting import Sorting
from engines.kernels.summary import FIGURES, SUMMARY
from engines.kernels.wants import wants_of
from engines.metrics.measure import measure
from engines.plan import Plan
from engines.signals import Signals
from engines.types import I64_1D
from engines.wishes import (
    MakesSignals,
    Tradable,
    checked_signals,
    makes_signals,
)

__all__ = ["Engine", "Market", "Summaries", "Trials"]

SHARED_BYTES = 100_000_000  # of features that strategies share
GIVEN_MAX = 8  # plans, of its own, from which on first passage finds given levels faster
GPU_SETS_MIN = 512  # on an H100 as many take as long as one, about what a core does meanwhile
GPU_ROOM = 32  # times as many sets and wishes wait for a GPU

UNDECIDED = 1.0  # behind the figures of a set, 0 where they are sure


@dataclass(frozen=True, slots=True, eq=False)
class Summaries:
    """What came of S strategies with Q plans each.

    `values` [S, Q, len(SUMMARY)] are NaN where undefined, `engine` [S, Q] holds an `Engine`.
    `errors` says of each set that could not be run, by its place, why not.
    """

    values: F64_3D
    engine: U8_2D
    errors: Mapping[tuple[int, int], str]


@dataclass(frozen=True, slots=True, eq=False)
class SomeSummaries:
    """What came of N sets, row by row: the fields of `Summaries`, by their one place."""

    values: F64_2D
    engine: U8_1D
    errors: Mapping[int, str]


class Trials:
    """Sets of one market, prepared once: its bars, and the plans of every strategy to come.

    With `on_gpu`, which asks for one that answers (`gpu.why_not`), the machine's sets run there.
    `aside` are threads, of those that the caller was given, on which chains run beside the
    strategies that are asked for their signals; without them each waits for the other. `words_of`
    says what an error of a strategy comes to: who knows its file can name the line.
    """

    def __init__(
        self, market: Market, plans: Sequence[Plan], threads: int, on_gpu: bool = False,
        aside: Aside | None = None, words_of: Words = words_of_fault,
    ) -> None:  # fmt: skip # what, then by what
        assert threads > 0, "a caller passes the CPUs that it was given"
        self._on_gpu, self._aside, self._words_of = on_gpu, aside, words_of
        self._gpu_runs: dict[int, GpuRuns] = {}
        self.market, self.plans = market, tuple(plans)
        # Numba never runs more threads than it found CPUs for when it began.
        self._threads = min(threads, numba.get_num_threads())
        self._groups = Groups(market)
        self._shelf = Shelf(SHARED_BYTES)
        self._sorting = Sorting(self._groups, self.plans, words_of)
        self._opened = dict[bool, Opened]()

    def run(self, strategies: Sequence[Tradable]) -> Summaries:
        """Return the summaries of every strategy with every plan."""
        found = self._found(strategies, Asked(len(strategies), len(self.plans)))
        shape = len(strategies), len(self.plans)
        errors = {divmod(place, len(self.plans)): text for place, text in found.errors.items()}
        return Summaries(found.values.reshape(*shape, -1), found.engine.reshape(shape), errors)

    def run_some(self, strategies: Sequence[Tradable], columns: Sequence[I64_1D]) -> SomeSummaries:
        """Return the summaries of each strategy with some plans, ascending places of `plans`."""
        return self._found(strategies, Asked(len(strategies), len(self.plans), columns))

    def _found(self, strategies: Sequence[Tradable], asked: Asked) -> SomeSummaries:
        batch = Pending(strategies, asked, GPU_ROOM if self._on_gpu else 1)
        threads = numba.get_num_threads()
        numba.set_num_threads(self._threads)
        try:
            self._run(strategies, batch)
        finally:
            numba.set_num_threads(threads)
        return SomeSummaries(batch.values, batch.engine, dict(sorted(batch.errors.items())))

    def _run(self, strategies: Sequence[Tradable], batch: Pending) -> None:
        def settle(wished: Wished, found: Found) -> None:
            self._settle(wished, found, batch)

        threads = self._threads
        chains = ChainRuns(len(strategies), self._aside, threads, settle)
        try:
            order = in_tiles(strategies)
            self._sorting.begin(strategies, order)
            for row in order:
                strategy = strategies[row]
                if makes_signals(strategy):
                    self._want(row, strategy, batch, chains)
                else:
                    batch.leave(row, batch.asked.columns_of(row).tolist())
            chains.finish()
        finally:  # Nothing waits any more, unless something was raised.
            chains.cancel()
        self._play_all(batch)
        for place in batch.left:
            self._run_reference(place, batch)

    def _want(self, row: int, strategy: MakesSignals, batch: Pending, chains: ChainRuns) -> None:
        """Run what faster engines can of one strategy, and let the machine's sets wait."""
        columns = batch.asked.columns_of(row)
        try:
            signals = self._wishes_of(strategy)
        except Fault as fault:
            batch.fail(row, columns, self._words_of(fault))
            return
        sets = self._sorting.sort(row)
        if spent := self._sorting.take_spent():
            chains.close(spent)
        if sets.left or sets.failed:
            asked = set(columns.tolist())
            batch.leave(row, asked.intersection(sets.left))
            for column in asked.intersection(sets.failed):
                batch.fail(row, np.array([column]), sets.failed[column])
        for group, items in zip(sets.groups, sets.items, strict=True):
            taken = signals if group.takes_levels else signals.without_levels()
            is_listed = batch.is_wide and taken.have_no_size
            if is_listed:
                items = self._chain(row, taken, group, items, batch, chains)
            items = batch.asked.among(row, group.places, items)
            if not len(items):
                continue
            taken = taken.priced()
            if refusal_of_signals(taken, self.market.instrument) is not None:
                batch.leave(row, group.places[items].tolist())
                continue
            wants = wants_of(taken, group.rules)
            items = self._pass_levels(row, wants, group, items, batch)
            if is_listed:
                items = self._stack(row, taken, group, items, chains)
            self._await(row, wants, group, items, batch)
            if sets is not self._sorting.common:  # whose wishes the cache holds now
                self._play_all(batch)

    def _chain(
        self, row: int, taken: Signals, group: Group, items: I64_1D, batch: Pending,
        chains: ChainRuns,
    ) -> I64_1D:  # fmt: skip # who wishes, then for what
        """Let chains run what they can of a strategy's plans; return which they leave."""
        if not taken.are_plain and group.rules.atr is not None:
            return items
        ways = group.plain if taken.are_plain else group.given
        chained = self._asked(row, group, ways.chained, items, batch)
        if not taken.are_plain:
            alone = self._asked(row, group, group.alone.chained, items, batch)
            if len(chained) - len(alone) >= GIVEN_MAX:
                ways, chained = group.alone, alone
        if len(chained) and not chains.add(row, taken, group, chained, self._opened_of(group)):
            return items
        left = ways.unchained
        return np.intersect1d(left, items, assume_unique=True) if len(left) else left

    def _asked(self, row: int, group: Group, some: I64_1D, items: I64_1D, batch: Pending) -> I64_1D:
        """Return which of some plans of a group are a strategy's own `items` and asked of it."""
        own = some if len(items) == len(group.items) else np.intersect1d(some, items)
        return batch.asked.among(row, group.places, own)

    def _stack(
        self, row: int, taken: Signals, group: Group, items: I64_1D, chains: ChainRuns
    ) -> I64_1D:
        """Let what first passage has left of a group be walked; return which plans are not."""
        if not taken.are_plain and group.rules.atr is not None:
            return items
        is_stacked = group.stacked[items]
        own = items[is_stacked]
        if len(own) and chains.add(row, taken, group, own, self._opened_of(group), True):
            return items[~is_stacked]
        return items

    def _opened_of(self, group: Group) -> Opened:
        """Return what fills cost on this market, at opens or at closes, whoever asks first."""
        settles = bool(group.terms[0, slots.SETTLES] != 0)
        if settles not in self._opened:
            opened = opened_of(self._groups.bars, group.charges, group.terms[0])
            self._opened[settles] = opened
        return self._opened[settles]

    def _pass_levels(
        self, row: int, wants: Wants, group: Group, items: I64_1D, batch: Pending
    ) -> I64_1D:
        """Run by first passage what can be of some plans of a group; return which it leaves."""
        tried = items[~group.spends_all[items]]
        if len(tried) < PLANS_MIN:
            return items
        found = np.full((len(tried), FIGURES + 1), UNDECIDED)
        run_first_passage(self._groups.bars, wants, group.charges, group.terms[tried], found)
        rows, columns = np.full(len(tried), row), group.places[tried]
        is_run = batch.put(rows, columns, found, Engine.FIRST_PASSAGE)
        return np.setdiff1d(items, tried[is_run], assume_unique=True)

    def _settle(self, wished: Wished, found: Found, batch: Pending) -> None:
        """Keep what chains have found; what they have not decided waits for the machine."""
        rows, left = np.array(wished.rows), dict[int, list[int]]()
        for item, places, figures in found:
            columns = np.full(len(places), wished.group.places[item])
            is_run = batch.put(rows[places], columns, figures, Engine.FIRST_PASSAGE)
            for place in places[~is_run].tolist():
                left.setdefault(place, []).append(item)
        for place, items in left.items():
            wants = wished.wants(place)
            self._await(wished.rows[place], wants, wished.group, np.array(items), batch)

    def _await(self, row: int, wants: Wants, group: Group, items: I64_1D, batch: Pending) -> None:
        """Let plans of a group wait for the machine with what the strategy at `row` wants."""
        if not len(items):
            return
        machine = batch.machine_of(group)
        machine.add(row, wants, items)
        if machine.is_full:
            self._play(machine, batch)

    def _play_all(self, batch: Pending) -> None:
        """Run all that waits for the machine."""
        for machine in list(batch.machines):
            self._play(machine, batch)

    def _play(self, machine: Waiting, batch: Pending) -> None:
        """Run the sets that wait for the machine; those that it cannot decide are left."""
        batch.machines.remove(machine)
        group, sets = machine.group, np.concatenate(machine.sets)
        bars, engine = self._groups.bars, Engine.MACHINE
        if self._on_gpu and len(sets) >= GPU_SETS_MIN:
            engine = Engine.GPU
            found = self._gpu_of(group).run_sets(machine.wants, group.terms, sets)
        else:
            found = run_sets(bars, machine.wants, group.charges, group.terms, sets)
        rows, columns = np.array(machine.rows)[sets[:, 0]], group.places[sets[:, 1]]
        is_run = batch.put(rows, columns, found, engine)
        batch.left += zip(rows[~is_run].tolist(), columns[~is_run].tolist(), strict=True)

    def _gpu_of(self, group: Group) -> GpuRuns:
        """Return the bars on the GPU, with the charges of a group; groups may share both."""
        charges = group.charges
        if id(charges) not in self._gpu_runs:  # which `_groups` keeps, so that no other has its id
            self._gpu_runs[id(charges)] = GpuRuns(self._groups.bars, charges)
        return self._gpu_runs[id(charges)]

    def _run_reference(self, place: tuple[int, int], batch: Pending) -> None:
        row, column = place
        market = self.market
        try:
            result = run_backtest(
                batch.strategies[row], market.klines, market.instrument, self.plans[column],
                market.costs, since_ms=market.since_ms, funding=market.funding, mark=market.mark,
            )  # fmt: skip # who and where, then the rest
        except (Exception, SystemExit) as error:  # perhaps of the strategy's own features
            if not (text := self._words_of(error)):
                raise
            batch.fail(row, np.array([column]), text)
            return
        figures = measure(result)
        at = batch.asked.at(np.array(row), np.array(column))
        batch.values[at] = [figures[name] for name in SUMMARY]
        batch.engine[at] = Engine.REFERENCE

    def _wishes_of(self, strategy: MakesSignals) -> Signals:
        """Return what a strategy wants; one that fails is at fault, whatever it raises.

        That holds for its asserts and exits too: no code runs here but its own and what it calls.
        """
        try:
            with sharing(self._shelf):
                return checked_signals(strategy, self.market.klines)
        except Fault:
            raise
        except (Exception, SystemExit):  # perhaps since it writes to what a feature gave it
            return self._wishes_alone(strategy)

    def _wishes_alone(self, strategy: MakesSignals) -> Signals:
        """Return what a strategy wants where features give it arrays of its own."""
        try:
            return checked_signals(strategy, self.market.klines)
        except Fault:
            raise
        except (Exception, SystemExit) as error:
            subject, text = f"signals of {type(strategy).__name__}", f"{error}"
            found = type(error).__name__ + (f": {text}" if text else "")
            raise StrategyFault(subject, "an answer", found) from error
