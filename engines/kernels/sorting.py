"""Where the plans of a call go, as each of its strategies makes them.

Theory. Most strategies leave the caller's plans as they are: these are sorted once. One that makes
plans of its own, of its parameters, has them sorted for itself, and that costs about as much for
one plan as for a hundred, most of it passes over a table of terms. So a strategy which does is
asked for its plans together with those that come after it, up to so many plans in all, and equal
ones are sorted once. A group then holds plans of several strategies, each of which knows its own.
No strategy to come shares it, so what waits for it is told to go when the next ones are sorted.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engines.errors import Fault
from engines.kernels.groups import Group, Groups, Sorted
from engines.kernels.pending import Words
from engines.plan import Plan
from engines.wishes import Tradable, effective_plan, makes_signals, with_room

OWN_MAX = 128  # plans that are sorted together
# The plans that a strategy makes, each under the place of the caller's, and why it makes no others.
Made = tuple[dict[int, Plan], dict[int, str]]


class Sorting:
    """The caller's plans on one market, and the strategies of one call after the other.

    `common` says where plans go that strategies leave as they are, once one has come.
    """

    def __init__(self, groups: Groups, plans: Sequence[Plan], words_of: Words) -> None:
        self.common: Sorted | None = None
        self._groups, self._plans, self._words_of = groups, plans, words_of
        self._strategies: Sequence[Tradable] = ()
        self._order: list[int] = []
        self._at = 0
        self._known = dict[int, Sorted]()
        self._own, self._spent = list[Group](), list[Group]()

    def begin(self, strategies: Sequence[Tradable], order: list[int]) -> None:
        """Begin a call, whose strategies are asked for in this order; some may be left out."""
        self._strategies, self._order, self._at = strategies, order, 0
        self._known.clear()
        self._own, self._spent = [], []

    def take_spent(self) -> list[Group]:
        """Return groups that no strategy from the one on shares that was sorted last, each once."""
        spent, self._spent = self._spent, []
        return spent

    def sort(self, row: int) -> Sorted:
        """Return where the plans go as the strategy at `row` makes them."""
        if row in self._known:
            return self._known.pop(row)
        strategy = self._strategies[row]
        leaves_them = self._leaves_plans(strategy)
        if leaves_them and self.common is not None:
            return self.common
        made = self._made(strategy)
        if leaves_them or self._are_same(made):
            if self.common is None:
                effective, failed = made
                self.common = self._groups.sort(effective)
                self.common.failed.update(failed)
            return self.common
        return self._sort_together(row, made)

    def _sort_together(self, row: int, made: Made) -> Sorted:
        """Sort the plans of a strategy and of some that come next; return where its own go."""
        self._known.clear()
        self._at = self._order.index(row, self._at)
        owns, count = {row: made}, len(made[0])
        for other in self._order[self._at + 1 :]:
            strategy = self._strategies[other]
            if count + len(self._plans) > OWN_MAX or not makes_signals(strategy):
                break
            if self._leaves_plans(strategy):
                break
            made = self._made(strategy)
            if self._are_same(made):
                break
            owns[other] = made
            count += len(made[0])
        self._spent += self._own
        self._own, self._known = _sort_made(self._groups, owns)
        return self._known.pop(row)

    def _leaves_plans(self, strategy: Tradable) -> bool:
        """Return whether a strategy makes of each plan that very plan."""
        ask: object = getattr(strategy, "plan", None)
        if not callable(ask):
            return True
        try:
            for plan in self._plans:
                if ask(plan) is not plan:
                    return False
        except (Exception, SystemExit):  # of which `effective_plan` tells
            return False
        return True

    def _made(self, strategy: Tradable) -> Made:
        effective, failed = dict[int, Plan](), dict[int, str]()
        for place, plan in enumerate(self._plans):
            try:
                effective[place] = effective_plan(strategy, plan)
            except Fault as fault:
                failed[place] = self._words_of(fault)
        return effective, failed

    def _are_same(self, made: Made) -> bool:
        """Return whether a strategy makes of each plan an equal one."""
        effective, failed = made
        return not failed and all(
            plan is self._plans[place] or plan == with_room(self._plans[place])
            for place, plan in effective.items()
        )


def _sort_made(groups: Groups, owns: dict[int, Made]) -> tuple[list[Group], dict[int, Sorted]]:
    """Return the groups of plans that strategies make, and for each where its own go."""
    numbers = dict[tuple[int, Plan], int]()
    asked = {
        row: [numbers.setdefault(item, len(numbers)) for item in made.items()]
        for row, (made, _) in owns.items()
    }
    together = groups.sort({number: plan for (_, plan), number in numbers.items()})
    columns = np.array([column for column, _ in numbers], np.int64)
    groups_of = [replace(group, places=columns[group.places]) for group in together.groups]
    homes = {
        number: (at, item)
        for at, group in enumerate(together.groups)
        for item, number in enumerate(group.places.tolist())
    }
    left = set(together.left)
    found = dict[int, Sorted]()
    for row, (_, failed) in owns.items():
        items = dict[int, list[int]]()
        sets = found[row] = Sorted(failed=dict(failed))
        for number in asked[row]:
            if number in homes:
                at, item = homes[number]
                items.setdefault(at, []).append(item)
            elif number in left:
                sets.left.append(int(columns[number]))
            else:
                sets.failed[int(columns[number])] = together.failed[number]
        for at, own in sorted(items.items()):
            sets.groups.append(groups_of[at])
            sets.items.append(np.array(sorted(own)))
    return groups_of, found
