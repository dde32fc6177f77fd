"""What a strategy answers, checked once: aligned signals or features, or one clear sentence.

A strategy is code from outside, so its answers are judged like a file's columns: their type, their
length and the kind of their values. Whoever asks a strategy asks through these functions.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, TypeAlias, TypeGuard

import numpy as np

from engines.context import PlacesOrders
from engines.errors import Fault, PlanFault, StrategyFault
from engines.klines import Klines
from engines.plan import LevelSource, Plan
from engines.plan.sizing import CLAMPED
from engines.signals import Signals
from engines.types import F64_1D

NUMBER_KINDS = "fiub"
# What the plan decides for signals only; an order strategy says all of it itself.
SIGNAL_SETTINGS = ("position_mode", "entry", "reentry", "hours", "filters", "closes", "ladder")


class MakesSignals(Protocol):
    """What the engine needs of a strategy that only says what it wants."""

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T], causal."""
        ...


Tradable: TypeAlias = MakesSignals | PlacesOrders


def makes_signals(strategy: Tradable) -> TypeGuard[MakesSignals]:
    """Return whether the strategy only says what it wants."""
    return callable(getattr(strategy, "signals", None))


def places_orders(strategy: Tradable) -> TypeGuard[PlacesOrders]:
    """Return whether the strategy places its own orders, which is to say: makes no signals."""
    return not makes_signals(strategy)


def effective_plan(strategy: Tradable, plan: Plan) -> Plan:
    """Return the plan that a run uses: what the strategy makes of the user's, room for the ladder.

    Raises: PlanFault for settings that need signals where the strategy places its own orders;
    StrategyFault for whatever its `plan` raises, or answers but a plan.
    """
    ask: object = getattr(strategy, "plan", None)
    if callable(ask):
        try:
            answer = ask(plan)
        except Fault:
            raise
        except (Exception, SystemExit) as error:  # whatever a strategy raises is its own fault
            found = f"{type(error).__name__}: {error}"
            raise StrategyFault(f"plan of {type(strategy).__name__}", "an answer", found) from error
        if not isinstance(answer, Plan):
            subject = f"plan of {type(strategy).__name__}"
            raise StrategyFault(subject, "an instance of Plan", type(answer).__name__)
        plan = answer
    if places_orders(strategy):
        _require_no_signal_settings(strategy, plan)
    return with_room(plan)


def with_room(plan: Plan) -> Plan:
    """Return a plan that lets a position hold all entries of its ladder."""
    if plan.ladder is not None and plan.pyramiding < len(plan.ladder.rungs):
        return replace(plan, pyramiding=len(plan.ladder.rungs))
    return plan


def _require_no_signal_settings(strategy: Tradable, plan: Plan) -> None:
    plain = Plan()
    if plan.sizing.kind in CLAMPED:
        raise PlanFault(
            f"sizing.kind and strategy {type(strategy).__name__}",
            "a size that its own orders can have: qty, cash or equity_ratio",
            plan.sizing.kind,
        )
    kept = replace(plan.exits, drawdown_ratio_max=None)
    for name, value in (("exits", kept), *((n, getattr(plan, n)) for n in SIGNAL_SETTINGS)):
        if value != getattr(plain, name):
            raise PlanFault(
                f"{name} and strategy {type(strategy).__name__}",
                "a strategy that makes signals, for the plan to turn into orders",
                "one that places its own orders",
            )


def checked_signals(strategy: MakesSignals, klines: Klines) -> Signals:
    """Return the strategy's wishes at each close [T].

    Raises: StrategyFault if the answer is no Signals or of another length.
    """
    wishes: object = strategy.signals(klines)
    if isinstance(wishes, Signals) and len(wishes) == len(klines):
        return wishes
    subject = f"signals of {type(strategy).__name__}"
    if not isinstance(wishes, Signals):
        raise StrategyFault(subject, "an instance of Signals", type(wishes).__name__)
    raise StrategyFault(subject, f"{len(klines)} values, one a bar", f"{len(wishes)}")


def planned_signals(strategy: MakesSignals, klines: Klines, plan: Plan) -> Signals:
    """Return the strategy's wishes as the plan takes them: without levels where it says so.

    Raises: as `checked_signals`.
    """
    wishes = checked_signals(strategy, klines)
    if plan.exits.levels is LevelSource.STRATEGY:
        return wishes
    return wishes.without_levels()


def checked_features(strategy: PlacesOrders, klines: Klines) -> dict[str, F64_1D]:
    """Return the columns [T] that the strategy's `on_bar` reads, by name.

    Raises: StrategyFault if the answer is no mapping of names to aligned numbers.
    """
    columns: object = strategy.features(klines)
    owner = type(strategy).__name__
    if not isinstance(columns, Mapping):
        raise StrategyFault(
            f"features of {owner}", "a mapping of names to columns", type(columns).__name__
        )
    return {name: _numbers(f"feature {name} of {owner}", columns[name], klines) for name in columns}


def _numbers(subject: str, column: object, klines: Klines) -> F64_1D:
    """Return a column as an array; numbers of any kind stay what they are."""
    try:
        values = np.asarray(column)
    except ValueError:  # lists of unequal lengths
        raise StrategyFault(subject, "a column of numbers", type(column).__name__) from None
    if values.shape != (len(klines),):
        found = f"{len(values)}" if values.ndim == 1 else f"an array of shape {values.shape}"
        raise StrategyFault(subject, f"{len(klines)} values, one a bar", found)
    if values.dtype.kind not in NUMBER_KINDS:
        raise StrategyFault(subject, "a column of numbers", f"values of {values.dtype}")
    return values
