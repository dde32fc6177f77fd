"""Take down what an order strategy says at each close, and compare two such records.

The strategy trades as always; on its first bar the commands of its context are wrapped so that each
call is written down before it is obeyed. Every run is given a copy of the strategy, because one
that keeps bars or counts in itself must not carry them from run to run.
"""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from engines.context import Context, PlacesOrders
from engines.klines import Klines
from engines.types import F64_1D
from engines.wishes import checked_features

OPENING = frozenset({"entry", "order"})
COMMANDS = ("entry", "order", "exit", "close_entry", "close_all", "cancel", "cancel_all")
NOISE_RATIO = 1e-9

Command: TypeAlias = tuple[str, tuple[object, ...], dict[str, object]]
Record: TypeAlias = dict[int, list[Command]]


class Recorded:
    """An order strategy whose commands are written down, by bar."""

    def __init__(self, strategy: PlacesOrders) -> None:
        self.record: Record = {}
        self._strategy = _copied(strategy)
        self._is_wrapped = False

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        """Return the strategy's features."""
        return checked_features(self._strategy, klines)

    def on_bar(self, ctx: Context) -> None:
        """Let the strategy decide."""
        if not self._is_wrapped:
            self._is_wrapped = True
            for name in COMMANDS:
                setattr(ctx, name, self._wrapped(name, ctx))
        self._strategy.on_bar(ctx)

    def _wrapped(self, name: str, ctx: Context) -> Callable[..., Any]:
        obey: Callable[..., Any] = getattr(ctx, name)

        def command(*given: object, **named: object) -> Any:
            self.record.setdefault(ctx.bar_index, []).append((name, given, named))
            return obey(*given, **named)

        return command


def recorded(strategy: PlacesOrders) -> Recorded:
    """Return a copy of the strategy that writes down what it says; faults name the original."""
    named = type(type(strategy).__name__, (Recorded,), {})
    wrapper: Recorded = named(strategy)
    return wrapper


def first_difference(whole: Record, part: Record, bars: int) -> int:
    """Return the first bar before `bars` at which two records differ, or -1."""
    for bar in sorted(whole.keys() | part.keys()):
        if bar < bars and not _is_same(whole.get(bar), part.get(bar)):
            return bar
    return -1


def text_of(commands: list[Command] | None) -> str:
    """Return commands as one writes them."""
    texts = []
    for name, given, named in commands or ():
        terms = [str(value) for value in given]
        terms += [f"{key}={value}" for key, value in named.items()]
        texts.append(f"{name}({', '.join(terms)})")
    return ", ".join(texts) or "no order"


def _is_same(a: object, b: object) -> bool:
    """Return whether two records say the same, but for the noise of sums."""
    if isinstance(a, float) and isinstance(b, float):
        both_nan = math.isnan(a) and math.isnan(b)
        return both_nan or math.isclose(a, b, rel_tol=NOISE_RATIO, abs_tol=1e-12)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_is_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_is_same(a[key], b[key]) for key in a)
    return bool(a == b)


def _copied(strategy: PlacesOrders) -> PlacesOrders:
    try:
        return copy.deepcopy(strategy)
    except (TypeError, copy.Error):  # It holds something that cannot be copied, such as a lock.
        return strategy
