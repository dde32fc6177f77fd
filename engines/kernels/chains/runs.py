"""Many strategies under one plan, by the chains of their positions.

Theory. Where no level is to be met, wishes alone decide which positions there are, and all fill at
opens. So a set needs no walk over the bars: its wishes become the links of a chain (`chains.walk`),
a link's fills are looked up among the opens of the market, which all sets share, and sixteen sets
advance together, a link a step, in the lanes of first passage (`chains.lanes`). What that path
cannot decide this one cannot either, by the same bounds: such sets are walked entry by entry if
`stacks` can follow them, and else left to the machine.

A leg's levels, and whatever moves them, hang on the entry alone. So of a plan with a trailing stop,
a breakeven or a stop and a target each entry that any strategy may take is walked once
(`exit_walk`), and a link ends at the earlier of its exit and of what its wishes say. Plans that
differ in levels alone advance side by side, so that few strategies fill the lanes too. Levels that
a strategy gives itself are no other's, so then an entry is walked when its set takes it.

Other plans share the list of wishes and what hangs on an entry alone, and are run by passes of
their own: several targets (`gates.part_runs`), several entries (`stacks`), ladders (`campaigns`),
entries that hang on how earlier ones went (`gates.runs`), and those that wait at a price (`waits`).

1. `groups.Group`: which plans can be followed.
2. `chains.wished`: the wishes of many strategies, listed one after the other as each is asked.
3. `chains.lists`: full lists are run part by part, beside the strategies that are asked meanwhile.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import numpy as np

from engines.kernels import slots
from engines.kernels.campaigns.drivers import SPAN, run_campaigns
from engines.kernels.campaigns.gates import Closes
from engines.kernels.campaigns.runs import are_campaigns, shares_of
from engines.kernels.chains.columns import (
    NO_LEVELS,
    Decides,
    Given,
    Sizes,
)
from engines.kernels.chains.drivers import (
    SET_ROW,
    advance_chains,
    find_spenders,
)
from engines.kernels.chains.known_walks import KnownWalks
from engines.kernels.chains.level_ends import LevelEnds
from engines.kernels.chains.shares import Shares
from engines.kernels.chains.terms import decides_of, sizes_of
from engines.kernels.chains.wished import Wished
from engines.kernels.columns import F64_2D, I64_2D, Bars, frozen
from engines.kernels.gates.columns import Course as Gated
from engines.kernels.gates.columns import Days, Gates, Kelly, PartCourse, Watch
from engines.kernels.gates.drivers import advance_gated
from engines.kernels.gates.limits import looks_at_money
from engines.kernels.gates.part_runs import are_made_ahead, run_parts
from engines.kernels.gates.runs import (
    NO_KELLY,
    counts_days,
    gates_of,
    kelly_of,
    looks_back,
    watch_of,
)
from engines.kernels.hedges.columns import Course as Hedged
from engines.kernels.hedges.drivers import advance_hedges
from engines.kernels.parts.columns import Portions
from engines.kernels.parts.levels import PART_WALK
from engines.kernels.parts.results import asks_for_results
from engines.kernels.parts.runs import portions_of
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.funding import payments_of
from engines.kernels.passage.runs import fixed_of, has_levels
from engines.kernels.stacks.columns import Course, Stacking
from engines.kernels.stacks.drivers import advance_awaited, advance_based, advance_stacks
from engines.kernels.stacks.runs import (
    NO_ORDERS,
    is_stacked_waiting,
    may_stack,
    stacking_of,
)
from engines.kernels.summary import FIGURES
from engines.kernels.waits.columns import Orders, Waiting, Way
from engines.kernels.waits.runs import AT_ONCE, orders_of, run_waits, waiting_of
from engines.types import F64_1D, I64_1D

ORDERS_KEPT = 8  # ways to wait whose orders are kept, 1 to 10 MB each
PART_MIN = 32  # sets that advance side by side: the last ones leave lanes idle
# Of each plan that is asked for its place in the group, the places of the list that ask for it, and
# their figures [N] with, behind them, 0 where they are sure.
Found: TypeAlias = list[tuple[int, I64_1D, F64_2D]]
# What sets that advance together share.
Looks: TypeAlias = tuple[Gates, Kelly]
Money: TypeAlias = tuple[Decides, Sizes, Fixed, Portions, Stacking, Looks, Waiting]
EXITS_MAX = 16  # plans whose exits are kept at a time: their sets fill the lanes
Part: TypeAlias = Callable[[], Found]
Follow: TypeAlias = Callable[[Bars, list[F64_1D], list[I64_2D], Money, F64_2D], None]


class WishedRuns:
    """The runs of a list's strategies with the plans that they wait for."""

    def __init__(self, wished: Wished, walks: KnownWalks, ends: KnownWalks) -> None:
        self._group, self._list = wished.group, wished
        self._walks, self._walked_ends = walks, ends
        charges, self._opens = wished.group.charges, wished.opens
        self._payments = payments_of(charges, wished.opens.bars)
        self._days = Days(charges.open_day, charges.close_day)
        self._ends = LevelEnds(wished)
        self._orders = dict[Waiting, Orders]()
        self._watches = dict[tuple[bool, bool], Watch]()

    def parts(self) -> list[Part]:
        """Return the runs of all strategies of the list with the plans that they wait for.

        None of them needs another, so they may run at the same time.
        """
        bars = self._list.bars
        places = np.repeat(np.arange(len(self._list.rows)), list(map(len, self._list.items)))
        items = np.concatenate(self._list.items)
        order = np.argsort(items, kind="stable")
        distinct, firsts = np.unique(items[order], return_index=True)
        owns = np.split(places[order], firsts[1:])
        terms = self._group.terms[distinct]
        # Levels that strategies give are the entries' own, which campaigns do not follow.
        is_ladder = are_campaigns(terms) & self._list.are_plain
        ladders = np.flatnonzero(is_ladder).tolist()
        others = [own for own, is_own in zip(owns, is_ladder, strict=True) if not is_own]
        return [
            *(partial(self._run_ladder, bars, int(distinct[at]), owns[at]) for at in ladders),
            *(partial(self._run, bars, p) for p in self._cut(bars, distinct[~is_ladder], others)),
        ]

    def _run_ladder(self, bars: Bars, item: int, own: I64_1D) -> Found:
        """Run a ladder, which follows no levels of strategies, with its own places of the list."""
        found = np.empty((len(own), FIGURES + 1))
        decides, _, fixed, *_, (gates, _), _ = self._money(bars, item)
        sets = np.column_stack((self._list.starts[own], self._list.starts[own + 1]))
        terms, watch = self._group.terms[item], self._watch(bars, gates)
        atr, atr_ratio = frozen(self._group.rules.atr), frozen(self._group.rules.atr_ratio)
        shares = frozen(shares_of(terms, bars.prices[:, slots.CLOSE], atr, atr_ratio))
        lowest = frozen(watch.closes.lowest)
        asked = Closes(*self._days, shares, watch.next_day, watch.first, atr, lowest)
        run_campaigns(
            self._opens, bars.prices, self._payments, self._list.wishes, sets, terms, decides,
            fixed, self._group.charges.tiers, asked, SPAN, found,
        )  # fmt: skip # one call
        return [(item, own, found)]

    def _cut(
        self, bars: Bars, items: I64_1D, owns: list[I64_1D]
    ) -> Iterator[list[tuple[int, I64_1D]]]:
        """Return plans that differ in levels alone, enough for full lanes, each with its places."""
        parts, group = dict[tuple[Money, bool, bool], list[tuple[int, I64_1D]]](), self._group
        for item, own in zip(items.tolist(), owns, strict=True):
            is_hedged = bool(group.terms[item, slots.IS_HEDGED])
            key = self._money(bars, item), is_hedged, bool(group.awaited[item])
            part = parts.setdefault(key, [])
            part.append((item, own))
            if len(part) == EXITS_MAX or sum(len(places) for _, places in part) >= PART_MIN:
                yield parts.pop(key)
        yield from parts.values()

    def _run(self, bars: Bars, part: list[tuple[int, I64_1D]]) -> Found:
        """Run some plans that differ in levels alone, each with its own places of the list."""
        stops = np.cumsum([len(own) for _, own in part])
        rows = np.split(self._advance(bars, part), stops[:-1])
        return [(item, own, row) for (item, own), row in zip(part, rows, strict=True)]

    def _money(self, bars: Bars, item: int) -> Money:
        """Return what of a plan all sets that advance together share."""
        terms = self._group.terms[item]
        decides = decides_of(terms, self._opens.bars)
        fixed, portions = fixed_of(bars, terms), portions_of(terms)
        looks, waiting = (gates_of(terms), kelly_of(terms)), waiting_of(terms)
        return decides, sizes_of(terms), fixed, portions, stacking_of(terms), looks, waiting

    def _advance(self, bars: Bars, plans: list[tuple[int, I64_1D]]) -> F64_2D:
        """Return the figures of a part, plan by plan."""
        money = self._money(bars, plans[0][0])
        *_, portions, stacking, (gates, _), waiting = money
        rows = [self._group.terms[item] for item, _ in plans]
        starts = self._list.starts
        sets = [
            np.column_stack((starts[own], starts[own + 1], *[np.full(len(own), row)] * 2))
            for row, (_, own) in enumerate(plans)
        ]
        found = np.ones((sum(map(len, sets)), FIGURES + 1))
        for terms, own in zip(rows, sets, strict=True):
            if self._list.are_plain and not has_levels(terms):
                own[:, SET_ROW] = NO_LEVELS
        if waiting != AT_ONCE:
            if self._group.awaited[plans[0][0]]:
                self._await(bars, rows, sets, money, found)
            if is_stacked_waiting(bars, rows[0][None])[0]:
                self._stack(bars, rows, sets, money, found)
            return found
        if rows[0][slots.IS_HEDGED] != 0:
            self._hedge(bars, rows, sets, money, found)
            return found
        is_stacked, in_parts = bool(may_stack(bars, rows[0][None])[0]), portions.targets > 0
        is_stacked &= self._list.are_plain or not in_parts
        needs_stack = stacking.room > 1 or (in_parts and looks_at_money(gates))
        assert is_stacked or not needs_stack, "which `Groups` sees to"
        is_left = self._list.are_left or bool(self._group.spends_all[plans[0][0]])
        is_left |= in_parts and looks_at_money(gates)
        if stacking.room == 1 and not (is_stacked and is_left):
            follow = self._part if in_parts else self._follow
            if is_stacked:
                self._spare(follow, bars, rows, sets, money, found)
            else:
                follow(bars, rows, sets, money, found)
        if is_stacked:
            self._stack(bars, rows, sets, money, found)
        return found

    def _spare(
        self, follow: Follow, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], money: Money,
        found: F64_2D,
    ) -> None:  # fmt: skip # one list
        """Follow sets, but those of which lanes would leave nearly all for want of funds."""
        decides, sizes, fixed, *_, (_, kelly), _ = money
        shares, spends = self._shares(sizes, kelly), np.zeros(len(found), np.bool_)
        if shares.are_own and not self._list.are_plain:
            margin = fixed.leverage * max(fixed.margin_long, fixed.margin_short)
            most = 1.0 / margin if margin > 0 else math.inf
            find_spenders(
                self._opens, self._list.wishes, np.concatenate(sets), decides,
                self._given(bars, rows), shares, most, spends,
            )  # fmt: skip # one call
        if spends.all():
            return
        stops, figures = np.cumsum(list(map(len, sets))), found[~spends]
        kept = [own[~of] for own, of in zip(sets, np.split(spends, stops[:-1]), strict=True)]
        follow(bars, rows, kept, money, figures)
        found[~spends] = figures

    def _stack(
        self, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], money: Money, found: F64_2D
    ) -> None:
        """Find the figures of sets that are not decided, entry by entry."""
        left, stops = found[:, FIGURES] != 0, np.cumsum(list(map(len, sets)))
        if not left.any():
            return
        decides, sizes, fixed, portions, stacking, (gates, kelly), waiting = money
        sets = [own[of] for own, of in zip(sets, np.split(left, stops[:-1]), strict=True)]
        orders = NO_ORDERS if waiting == AT_ONCE else self._orders_of(bars, rows[0], waiting)
        figures, own = found[left], np.concatenate(sets)
        advance = advance_stacks if waiting == AT_ONCE else advance_awaited
        if stacking.is_based:
            advance = advance_based
        with (
            self._ends.of_stacks(bars, rows, sets, decides, orders) as (ends, parts),
            self._lent(self._walked_ends, bars, rows) as given,
        ):
            course = Course(
                self._opens, decides, ends, stacking, parts, portions, self._shares(sizes, kelly),
                sizes, self._payments, fixed, self._days, self._group.charges.tiers, orders, gates,
                self._watch(bars, gates),
            )  # fmt: skip # the order of its fields
            advance(course, given, self._list.wishes, own, SPAN, figures)
        found[left] = figures

    def _await(
        self, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], money: Money, found: F64_2D
    ) -> None:
        """Find the figures of sets whose entries wait at a price."""
        decides, sizes, fixed, *_, (gates, _), waiting = money
        charges, atr = self._group.charges, frozen(self._group.rules.atr)
        way = Way(
            self._opens, bars.prices, charges.slip_ratio, atr, decides, waiting,
            self._orders_of(bars, rows[0], waiting), self._shares(sizes, NO_KELLY), sizes,
            self._payments, fixed, gates, self._days, charges.tiers,
        )  # fmt: skip # the order of its fields
        run_waits(way, rows, self._list.wishes, sets, found)

    def _orders_of(self, bars: Bars, terms: F64_1D, waiting: Waiting) -> Orders:
        """Return how the orders of the list are met; two threads that find them find the same."""
        orders = self._orders.get(waiting)
        if orders is None:
            listed = self._list.wishes[: self._list.starts[len(self._list.rows)]]
            orders = orders_of(bars, self._group.charges, terms, listed)
            kept = list(self._orders.items())[1 - ORDERS_KEPT :]
            self._orders = dict([*kept, (waiting, orders)])
        return orders

    def _part(
        self, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], money: Money, found: F64_2D
    ) -> None:
        """Find the figures of sets whose positions close in parts."""
        decides, sizes, fixed, portions, _, (gates, kelly), _ = money
        ahead = are_made_ahead(gates, kelly, fixed, self._payments)
        charged = fixed if ahead and asks_for_results(gates) else None
        given, own = self._given(bars, rows), np.concatenate(sets)
        with self._ends.in_parts(bars, rows, sets, decides, ahead, charged) as exits:
            course = PartCourse(
                self._opens, decides, given, exits, portions, self._shares(sizes, kelly), sizes,
                self._payments, fixed, gates, kelly, self._days, self._group.charges.tiers,
                self._watch(bars, gates),
            )  # fmt: skip # the order of its fields
            run_parts(course, self._list.wishes, own, found)

    def _follow(
        self, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], money: Money, found: F64_2D
    ) -> None:
        """Find the figures of sets of one entry and one leg at a time."""
        decides, sizes, fixed, _, _, (gates, kelly), _ = money
        exits = self._ends.of_lanes(bars, rows, sets, decides)
        shares, own = self._shares(sizes, kelly), np.concatenate(sets)
        tiers = self._group.charges.tiers
        with self._lent(self._walks, bars, rows) as given:
            if looks_back(gates, kelly):
                gated = Gated(
                    self._opens, decides, given, exits, shares, sizes, self._payments, fixed,
                    gates, kelly, self._days, tiers, self._watch(bars, gates),
                )  # fmt: skip # the order of its fields
                advance_gated(gated, self._list.wishes, own, found)
            else:
                advance_chains(
                    self._opens, self._list.wishes, own, decides, given, exits, shares, sizes,
                    self._payments, fixed, tiers, found,
                )  # fmt: skip # one call

    @contextmanager
    def _lent(self, walks: KnownWalks, bars: Bars, rows: list[F64_1D]) -> Iterator[Given]:
        """Return what strategies give, with the walks that are known of these plans."""
        given, plans = self._given(bars, rows), (self._group, *(terms.tobytes() for terms in rows))
        if self._list.are_plain:
            yield given
            return
        known = walks.lend(plans)
        yield given._replace(known=known)
        walks.give_back(plans, known)

    def _watch(self, bars: Bars, gates: Gates) -> Watch:
        """Return what the limits of a plan read; two threads that find it find the same."""
        key = counts_days(gates), looks_at_money(gates)
        watch = self._watches.get(key)
        if watch is None:
            start = int(self._group.terms[0, slots.START_BAR])
            watch = watch_of(gates, self._opens, bars.prices, self._days.opens, start)
            self._watches[key] = watch
        return watch

    def _hedge(
        self, bars: Bars, rows: list[F64_1D], sets: list[I64_2D], money: Money, found: F64_2D
    ) -> None:
        """Find the figures of sets of two sides, whose entries follow no levels of strategies."""
        decides, sizes, fixed, _, looks, (_, kelly), _ = money
        exits = self._ends.of_lanes(bars, rows, sets, decides)
        tiers = self._group.charges.tiers
        course = Hedged(
            self._opens, decides, exits, looks, self._shares(sizes, kelly), sizes, self._payments,
            fixed, self._days, tiers,
        )  # fmt: skip # the order of its fields
        terms = self._given(bars, rows).runs
        advance_hedges(course, terms, self._list.wishes, np.concatenate(sets), SPAN, found)

    def _shares(self, sizes: Sizes, kelly: Kelly) -> Shares:
        """Return what the shares of entries are made of that hang on the entry alone."""
        rules, are_own = self._group.rules, sizes.has_own_shares and kelly.room == 0
        return Shares(are_own, frozen(rules.atr), frozen(rules.atr_ratio))

    def _given(self, bars: Bars, rows: list[F64_1D]) -> Given:
        """Return the levels that strategies give, and the terms of plans to walk them by."""
        runs = np.zeros((len(rows), PART_WALK))
        runs[:, : slots.TERMS] = [terms[: slots.TERMS] for terms in rows]
        slip_ratio = self._group.charges.slip_ratio
        return Given(
            self._list.stops, self._list.targets, runs, bars.prices, slip_ratio, np.empty(0)
        )
