"""The built-in strategies by name, each imported only when it is asked for.

A registration names the module and the class instead of holding them: listing what there is must
not import Numba, and a backtest of one strategy must not compile the others.
"""

import difflib
import importlib
from dataclasses import dataclass

from engines.errors import StrategyFault
from strategies.base import Strategy


@dataclass(frozen=True, slots=True)
class Registration:
    """One built-in strategy: where its class is, and what it is in a line."""

    id: str
    module: str
    class_name: str
    category: str
    summary: str

    def load(self) -> type[Strategy]:
        """Import and return the class."""
        loaded = getattr(importlib.import_module(self.module), self.class_name)
        assert isinstance(loaded, type)
        assert issubclass(loaded, Strategy)
        return loaded


_ALL = (
    Registration(
        id="channel_breakout",
        module="strategies.channel_breakout",
        class_name="ChannelBreakout",
        category="breakout",
        summary="Stop entries one tick outside the channel of the last bars; always in the market.",
    ),
    Registration(
        id="ema_crossover",
        module="strategies.ema_crossover",
        class_name="EmaCrossover",
        category="trend",
        summary="A fast EMA crosses a slow one on the right side of a trend EMA; ATR stop, target.",
    ),
)
REGISTRY: dict[str, Registration] = {item.id: item for item in _ALL}


def registration(id: str) -> Registration:
    """Return the registration of `id`.

    Raises: StrategyFault if there is none, with the nearest name if one is near.
    """
    found = REGISTRY.get(id)
    if found is None:
        near = difflib.get_close_matches(id, REGISTRY, n=1)
        known = f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(REGISTRY)}"
        raise StrategyFault("strategy", f"{known}, or path/to/file.py:ClassName", repr(id))
    return found
