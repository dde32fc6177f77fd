"""The levels at which the broker itself closes a position: liquidation and the largest drawdown.

Theory. Both are prices that are met exactly where they lie on the path, like a stop: `down` and
`up` are the nearest ones on either side. `guard_down` and `guard_up` also hold the liquidation
price where it is judged on the mark price instead of along the path; a bar that stays within them
needs no look. The drawdown counts from the highest equity at a bar's close, the capital included.
It moves with every close, so a run that limits it plays each bar while it holds a position.
"""

import math

from engines.account import Account
from engines.instrument import Instrument
from engines.liquidation import Liquidation, is_liquidable
from engines.plan import Plan

INF = math.inf


class ForcedLevels:
    """Forced levels of one run's position, infinite where there is none."""

    def __init__(self, plan: Plan, instrument: Instrument, account: Account) -> None:
        self.drawdown_ratio = plan.exits.drawdown_ratio_max
        self.is_used = is_liquidable(plan) or self.drawdown_ratio is not None
        self.is_marked = False  # Liquidation is judged on the mark price, not along the path.
        self.down = self.guard_down = -INF
        self.up = self.guard_up = INF
        self._liquidation_price = math.nan
        self._liquidation = Liquidation(plan, instrument, account) if is_liquidable(plan) else None
        self._account = account
        self._position = account.position
        self._instrument = instrument
        self._peak_quote = plan.capital_quote

    def raise_peak(self, equity_quote: float) -> None:
        """Note the equity at a bar's close."""
        self._peak_quote = max(self._peak_quote, equity_quote)

    @property
    def floor_quote(self) -> float:
        """Return the equity at which the largest drawdown is reached."""
        return -INF if self.drawdown_ratio is None else self._peak_quote * (1 - self.drawdown_ratio)

    def is_liquidated(self, price: float) -> bool:
        """Return whether `price` is at the liquidation price or beyond."""
        held = self._position.signed_steps
        return held != 0 and (price - self._liquidation_price) * held <= 0  # False where NaN

    @property
    def is_isolated(self) -> bool:
        """Return whether a liquidation closes at the bankruptcy price."""
        return self._liquidation is not None and self._liquidation.is_isolated

    def closing_price(self, price: float) -> float:
        """Return the tick at which a liquidation at `price` closes."""
        if self._liquidation is not None and self._liquidation.is_isolated:
            return self._liquidation.bankruptcy_price()
        return self.worse_tick(price)

    def worse_tick(self, price: float) -> float:
        """Return the tick at `price`, or the next one against the position."""
        is_long = self._position.signed_steps > 0
        instrument = self._instrument
        return (instrument.round_price_down if is_long else instrument.round_price_up)(price)

    def refresh(self, rate: float) -> None:
        """Find the levels after the position or the money have changed."""
        self.down = self.guard_down = -INF
        self.up = self.guard_up = INF
        self._liquidation_price = math.nan
        held = self._position.signed_steps
        if not held:
            return
        on_path, level = [], math.nan
        if self.drawdown_ratio is not None:
            on_path.append(self._account.price_at_equity(self.floor_quote, rate))
        if self._liquidation is not None:
            self._liquidation_price = level = self._liquidation.price(rate)
            if not (self.is_marked or math.isnan(level)):
                on_path.append(level)
        if held > 0:
            self.down = max(on_path, default=-INF)
            self.guard_down = self.down if math.isnan(level) else max(self.down, level)
        else:
            self.up = min(on_path, default=INF)
            self.guard_up = self.up if math.isnan(level) else min(self.up, level)
