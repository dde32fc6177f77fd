"""Work that several parameter sets share: a feature asked for again is not computed again.

Theory. While `sharing` is active, a feature remembers what it answered, by the feature, the columns
it read and its other arguments. A column is known by its identity, which tells two columns apart
for sure only while both exist and neither changes; so it is remembered only if it cannot be written
to, and held as long as what was made of it. The klines' columns are such columns, and so is every
answer that is remembered, by which features of features are shared too. What a feature asks of
others meanwhile is its own business and not remembered. What was not asked for longest is forgotten
first where the answers outgrow their room. What features make of a column for themselves, such as a
shorter form to compare it by, is remembered in the same way: it is the column's companion.

Events are soon found again, and there are as many as strategies: each pair of averages crosses in a
way of its own. So they have a small room for themselves, in which a sweep writes again and again to
memory that the processor still holds, where fresh memory would cost more than the crossings do.

An answer that several callers hold cannot be written to, which is the one thing in which sharing
shows. Nothing is shared unless somebody asks for it, and then in that context only.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from engines.types import F64_1D

Feature = TypeVar("Feature", bound=Callable[..., object])
Column = TypeVar("Column", bound=npt.NDArray[Any])
Key = tuple[object, ...]

EVENTS_PART = 100  # of the room for numbers is added for events


_ACTIVE: ContextVar["Shelf | None"] = ContextVar("shared_features", default=None)


class _Room:
    """Answers by what was asked, up to `bytes_max` of columns."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max, self.bytes_held = bytes_max, 0
        self._answers: OrderedDict[Key, tuple[object, tuple[object, ...], int]] = OrderedDict()

    def answer(self, key: Key) -> object:
        """Return what is remembered, which is now what was asked for last, None if nothing is."""
        found = self._answers.get(key)
        if found is None:
            return None
        self._answers.move_to_end(key)
        return found[0]

    def keep(self, key: Key, answer: object, arguments: tuple[object, ...], size: int) -> None:
        """Remember an answer, and forget what there is no room for any more."""
        if size > self.bytes_max:
            return
        self._answers[key] = answer, arguments, size
        self.bytes_held += size
        while self.bytes_held > self.bytes_max:
            _, (_, _, gone) = self._answers.popitem(last=False)
            self.bytes_held -= gone


class Shelf:
    """The answers that are remembered: up to `bytes_max` of numbers, and a few events."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.is_busy = False  # with an answer, of which the parts are not remembered
        self._numbers, self._events = _Room(bytes_max), _Room(bytes_max // EVENTS_PART)

    @property
    def bytes_held(self) -> int:
        """Return how many bytes of columns are held."""
        return self._numbers.bytes_held + self._events.bytes_held

    def answer(
        self, feature: Callable[..., object], given: tuple[object, ...], named: dict[str, object]
    ) -> object:
        """Return what the feature answers, remembered if its arguments allow that."""
        key = _key_of(feature, given, named)
        if key is None:
            return feature(*given, **named)
        for room in (self._numbers, self._events):
            answer = room.answer(key)
            if answer is not None:
                return answer
        self.is_busy = True
        try:
            answer = feature(*given, **named)
        finally:
            self.is_busy = False
        room = self._events if _is_event(answer) else self._numbers
        room.keep(key, answer, (*given, *named.values()), _freeze(answer))
        return answer

    def companion(self, make: Callable[[F64_1D], Column], column: F64_1D) -> Column:
        """Return what is made of a column, remembered as long as there is room."""
        key: Key = make, id(column)
        made = cast("Column | None", self._numbers.answer(key))
        if made is None:
            made = make(column)
            self._numbers.keep(key, made, (column,), _freeze(made))
        return made


class sharing:  # noqa: N801 # reads as the verb that it is, as `contextlib` names its own
    """Let features share their answers by `shelf` in this context.

    A generator would do, at three times the cost, which counts once a strategy.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def __enter__(self) -> None:
        self._token = _ACTIVE.set(self._shelf)

    def __exit__(self, *_: object) -> None:
        _ACTIVE.reset(self._token)


def shared(feature: Feature) -> Feature:
    """Return the feature, which remembers its answers while `sharing` is active."""

    @wraps(feature)
    def remembering(*given: object, **named: object) -> object:
        shelf = _ACTIVE.get()
        if shelf is None or shelf.is_busy:
            return feature(*given, **named)
        return shelf.answer(feature, given, named)

    return cast(Feature, remembering)


def companion(make: Callable[[F64_1D], Column], column: F64_1D) -> Column | None:
    """Return what a feature makes of a column for itself, None where nothing is remembered."""
    shelf = _ACTIVE.get()
    if shelf is None or not isinstance(column, np.ndarray) or column.flags.writeable:
        return None
    return shelf.companion(make, column)


def _key_of(
    feature: Callable[..., object], given: tuple[object, ...], named: dict[str, object]
) -> Key | None:
    """Return by what an answer is remembered, None if it must not be."""
    parts: list[object] = [feature, *named]
    for value in (*given, *named.values()) if named else given:
        if not isinstance(value, np.ndarray):
            parts += (type(value), value)  # 1 and 1.0 and True are equal, but not the same
        elif value.flags.writeable:
            return None
        else:
            parts.append(id(value))
    key = tuple(parts)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _is_event(answer: Any) -> bool:
    """Return whether an answer tells of each bar whether something is so."""
    first = answer if isinstance(answer, np.ndarray) else answer[0]
    return bool(first.dtype == np.bool_)


def _freeze(answer: Any) -> int:
    """Let nobody write to the columns of an answer; return how many bytes they hold."""
    if isinstance(answer, np.ndarray):
        answer.flags.writeable = False
        return answer.nbytes
    assert isinstance(answer, tuple), "a feature answers with a column or a tuple of them"
    return sum(map(_freeze, answer))
