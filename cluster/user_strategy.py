"""Find a strategy by what a person types: NAME, NAME:preset or path/to/file.py:ClassName.

NAME is a built-in strategy's, and a preset gives its parameters other defaults.
A class from a user's file may subclass `strategies.base.Strategy`, or be any class that answers
`signals(klines)`, `on_bar(ctx)` with `features(klines)`, or the plain `generate_signals(df)`. The
parameters of a class without declared ones are the constructor's arguments that have a default.
Whatever is wrong with the file is one StrategyFault that names the line.
"""

import dataclasses
import difflib
import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from engines.errors import Fault, ParameterFault, StrategyFault
from engines.wishes import Tradable
from strategies.base import OrderStrategy, Parameter, ParameterValue, SignalStrategy, Strategy
from strategies.registry import registration

SETTABLE = (bool, int, float, str)
CONTRACT = "a method signals(klines), on_bar(ctx) with features(klines), or generate_signals(df)"


@dataclass(frozen=True, slots=True)
class FoundStrategy:
    """A strategy class with its parameters; `source` is its file, "" for a built-in one.

    The defaults of the parameters are those of the preset where one was named.
    """

    name: str
    source: str
    cls: type
    parameters: tuple[Parameter, ...]

    @property
    def bare_name(self) -> str:
        """Return the name without a preset's, whose values are parameters like any others."""
        return self.name.partition(":")[0]

    def is_to_blame(self, error: BaseException) -> bool:
        """Return whether `error` was raised in, or through, the strategy's own file."""
        return bool(self.source and _line_in(error, self.source))

    def words_of(self, error: BaseException) -> str:
        """Return what went wrong in the strategy's own code, and where; "" for a bug of ours."""
        if isinstance(error, Fault) or self.is_to_blame(error):
            return str(fault_of(error, self, f"strategy {self.name}", "to run"))
        return ""

    def values(self, settings: Mapping[str, str]) -> dict[str, ParameterValue]:
        """Return every parameter's value, `settings` as written by a person, the rest by default.

        Raises: ParameterFault for an unknown name or a value of another type.
        """
        known = {item.name: item for item in self.parameters}
        for name in settings:
            if name not in known:
                raise ParameterFault(f"parameter of {self.name}", _nearest(name, known), repr(name))
        given = {name: known[name].parse(text) for name, text in settings.items()}
        return {name: item.default for name, item in known.items()} | given

    def build(self, settings: Mapping[str, str]) -> Tradable:
        """Return the strategy with `settings` as written by a person, the rest by default.

        Raises: ParameterFault for an unknown name or a value that does not fit; StrategyFault if
        the constructor raises.
        """
        return self.make(self.values(settings))

    def make(self, values: Mapping[str, ParameterValue]) -> Tradable:
        """Return the strategy with these values, one for every parameter.

        Raises: as `build`.
        """
        try:
            instance = self.cls(**values)
        except Fault:
            raise
        except (Exception, SystemExit) as error:
            raise fault_of(error, self, f"constructor of {self.name}", "an instance") from error
        if any(callable(getattr(instance, name, None)) for name in ("signals", "on_bar")):
            return cast(Tradable, instance)
        from strategies.plain import PlainSignals, PlainStrategy

        return PlainSignals(cast(PlainStrategy, instance))


def find_strategy(text: str) -> FoundStrategy:
    """Return the strategy that `text` names.

    Raises: StrategyFault in one sentence if there is none or it cannot be used.
    """
    path, colon, class_name = text.rpartition(":")
    if text.endswith(".py"):
        path, colon, class_name = text, "", ""
    if not colon and not path:
        return _built_in(text)
    if not path.endswith(".py") and Path(path).name == path:
        return _built_in(path, class_name)
    module = _import_file(Path(path))
    found = _class_of(module, class_name, path)
    _require_usable(found, path)
    return FoundStrategy(found.__name__, path, found, _parameters(found, path))


def _built_in(id: str, preset: str | None = None) -> FoundStrategy:
    """Return a built-in strategy, the preset's values as its defaults.

    Raises: StrategyFault for an unknown strategy or preset.
    """
    cls = registration(id).load()
    if preset is None:
        return FoundStrategy(id, "", cls, cls.parameters())
    if preset not in cls.presets:
        raise StrategyFault(f"preset of {id}", _nearest(preset, cls.presets), repr(preset))
    chosen = cls.presets[preset]
    parameters = tuple(
        dataclasses.replace(item, default=chosen.get(item.name, item.default))
        for item in cls.parameters()
    )
    return FoundStrategy(f"{id}:{preset}", "", cls, parameters)


def fault_of(error: BaseException, found: FoundStrategy, subject: str, expected: str) -> Fault:
    """Return the fault that an exception raised in a strategy's own code amounts to.

    A Fault keeps its kind and its words, and gains the line of the error that it was raised from,
    unless it says it.
    """
    if isinstance(error, Fault):
        place = _place_of(error.__cause__, found) if error.__cause__ else ""
        if not place or error.found.endswith(place):
            return error
        return type(error)(error.subject, error.expected, f"{error.found}{place}")
    return StrategyFault(subject, expected, f"{_said(error)}{_place_of(error, found)}")


def _place_of(error: BaseException, found: FoundStrategy) -> str:
    line = _line_in(error, found.source) if found.source else 0
    return f" in line {line} of {found.source}" if line else ""


def _said(error: BaseException) -> str:
    text = (error.msg if isinstance(error, SyntaxError) else str(error)).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _line_in(error: BaseException, path: str) -> int:
    """Return the deepest line of the file at `path` that the error passed through, 0 if none."""
    if isinstance(error, SyntaxError) and error.lineno and _is_same(error.filename or "", path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if _is_same(frame.filename, path)]
    return lines[-1] if lines else 0


def _is_same(filename: str, path: str) -> bool:
    return Path(filename).resolve() == Path(path).resolve()


def _import_file(path: Path) -> ModuleType:
    """Import a file under a name of its own; it may import from its folder and the working one."""
    if not path.is_file():
        near = difflib.get_close_matches(path.name, _neighbours(path.parent), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise StrategyFault(f"strategy file {path}", f"a Python file{hint}", "no such file")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"user_strategy_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StrategyFault(f"strategy file {path}", "a Python file ending in .py", "another")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    for folder in (str(path.resolve().parent), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)  # Last, so that nothing of ours or of Python's is hidden.
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = _line_in(error, str(path))
        where = f"line {line}: " if line else ""
        raise StrategyFault(
            f"strategy file {path}", "to import", f"{where}{_said(error)}"
        ) from error
    return module


def _neighbours(folder: Path) -> list[str]:
    return [item.name for item in folder.glob("*.py")] if folder.is_dir() else []


def _class_of(module: ModuleType, class_name: str, path: str) -> type:
    own = {
        name: item
        for name, item in vars(module).items()
        if inspect.isclass(item) and item.__module__ == module.__name__
    }
    if class_name:
        chosen = getattr(module, class_name, None)
        if chosen is None:
            raise StrategyFault(
                f"class in {path}", _nearest(class_name, own), f"no class {class_name!r}"
            )
        if not inspect.isclass(chosen):
            raise StrategyFault(f"{class_name} in {path}", "a class", type(chosen).__name__)
        return chosen
    strategies = [item for item in own.values() if not _lacks(item)]
    if len(strategies) != 1:
        names = ", ".join(item.__name__ for item in strategies) or "none"
        raise StrategyFault(
            f"strategy file {path}", "one strategy class, or its name as in file.py:Name", names
        )
    return strategies[0]


def _require_usable(cls: type, path: str) -> None:
    subject = f"class {cls.__name__} in {path}"
    if lacking := _lacks(cls):
        raise StrategyFault(subject, lacking, "none of them" if lacking == CONTRACT else "none")
    if inspect.isabstract(cls):
        methods = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise StrategyFault(subject, f"a class that defines {methods}", "an abstract class")
    if issubclass(cls, Strategy):
        declared = {item.name for item in dataclasses.fields(cls)}
        written = {name for base in cls.__mro__ for name in _field_names(base)}
        if forgotten := sorted(written - declared):
            raise StrategyFault(
                subject, "@dataclass(frozen=True) above the class", f"{forgotten[0]} undeclared"
            )


def _field_names(cls: type) -> list[str]:
    return [name for name, item in vars(cls).items() if isinstance(item, dataclasses.Field)]


def _lacks(cls: type) -> str:
    """Return what a class needs to be a strategy, "" if it has it."""
    signals, on_bar = getattr(cls, "signals", None), getattr(cls, "on_bar", None)
    if issubclass(cls, SignalStrategy):
        return "" if signals is not SignalStrategy.signals else "a method signals(klines)"
    if issubclass(cls, OrderStrategy):
        return "" if on_bar is not OrderStrategy.on_bar else "a method on_bar(ctx)"
    if callable(signals) or callable(getattr(cls, "generate_signals", None)):
        return ""
    if callable(on_bar):
        has_features = callable(getattr(cls, "features", None))
        return "" if has_features else "a method features(klines) beside on_bar(ctx)"
    return CONTRACT


def _parameters(cls: type, path: str) -> tuple[Parameter, ...]:
    if issubclass(cls, Strategy):
        return cls.parameters()
    parameters = []
    for name, item in _constructor(cls).items():
        if item.kind in (item.VAR_KEYWORD, item.VAR_POSITIONAL):
            continue
        if item.default is item.empty:
            raise StrategyFault(
                f"constructor of {cls.__name__} in {path}", f"a default for {name}", "none"
            )
        if isinstance(item.default, SETTABLE) and item.kind is not item.POSITIONAL_ONLY:
            parameters.append(Parameter(name, item.default, None, None, None, "", ""))
    return tuple(parameters)


def _constructor(cls: type) -> Mapping[str, inspect.Parameter]:
    constructor: Any = cls
    return inspect.signature(constructor).parameters


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(known) or 'none'}"
