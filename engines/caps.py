"""The caps of a trading day: filled orders and intraday loss (TradingView's risk rules).

Theory. A trading day begins with the first bar that opens on a new date in the exchange's time
zone. Its opening equity is the equity at the close before. When a cap is reached the broker cancels
all orders and closes the position; from then until the next day no entry is accepted. A reversal is
one filled order; the forced close itself is not counted. After the largest drawdown that the plan
allows (`execution`) no day accepts an entry any more.
"""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

from engines.instrument import Instrument
from engines.klines import DAY_MS, Klines
from engines.plan import Plan

FILLS_CAP_NAME = "Close Position (Max number of filled orders in one day)"
LOSS_CAP_NAME = "Close Position (Max intraday loss reached)"
DRAWDOWN_NAME = "Close Position (Max drawdown reached)"


class DayCaps:
    """Counters of the running day; `is_halted` until the day ends, or for good."""

    def __init__(self, plan: Plan, klines: Klines, instrument: Instrument) -> None:
        self.fills_max = plan.intraday_fills_max
        self.loss_ratio_max = plan.intraday_loss_ratio_max
        self.loss_quote_max = plan.intraday_loss_quote_max
        self.is_halted = False
        self.equity_min = -math.inf
        self._fills = 0
        self._is_over = False
        has_loss_cap = self.loss_ratio_max is not None or self.loss_quote_max is not None
        self.is_used = self.fills_max is not None or has_loss_cap
        self._days = _trading_days(klines, instrument.time_zone) if self.is_used else None

    def is_new_day(self, bar_index: int) -> bool:
        """Return whether a cap is in force and the bar is the first of its trading day."""
        days = self._days
        return days is not None and (bar_index == 0 or days[bar_index] != days[bar_index - 1])

    def start_day(self, equity_quote: float) -> None:
        """Begin a trading day with this equity."""
        self.is_halted = self._is_over
        self._fills = 0
        allowed = [
            math.inf if self.loss_ratio_max is None else self.loss_ratio_max * equity_quote,
            math.inf if self.loss_quote_max is None else self.loss_quote_max,
        ]
        # A day that opens without equity has nothing left to protect by percent.
        self.equity_min = equity_quote - min(allowed) if equity_quote > 0 else -math.inf

    def end(self) -> None:
        """Accept no entry any more."""
        self.is_halted = self._is_over = True

    def count_fill(self) -> bool:
        """Count one filled order; return whether it is the last one allowed today."""
        self._fills += 1
        if self.fills_max is None or self._fills < self.fills_max:
            return False
        self.is_halted = True
        return True

    def is_loss_reached(self, equity_quote: float) -> bool:
        """Return whether the day's loss is reached, and halt the day if it is."""
        is_reached = not self.is_halted and equity_quote <= self.equity_min
        self.is_halted = self.is_halted or is_reached
        return is_reached


def _trading_days(klines: Klines, time_zone: str) -> list[int]:
    """Return a number for the date of each bar in the exchange's time zone [T]."""
    if time_zone == "UTC":
        days: list[int] = (klines.open_time_ms // DAY_MS).tolist()
        return days
    zone = ZoneInfo(time_zone)
    return [
        datetime.fromtimestamp(ms / 1000, zone).toordinal() for ms in klines.open_time_ms.tolist()
    ]
