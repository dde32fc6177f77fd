"""Parts of lists that run aside, or not: the caller waits for nobody who has not begun."""

import gc
import threading
import weakref
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels.chains import runs as chains
from engines.kernels.chains.lists import ChainRuns
from engines.kernels.chains.runs import Found, Part
from engines.kernels.chains.wished import Wished
from engines.kernels.pending import CHAINS_MIN, Pending
from engines.kernels.trials import Engine, Market, Trials
from engines.kernels.waits import runs as waits
from engines.kernels.waits.columns import Orders
from engines.klines import MINUTE_MS, Klines
from engines.plan import (
    CloseRule,
    DcaLadder,
    EntryKind,
    EntryTerms,
    Exits,
    LevelSource,
    Plan,
    Trailing,
    TrendFilter,
)
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.ema_crossover import EmaCrossover

GRID = [EmaCrossover(fast, slow) for fast, slow in product(range(3, 13), range(20, 28))]
PLANS = [Plan(), *(Plan(exits=Exits(trailing=Trailing(by, by))) for by in (0.01, 0.02, 0.03))]
HELD = 20_000  # bytes, of wishes of several strategies


@dataclass(frozen=True)
class FarTarget(EmaCrossover):
    """Sets the target of its twentieth entry where no price can be."""

    def signals(self, klines: Klines) -> Signals:
        wishes = super().signals(klines).priced()
        assert wishes.target_price is not None
        targets = wishes.target_price.copy()
        targets[np.flatnonzero(wishes.entry_long | wishes.entry_short)[19]] = np.inf
        return replace(wishes, target_price=targets)


class Promise:
    """A part that is run by whoever comes first, or at once."""

    def __init__(self, part: Part, is_begun: bool) -> None:
        self._found = part() if is_begun else None
        self.is_cancelled = False

    def result(self) -> Found:
        assert self._found is not None, "waited for what nobody runs"
        return self._found

    def done(self) -> bool:
        return self._found is not None

    def cancel(self) -> bool:
        self.is_cancelled = self._found is None
        return self.is_cancelled


class Busy:
    """Threads that run so many parts and begin no other."""

    def __init__(self, parts: int) -> None:
        self.parts, self.asked = parts, 0
        self.promises: list[Promise] = []

    def submit(self, run: Part, /) -> Promise:
        self.asked += 1
        assert threading.current_thread() is threading.main_thread()
        self.promises.append(Promise(run, self.asked <= self.parts))
        return self.promises[-1]


@pytest.fixture(scope="module")
def market() -> Market:
    klines = synthetic_klines(3_000, 60 * MINUTE_MS, seed=3)
    return Market(klines, Instrument("T", tick_size=0.1, qty_step=0.001), Costs())


@pytest.mark.parametrize("parts", [0, 1, 3, 1_000])
def test_who_runs_a_part_changes_nothing(parts: int, market: Market) -> None:
    alone = Trials(market, PLANS, 1).run(GRID)
    assert (alone.engine == Engine.FIRST_PASSAGE).mean() > 0.9
    aside = Busy(parts)
    together = Trials(market, PLANS, 2, aside=aside).run(GRID)
    assert aside.asked > 0
    np.testing.assert_array_equal(alone.values, together.values)
    np.testing.assert_array_equal(alone.engine, together.engine)


def test_a_ladder_is_not_listed_for_strategies_that_give_levels(market: Market) -> None:
    plans = [Plan(ladder=DcaLadder(), close_rule=CloseRule.ALL)]
    assert not GRID[0].signals(market.klines).are_plain
    aside = Busy(0)
    found = Trials(market, plans, 2, aside=aside).run(GRID[: 2 * CHAINS_MIN])
    assert aside.asked == 0
    assert (found.engine == Engine.MACHINE).all()


@pytest.mark.parametrize("far", [range(1), range(2, 5), range(2 * CHAINS_MIN)])
def test_levels_that_only_the_reference_can_judge_are_left_to_it(
    far: range, market: Market
) -> None:
    strategies = GRID[: 2 * CHAINS_MIN]
    some = [FarTarget(own.fast, own.slow) if n in far else own for n, own in enumerate(strategies)]
    wanted = Trials(market, [Plan()], 1).run(strategies)
    found = Trials(market, [Plan()], 1).run(some)
    assert (wanted.engine == Engine.FIRST_PASSAGE).all()
    others = np.setdiff1d(np.arange(len(some)), far)
    np.testing.assert_array_equal(found.values[others], wanted.values[others])
    assert (found.engine[others] == Engine.FIRST_PASSAGE).all()
    # Where a run takes that entry, the reference stops with a sentence.
    assert np.isin(found.engine[far], (Engine.NONE, Engine.REFERENCE)).all()
    assert found.errors


def test_nobody_begins_what_waits_once_something_is_raised(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trials, "_settle", interrupted)
    aside = Busy(0)
    with pytest.raises(KeyboardInterrupt):
        Trials(market, PLANS, 2, aside=aside).run(GRID)
    assert aside.promises
    assert all(promise.is_cancelled for promise in aside.promises)


def test_parts_are_settled_at_the_same_places_whoever_runs_them(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[object]()
    want, settle = Trials._want, Trials._settle

    def asked(trials: Trials, row: int, *rest: Any) -> None:
        told.append(row)
        want(trials, row, *rest)

    def settled(trials: Trials, wished: Wished, found: Found, batch: Pending) -> None:
        told.append((wished.rows[0], [item for item, *_ in found]))
        settle(trials, wished, found, batch)

    monkeypatch.setattr(Trials, "_want", asked)
    monkeypatch.setattr(Trials, "_settle", settled)
    orders = list[list[object]]()
    for parts in (0, 1, 3, 1_000):
        Trials(market, PLANS, 2, aside=Busy(parts)).run(GRID)
        orders.append(told.copy())
        told.clear()
    assert all(order == orders[0] for order in orders)


@pytest.mark.parametrize("rooms", [0, 2])
def test_lists_that_fill_together_hold_no_more_than_fits(
    rooms: int, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    trends = [Plan(filters=(TrendFilter(period=period),)) for period in (20, 30, 40, 50)]
    whole = Trials(market, trends, 1).run(GRID)
    assert (whole.engine == Engine.FIRST_PASSAGE).mean() > 0.9
    fit, held, handed = rooms * HELD, list[int](), list[int]()
    add, hand_over = ChainRuns.add, ChainRuns._hand_over

    def added(runs: ChainRuns, *rest: Any) -> bool:
        is_listed = add(runs, *rest)
        held.append(sum(filling.held for filling in runs._filling))
        return is_listed

    def handed_over(runs: ChainRuns, wished: Wished) -> None:
        handed.append(len(wished.rows))
        hand_over(runs, wished)

    monkeypatch.setattr("engines.kernels.chains.lists.FILLING_BYTES", fit)
    monkeypatch.setattr(ChainRuns, "add", added)
    monkeypatch.setattr(ChainRuns, "_hand_over", handed_over)
    cut = Trials(market, trends, 1).run(GRID)
    assert max(held) <= fit
    assert (max(handed) > 1) == (rooms > 0)
    np.testing.assert_array_equal(whole.values, cut.values)
    np.testing.assert_array_equal(whole.engine, cut.engine)


def test_orders_of_a_few_ways_to_wait_are_kept(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[weakref.ref[Any]]()
    held = list[int]()

    def noted(*given: Any) -> Orders:
        gc.collect()  # What lies in a cycle is not kept.
        held.append(sum(rows() is not None for rows in made))
        orders = waits.orders_of(*given)
        made.append(weakref.ref(orders.rows))
        return orders

    monkeypatch.setattr(chains, "orders_of", noted)
    entries = [EntryTerms(EntryKind.LIMIT, 0.001 * n, 5) for n in range(1, 21)]
    plans = [Plan(entry=own, exits=Exits(levels=LevelSource.PLAN)) for own in entries]
    found = Trials(market, plans, 1).run(GRID[:CHAINS_MIN])
    assert (found.engine == Engine.FIRST_PASSAGE).mean() > 0.9
    assert len(made) == len(plans)
    assert max(held) == chains.ORDERS_KEPT
