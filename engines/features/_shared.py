"""Work that several parameter sets share: a feature asked for again is not computed again.

Theory. While `sharing` is active, a feature remembers what it answered, by the feature, the columns
it read and its other arguments. A column is known by its identity, which tells two columns apart
for sure only while both exist and neither changes; so it is remembered only if it cannot be written
to, and held as long as what was made of it. The klines' columns are such columns, and so is every
answer that is remembered, by which features of features are shared too. What a feature asks of
others meanwhile is shared if they read nothing but what it was given and what others answered it:
two lines of MACD that differ in one period have an average in common. What it asks about columns
that it has made up itself nobody else will ask for. What was not asked for longest is forgotten
first where the answers outgrow their room. What features make of a column for themselves, such as a
shorter form to compare it by, is remembered in the same way: it is the column's companion, made
when it is asked for a second time, since many columns are read but once.

Events are soon found again, and there are as many as strategies: each pair of averages crosses in a
way of its own. So they have a small room for themselves, in which a sweep writes again and again to
memory that the processor still holds, where fresh memory would cost more than the crossings do.

An answer that several callers hold cannot be written to, which is the one thing in which sharing
shows. Nothing is shared unless somebody asks for it, and then in that context only.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
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
_ASKED = object()  # in the place of a companion that was asked for once
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
        _, _, gone = self._answers.pop(key, (None, (), 0))
        self._answers[key] = answer, arguments, size
        self.bytes_held += size - gone
        while self.bytes_held > self.bytes_max:
            _, (_, _, gone) = self._answers.popitem(last=False)
            self.bytes_held -= gone


class Shelf:
    """The answers that are remembered: up to `bytes_max` of numbers, and a few events."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._numbers, self._events = _Room(bytes_max), _Room(bytes_max // EVENTS_PART)
        # Columns by their identity that a feature which answers now may share, None: nobody asks.
        self._lent: dict[int, object] | None = None

    @property
    def bytes_held(self) -> int:
        """Return how many bytes of columns are held."""
        return self._numbers.bytes_held + self._events.bytes_held

    def answer(
        self, feature: Callable[..., object], given: tuple[object, ...], named: dict[str, object]
    ) -> object:
        """Return what the feature answers, remembered if its arguments allow that."""
        arguments = (*given, *named.values()) if named else given
        lent = self._lent
        key = _key_of(feature, arguments, named, lent)
        if key is None:
            return self._ask(feature, given, named, ())
        for room in (self._numbers, self._events):
            answer = room.answer(key)
            if answer is not None:
                break
        else:
            answer = self._ask(feature, given, named, arguments)
            room = self._events if _is_event(answer) else self._numbers
            room.keep(key, answer, arguments, _freeze(answer))
        if lent is not None:
            _lend(lent, answer)
        return answer

    def _ask(
        self, feature: Callable[..., object], given: tuple[object, ...], named: dict[str, object],
        columns: tuple[object, ...],
    ) -> object:  # fmt: skip # what is asked, then what it may share
        """Let a feature answer, which may share with others what they make of these columns."""
        before = self._lent
        lent = self._lent = {} if before is None else before
        for column in columns:
            _lend(lent, column)
        try:
            return feature(*given, **named)
        finally:
            self._lent = before

    def companion(self, make: Callable[[F64_1D], Column], column: F64_1D) -> Column | None:
        """Return what is made of a column, None at the first time and where there was no room."""
        key: Key = make, id(column)
        made = self._numbers.answer(key)
        if made is None:
            self._numbers.keep(key, _ASKED, (column,), column.nbytes)
            return None
        if made is not _ASKED:
            return cast(Column, made)
        companion = make(column)
        self._numbers.keep(key, companion, (column,), _freeze(companion))
        return companion


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
        if shelf is None:
            return feature(*given, **named)
        return shelf.answer(feature, given, named)

    return cast(Feature, remembering)


def is_sharing() -> bool:
    """Return whether answers are remembered, so that it pays to answer in parts."""
    return _ACTIVE.get() is not None


def companion(make: Callable[[F64_1D], Column], column: F64_1D) -> Column | None:
    """Return what a feature makes of a column for itself, None if it is better off without."""
    shelf = _ACTIVE.get()
    if shelf is None or not isinstance(column, np.ndarray) or column.flags.writeable:
        return None
    return shelf.companion(make, column)


def _key_of(
    feature: Callable[..., object], arguments: tuple[object, ...], names: Iterable[str],
    lent: dict[int, object] | None,
) -> Key | None:  # fmt: skip # what is asked, then what may be shared
    """Return by what an answer is remembered, None if it must not be."""
    parts: list[object] = [feature, *names]
    for value in arguments:
        if not isinstance(value, np.ndarray):
            parts += (type(value), value)  # 1 and 1.0 and True are equal, but not the same
        elif value.flags.writeable or (lent is not None and id(value) not in lent):
            return None
        else:
            parts.append(id(value))
    key = tuple(parts)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _lend(lent: dict[int, object], value: object) -> None:
    """Note the columns of an argument or an answer; held, each alone has its identity."""
    if isinstance(value, np.ndarray):
        lent[id(value)] = value
    elif isinstance(value, tuple):
        for column in value:
            _lend(lent, column)


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
