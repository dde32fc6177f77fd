"""One tradable contract and its rules: the only place where prices and quantities are rounded.

Theory. A tick size is a decimal, so it is an exact fraction p/q. A price of n ticks is n*p/q: the
product of two small integers is exact in float64 and one division rounds once, so every price made
here is the double nearest to its decimal (1807.82 and never 1807.8200000000002) and prices can be
compared with ==. The other way round, price*q/p is a whole number only up to float noise; a level
within `TICK_NOISE` of a tick is that tick, otherwise the direction in the function's name decides.
Quantities follow the same rule with the quantity step and are only ever rounded down; the broker
counts them in whole steps, so that a position is flat exactly when its steps are 0.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engines.errors import InstrumentFault
from engines.margin import MarginTier, checked_tiers

# TradingView takes a level within a ten-thousandth of a tick for that tick, at any magnitude. Float
# noise of a product such as 1807.82 * 1.004 is far below it, a real level far above.
TICK_NOISE = 1e-4
# A quantity a person wrote (0.2998) times 10000 is whole up to some ulps.
STEP_NOISE = 1e-8


def _fraction(value: float) -> tuple[float, float]:
    """Return the exact decimal `value` prints as, as numerator and denominator."""
    exact = Fraction(repr(float(value)))
    return float(exact.numerator), float(exact.denominator)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A contract's trading rules.

    `tick_size` in quote per base, `qty_step` and `qty_min` in contracts, `notional_min` in quote,
    `point_value` in quote per one point of price and contract, `time_zone` of the exchange (its
    midnight starts the trading day of intraday limits and monthly returns). `margin_tiers` ascend
    by notional (`margin`); without them nothing is traded on leverage.
    """

    symbol: str
    tick_size: float
    qty_step: float
    qty_min: float = 0.0
    notional_min: float = 0.0
    point_value: float = 1.0
    time_zone: str = "UTC"
    margin_tiers: tuple[MarginTier, ...] = ()
    _tick: tuple[float, float] = field(init=False, repr=False, compare=False)
    _step: tuple[float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("tick_size", "qty_step", "point_value"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InstrumentFault(f"{name} of {self.symbol}", "a positive number", repr(value))
        for name in ("qty_min", "notional_min"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InstrumentFault(f"{name} of {self.symbol}", "zero or more", repr(value))
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise InstrumentFault(
                f"time_zone of {self.symbol}", "an IANA name such as UTC", repr(self.time_zone)
            ) from None
        object.__setattr__(self, "margin_tiers", checked_tiers(self.symbol, self.margin_tiers))
        object.__setattr__(self, "_tick", _fraction(self.tick_size))
        object.__setattr__(self, "_step", _fraction(self.qty_step))

    def price_of(self, ticks: int) -> float:
        """Return the price that lies `ticks` ticks above zero."""
        numerator, denominator = self._tick
        return ticks * numerator / denominator

    def ticks_down(self, price: float) -> int:
        """Return the last whole tick at or below `price`."""
        numerator, denominator = self._tick
        return math.floor(price * denominator / numerator + TICK_NOISE)

    def ticks_up(self, price: float) -> int:
        """Return the first whole tick at or above `price`."""
        numerator, denominator = self._tick
        return math.ceil(price * denominator / numerator - TICK_NOISE)

    def ticks_nearest(self, price: float) -> int:
        """Return the whole tick nearest to `price`, halves upwards."""
        numerator, denominator = self._tick
        return math.floor(price * denominator / numerator + 0.5)

    def round_price_down(self, price: float) -> float:
        """Return the price of the last tick at or below `price`."""
        return self.price_of(self.ticks_down(price))

    def round_price_up(self, price: float) -> float:
        """Return the price of the first tick at or above `price`."""
        return self.price_of(self.ticks_up(price))

    def round_price_nearest(self, price: float) -> float:
        """Return the price of the tick nearest to `price`, halves upwards."""
        return self.price_of(self.ticks_nearest(price))

    def qty_of(self, steps: int) -> float:
        """Return the quantity of `steps` whole quantity steps."""
        numerator, denominator = self._step
        return steps * numerator / denominator

    def steps_down(self, qty: float) -> int:
        """Return how many whole quantity steps fit into `qty` (>= 0), float noise forgiven."""
        numerator, denominator = self._step
        return math.floor(qty * denominator / numerator + STEP_NOISE)

    def steps_truncated(self, qty: float) -> int:
        """Return how many whole steps fit into a computed `qty` (>= 0), nothing forgiven.

        TradingView divides money by price and truncates: a quotient one ulp short loses the step.
        """
        numerator, denominator = self._step
        return math.floor(qty * denominator / numerator)

    def round_qty_down(self, qty: float) -> float:
        """Return the largest multiple of the quantity step that is not above `qty` (>= 0)."""
        return self.qty_of(self.steps_down(qty))
