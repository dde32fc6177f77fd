"""What a strategy sees and says at the close of a bar.

Theory. A series looks back only: `series[0]` is the value at the bar that has just closed,
`series[1]` one bar earlier, and an index below zero is a look into the future and refused. Before
the first bar every value is NaN, as in Pine. Anything a strategy must remember between bars goes
into `memory`, because the strategy itself is frozen and live trading must be able to journal it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from engines.broker import Broker
from engines.desk import Desk
from engines.errors import LookAhead, StrategyFault
from engines.klines import Klines
from engines.trades import Trade
from engines.types import F64_1D


class PlacesOrders(Protocol):
    """What the engine needs of a strategy that places its own orders."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        """Return the causal columns [T] that `on_bar` reads, by name."""
        ...

    def on_bar(self, ctx: "Context") -> None:
        """Decide at the close of one bar."""
        ...


class Clock:
    """The bar that has just closed; every series of a run reads it."""

    __slots__ = ("bar_index",)

    def __init__(self) -> None:
        self.bar_index = 0


class Series:
    """One column seen from the present: index 0 is now, 1 the bar before."""

    __slots__ = ("_clock", "_name", "_values")

    def __init__(self, name: str, values: Sequence[float], clock: Clock) -> None:
        self._name = name
        self._values = values
        self._clock = clock

    def __getitem__(self, bars_ago: int) -> float:
        if bars_ago < 0:
            raise LookAhead(f"series {self._name}", "an index of 0 or more bars ago", str(bars_ago))
        index = self._clock.bar_index - bars_ago
        return self._values[index] if index >= 0 else float("nan")


class Context(Desk):
    """The present of one run: bars, features, the position, and the commands of `Desk`."""

    def __init__(self, broker: Broker, klines: Klines, features: Mapping[str, F64_1D]) -> None:
        super().__init__(broker)
        self.interval_ms = klines.interval_ms
        self.memory: dict[str, float] = {}
        self._trades: tuple[Trade, ...] = ()
        self._clock = Clock()
        self.open = Series("open", broker.opens, self._clock)
        self.high = Series("high", broker.highs, self._clock)
        self.low = Series("low", broker.lows, self._clock)
        self.close = Series("close", broker.closes, self._clock)
        self.volume = Series("volume", klines.volume.tolist(), self._clock)
        self._series = {
            name: Series(name, _aligned(name, column, klines), self._clock)
            for name, column in features.items()
        }

    def move_to(self, bar_index: int) -> None:
        """Make `bar_index` the present."""
        self.bar_index = self._clock.bar_index = bar_index

    def __getitem__(self, feature: str) -> Series:
        series = self._series.get(feature)
        if series is None:
            known = ", ".join(self._series) or "none"
            raise StrategyFault(f"feature {feature}", f"one of the strategy's ({known})", "no such")
        return series

    @property
    def open_time_ms(self) -> int:
        """Return the open time of the bar that has just closed."""
        return self._execution.times[self.bar_index]

    @property
    def tick_size(self) -> float:
        """Return the instrument's smallest price step."""
        return self._instrument.tick_size

    @property
    def position_qty(self) -> float:
        """Return the position in contracts, long above zero."""
        return self._execution.position.signed_qty

    @property
    def is_flat(self) -> bool:
        """Return whether there is no position."""
        return not self._execution.position.signed_steps

    @property
    def is_long(self) -> bool:
        """Return whether the position is long."""
        return self._execution.position.signed_steps > 0

    @property
    def is_short(self) -> bool:
        """Return whether the position is short."""
        return self._execution.position.signed_steps < 0

    @property
    def entry_price_avg(self) -> float:
        """Return the average entry price of the position, NaN when flat."""
        position = self._execution.position
        return position.price_avg if position.signed_steps else float("nan")

    @property
    def equity_quote(self) -> float:
        """Return the equity at this close."""
        account = self._execution.account
        rate = account.rate(self.bar_index)
        return account.equity_quote(self._closes[self.bar_index], rate)

    @property
    def trades(self) -> Sequence[Trade]:
        """Return the trades closed so far, oldest first."""
        trades = self._execution.position.trades
        if len(trades) != len(self._trades):
            self._trades = tuple(trades)
        return self._trades


def _aligned(name: str, column: F64_1D, klines: Klines) -> list[float]:
    if len(column) != len(klines):
        raise StrategyFault(f"feature {name}", f"{len(klines)} values", f"{len(column)}")
    values: list[float] = column.tolist()
    return values
