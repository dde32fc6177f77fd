"""What a strategy answers, checked once: aligned signals or features, or one clear sentence.

A strategy is code from outside, so its answers are judged like a file's columns: their type, their
length and the kind of their values. Whoever asks a strategy asks through these functions.
"""

from collections.abc import Mapping
from typing import Protocol, TypeAlias, TypeGuard

import numpy as np

from engines.context import PlacesOrders
from engines.errors import StrategyFault
from engines.klines import Klines
from engines.signals import Signals
from engines.types import F64_1D

NUMBER_KINDS = "fiub"


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


def checked_signals(strategy: MakesSignals, klines: Klines) -> Signals:
    """Return the strategy's wishes at each close [T].

    Raises: StrategyFault if the answer is no Signals or of another length.
    """
    wishes: object = strategy.signals(klines)
    subject = f"signals of {type(strategy).__name__}"
    if not isinstance(wishes, Signals):
        raise StrategyFault(subject, "an instance of Signals", type(wishes).__name__)
    if len(wishes) != len(klines):
        raise StrategyFault(subject, f"{len(klines)} values, one a bar", f"{len(wishes)}")
    return wishes


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
