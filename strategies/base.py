"""The strategy contract: a frozen dataclass whose fields are its parameters.

A parameter is declared once, with default, bounds, step, unit and help; the sweep grid, the CLI
flags, the HTTP schema and the page's form are all made from that declaration. A strategy wants
something in one of two ways:

- `signals(klines)` returns aligned wishes; the plan turns them into orders. It must be causal:
  taking bars away at the end never changes an earlier value.
- `on_bar(ctx)` places orders itself at every close; its `features(klines)` are the causal columns
  it reads. It remembers nothing between bars except through `ctx.memory`.

What needs the parameters is said by the class: `presets`, `min_bars`, and `plan`, by which it asks
for terms of the run (a ladder that buys ten times needs a plan that lets it). What a list of the
built-in strategies shows (category, summary, tags, intervals) is in their registration.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from engines.context import Context
from engines.errors import ParameterFault
from engines.klines import Klines
from engines.plan import Plan
from engines.signals import Signals
from engines.types import F64_1D

if TYPE_CHECKING:
    import pandas as pd

ParameterValue = int | float | bool | str
Presets = Mapping[str, Mapping[str, ParameterValue]]
PRESET_NAMES = ("conservative", "moderate", "aggressive")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a parameter may be; `low` and `high` are None where it has no bounds."""

    name: str
    default: ParameterValue
    low: float | None
    high: float | None
    step: float | None
    unit: str
    help: str

    def parse(self, text: str) -> ParameterValue:
        """Return the value that `text` means for this parameter.

        Raises: ParameterFault if the text is of another type.
        """
        kind = type(self.default)
        try:
            if kind is bool:
                return {
                    "true": True,
                    "1": True,
                    "yes": True,
                    "false": False,
                    "0": False,
                    "no": False,
                }[text.strip().lower()]
            return kind(text)
        except (ValueError, KeyError):
            expected = "true or false" if kind is bool else f"a value of type {kind.__name__}"
            raise ParameterFault(f"parameter {self.name}", expected, repr(text)) from None


def parameter(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    unit: str = "",
    help: str = "",
) -> Any:
    """Declare a parameter of a strategy; used as the default of a dataclass field."""
    terms = {"low": low, "high": high, "step": step, "unit": unit, "help": help}
    return field(default=default, metadata=terms)


def _parameter_of(item: "Field[Any]") -> Parameter:
    if item.default is MISSING:
        raise ParameterFault(f"parameter {item.name}", "a default in its declaration", "none")
    terms = {"low": None, "high": None, "step": None, "unit": "", "help": "", **item.metadata}
    return Parameter(name=item.name, default=item.default, **terms)


@dataclass(frozen=True)
class Strategy:
    """Base of every strategy; its subclasses are frozen dataclasses too.

    `presets` names sets of values, each of which leaves the parameters it does not mention as they
    are by default; the usual names are conservative, moderate and aggressive.
    Raises: ParameterFault for a value out of its bounds or of another type.
    """

    presets: ClassVar[Presets] = {}

    def __post_init__(self) -> None:
        for item in self.parameters():
            _check(type(self).__name__, item, getattr(self, item.name))
        self.check()

    def check(self) -> None:
        """Raise ParameterFault where parameters contradict each other; overridden as needed."""

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """Return the declared parameters in order."""
        return tuple(_parameter_of(item) for item in fields(cls))

    def min_bars(self) -> int:
        """Return how many bars these parameters need before the first wish to enter can come."""
        return 1

    def plan(self, plan: Plan) -> Plan:
        """Return the plan that the run is to use, made from the user's `plan`; usually that one."""
        return plan


class SignalStrategy(Strategy):
    """A strategy that says what it wants."""

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T], causal."""
        raise NotImplementedError(f"{type(self).__name__} must define signals(klines)")

    def generate_signals(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Return `frame` with a column `signal`: 1 enters long, -1 enters short, 0 neither.

        The plain form for notebooks. `frame` has open_time_ms (or a DatetimeIndex in UTC), open,
        high, low, close and volume.
        """
        from strategies.plain import klines_from_frame

        wishes = self.signals(klines_from_frame(frame))
        signal = wishes.entry_long.astype(np.int64) - wishes.entry_short.astype(np.int64)
        return frame.assign(signal=signal)


class OrderStrategy(Strategy):
    """A strategy that places its own orders."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        """Return the causal columns [T] that `on_bar` reads, by name."""
        return {}

    def on_bar(self, ctx: Context) -> None:
        """Decide at the close of one bar."""
        raise NotImplementedError(f"{type(self).__name__} must define on_bar(ctx)")


def _check(owner: str, item: Parameter, value: ParameterValue) -> None:
    subject = f"parameter {item.name} of {owner}"
    wanted: tuple[type, ...] = (type(item.default),)
    if wanted == (float,):
        wanted = (float, int)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ParameterFault(subject, f"a value of type {wanted[0].__name__}", repr(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = -np.inf if item.low is None else item.low
        high = np.inf if item.high is None else item.high
        if not low <= value <= high:
            raise ParameterFault(subject, f"a number from {low:g} to {high:g}", repr(value))
