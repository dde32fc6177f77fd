"""Plans made ready for many runs on one market: in groups that read the same columns.

Theory. What a plan adds to a run is a row of terms, and the columns of its filters, hours, close
rules and volatilities. Only the columns cost a pass over the bars, and most plans of a sweep differ
in terms alone. So plans are sorted by the parts that columns are made of, and each group's columns
are made once, whichever strategies come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from engines.costs import Costs
from engines.errors import Fault
from engines.funding import Funding, settlements_of
from engines.instrument import Instrument
from engines.kernels.campaigns.runs import is_campaigned
from engines.kernels.chains.columns import Permits
from engines.kernels.columns import F64_2D, Charges
from engines.kernels.cpu import bars_of
from engines.kernels.gates.runs import is_gated
from engines.kernels.hedges.runs import is_hedged
from engines.kernels.passage.runs import follows, is_chained, may_lack_shares
from engines.kernels.plan_terms import counts_days, price_range, refusal, terms_row, terms_table
from engines.kernels.stacks.runs import (
    is_stacked,
    is_stacked_in_parts,
    is_stacked_waiting,
    may_stack,
    spends_all,
)
from engines.kernels.waits.runs import is_awaited
from engines.kernels.wants import charges_of, ends_once, permits_of
from engines.klines import Klines
from engines.plan import LevelSource, Plan
from engines.rules.columns import RuleColumns, rule_columns
from engines.types import BOOL_1D, F64_1D, I64_1D

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """One dataset of a study; the fields are arguments of `run_backtest`."""

    klines: Klines
    instrument: Instrument
    costs: Costs
    funding: Funding | None = None
    mark: Klines | None = None
    since_ms: int | None = None


class Ways(NamedTuple):
    """Places of plans that need no walk over the bars, and of the others."""

    chained: I64_1D
    unchained: I64_1D


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Plans that read the same columns: their places in the caller's list and their terms [N].

    `rules` end a session or a week but once (`ends_once`). `takes_levels` tells whether the
    strategy's own stops and targets count. `items` are all places of the list and of the terms:
    `plain` parts them for strategies that give no levels, `given` for those that do, whose
    ladders no chain follows, and `alone` if first passage follows so many of these that its
    tables pay. `stacked` [N] says which stacks follow if others leave their sets, `spends_all`
    [N] those of which first passage would leave nearly all, `awaited` [N] those whose one entry
    waits as `waits` follows.
    """

    places: I64_1D
    terms: F64_2D
    rules: RuleColumns
    permits: Permits
    charges: Charges
    takes_levels: bool
    items: I64_1D
    plain: Ways
    given: Ways
    alone: Ways
    stacked: BOOL_1D
    spends_all: BOOL_1D
    awaited: BOOL_1D


@dataclass(frozen=True, slots=True, eq=False)
class Sorted:
    """Where each plan of a list goes: to a group, to the reference, or nowhere, and why.

    `items` are of each group the places at which it has them, which may be some of all.
    """

    groups: list[Group] = field(default_factory=list)
    items: list[I64_1D] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


class Columns(NamedTuple):
    """What the plans of one group read."""

    rules: RuleColumns
    permits: Permits
    charges: Charges


class Groups:
    """One market: its bars in the form of the kernels, and the columns of the plans that came."""

    def __init__(self, market: Market) -> None:
        klines = market.klines
        self.market = market
        self.start_bar = 0 if market.since_ms is None else klines.index_at(market.since_ms)
        self.bars = bars_of(klines, market.instrument.time_zone, self.start_bar, market.mark)
        self._prices = price_range(klines)
        self._columns: dict[Key, Columns | Fault] = {}

    def sort(self, plans: Mapping[int, Plan]) -> Sorted:
        """Sort effective plans, each under the place at which the caller keeps it."""
        found, places = Sorted(), dict[Key, list[int]]()
        market = self.market
        for place, plan in plans.items():
            if refusal(plan, market.costs, market.instrument, self._prices) is None:
                places.setdefault(_key_of(plan), []).append(place)
            else:
                found.left.append(place)
        for key, asked in places.items():
            columns = self._columns_for(key, plans[asked[0]])
            if isinstance(columns, Fault):
                found.failed.update(dict.fromkeys(asked, str(columns)))
                continue
            group, rows = self._rows(plans, asked, found.failed)
            if not rows:
                continue
            terms = terms_table(rows)
            takes_levels = plans[group[0]].exits.levels is LevelSource.STRATEGY
            chained = is_chained(self.bars, terms) | is_stacked(self.bars, terms)
            chained |= is_gated(self.bars, terms)
            is_flat = any(c is not None and bool((c <= 0).any()) for c in _ranges(columns.rules))
            awaited = is_awaited(self.bars, terms, is_flat)
            walked = is_campaigned(self.bars, terms) | awaited
            in_parts = is_stacked_in_parts(self.bars, terms)
            walked |= is_stacked_waiting(self.bars, terms) | in_parts
            walked |= is_hedged(self.bars, terms)
            given = chained & ~may_lack_shares(terms, True, is_flat)
            chained &= ~may_lack_shares(terms, False, is_flat)
            plain = _ways(chained | walked)
            own, items = np.array(group), np.arange(len(group))
            ways = plain, _ways(given), _ways(given & ~follows(terms))
            stacked = may_stack(self.bars, terms) & ~may_lack_shares(terms, True, is_flat)
            stacked &= ~in_parts  # which no path follows at levels of strategies
            walks = stacked, spends_all(terms), awaited
            found.groups.append(Group(own, terms, *columns, takes_levels, items, *ways, *walks))
            found.items.append(items)
        return found

    def _columns_for(self, key: Key, plan: Plan) -> Columns | Fault:
        """Return the columns of a key, made from one of its plans, or why there are none."""
        if key not in self._columns:
            try:
                self._columns[key] = self._made(plan)
            except Fault as fault:
                self._columns[key] = fault
        return self._columns[key]

    def _made(self, plan: Plan) -> Columns:
        market = self.market
        klines, instrument = market.klines, market.instrument
        settlements = settlements_of(plan, klines, market.funding, market.mark)
        charges = charges_of(market.costs, klines, instrument, settlements, counts_days(plan))
        rules = ends_once(rule_columns(plan, klines))
        return Columns(rules, permits_of(rules, len(klines)), charges)

    def _rows(
        self, plans: Mapping[int, Plan], group: list[int], failed: dict[int, str]
    ) -> tuple[list[int], list[F64_1D]]:
        """Return where plans lie that the instrument allows, and their terms; note the others."""
        places, rows = list[int](), list[F64_1D]()
        for place in group:
            try:
                rows.append(
                    terms_row(
                        plans[place], self.market.costs, self.market.instrument, self.start_bar
                    )
                )
                places.append(place)
            except Fault as fault:
                failed[place] = str(fault)
        return places, rows


def _ranges(rules: RuleColumns) -> tuple[F64_1D | None, F64_1D | None]:
    return rules.atr, rules.atr_ratio


def _ways(chained: BOOL_1D) -> Ways:
    return Ways(np.flatnonzero(chained), np.flatnonzero(~chained))


def _key_of(plan: Plan) -> Key:
    """Return the parts of a plan that its columns are made of."""
    exits = plan.exits
    return (
        plan.market,
        plan.process_on_close,
        plan.hours,
        plan.filters,
        plan.closes,
        counts_days(plan),
        exits.levels,
        exits.atr_period if exits.uses_atr else None,
        plan.sizing.atr_period if plan.uses_volatility else None,
    )
