"""When a leveraged position is taken over, and at what price it is closed.

Theory. A position is liquidated where what covers it has fallen to its maintenance margin (tiered,
`margin`). With qty in base units, avg the average entry price, side +1 or -1:

    ISOLATED  covered by its own initial margin IM = entry value / leverage, where the entry value
              is qty x avg; MM = entry value x ratio - deduction:
                  liquidation price = avg - side x (IM - MM) / qty
              It is closed at the bankruptcy price, where the margin is all gone:
                  bankruptcy price = avg x (1 - side / leverage)
    CROSS     covered by the whole account. Liquidated where equity(p) = MM(qty x p), tiered at
              mark value; both sides are linear in p within a tier, which gives one candidate a
              tier and one root in all, as the margin is continuous. It is closed at the price
              reached there, slipping like any market order.

In hedge mode the same holds without leverage: each side is isolated with a margin of its whole
entry value, so that a long is bankrupt at zero and a short at twice its entry. An instrument
without tiers asks for no maintenance there.

The fee is charged on the value at the closing price. Rounded to the tick the bankruptcy price lies
towards the entry, so a *liquidated* isolated position loses its margin at most (and fees and
funding), however far an open has jumped: the venue's insurance fund bears the rest. At an open
beyond the liquidation price the liquidation therefore comes before stops and market orders; on the
way along the path whatever lies before the liquidation price fills first. What is closed by an
order loses what that order's price says, which is more than the margin in two cases: a stop or a
market order that slips beyond the bankruptcy price, and, with mark bars, any order filled while the
last price is beyond it and the mark price has not come to the liquidation price.

The level is met by the last price along its path, exactly where it lies. With mark bars of the
traded interval (and no magnifier) it is judged on the mark price instead, at the four points of the
path that correspond: open, first and second extreme in the traded bar's order, close. A bar that
has no mark bar is judged by its own prices.
Source: Bybit help centre, "Liquidation Price (USDT Contract)" and "Liquidation Price Calculation
under Isolated Mode (Unified Trading Account)"; "Bankruptcy Price (USDT Contract)".
"""

import math
from typing import NamedTuple

import numpy as np

from engines.account import Account
from engines.instrument import Instrument
from engines.klines import PRICE_COLUMNS, Klines
from engines.margin import MarginTier, tier_of
from engines.plan import MarginMode, Plan
from engines.plan.checks import contradict

LIQUIDATION_NAME = "Liquidation"
NO_MAINTENANCE = (MarginTier(math.inf, 0.0, deduction_quote=0.0),)


def is_liquidable(plan: Plan) -> bool:
    """Return whether positions of this plan can be liquidated."""
    return plan.is_leveraged or plan.is_hedged


def is_isolated(plan: Plan) -> bool:
    """Return whether a liquidated position loses its own margin; in hedge mode each side does."""
    return plan.is_hedged or (plan.is_leveraged and plan.margin_mode is MarginMode.ISOLATED)


def check_leverage(plan: Plan, instrument: Instrument) -> None:
    """Raise PlanFault for leverage that the instrument's margin tiers do not allow."""
    if not plan.is_leveraged:
        return
    tiers = instrument.margin_tiers
    if not tiers:
        found = f"{plan.leverage:g} and no tiers of {instrument.symbol}"
        contradict("leverage", "margin_tiers", "tiers of the instrument with leverage", found)
    if plan.leverage > tiers[0].leverage_max:
        expected = f"at most the first tier's leverage_max ({tiers[0].leverage_max:g})"
        contradict("leverage", "margin_tiers", expected, f"{plan.leverage:g}")


def notional_max(plan: Plan, instrument: Instrument) -> float:
    """Return the largest position value, in quote, that the plan's leverage may open.

    Raises: PlanFault for leverage that the instrument's margin tiers do not allow.
    """
    check_leverage(plan, instrument)
    if not plan.is_leveraged:
        return math.inf
    allowed = [t.notional_max for t in instrument.margin_tiers if t.leverage_max >= plan.leverage]
    return max(allowed)


class MarkPath(NamedTuple):
    """The mark bar of each traded bar, each column [T]; one without has its own prices."""

    opens: list[float]
    highs: list[float]
    lows: list[float]
    closes: list[float]

    @classmethod
    def of(cls, klines: Klines, mark: Klines) -> "MarkPath | None":
        """Return the path, None where the mark bars are not of the traded interval."""
        if mark.interval_ms != klines.interval_ms:
            return None
        place = np.searchsorted(mark.open_time_ms, klines.open_time_ms)
        place = np.minimum(place, len(mark) - 1)
        is_there = mark.open_time_ms[place] == klines.open_time_ms
        columns: list[list[float]] = [
            np.where(is_there, getattr(mark, name)[place], getattr(klines, name)).tolist()
            for name in PRICE_COLUMNS
        ]
        return cls(*columns)

    def after_open(self, bar_index: int, is_high_first: bool) -> tuple[float, float, float]:
        """Return the mark prices at the two extremes, in the given order, and at the close."""
        high, low = self.highs[bar_index], self.lows[bar_index]
        first, second = (high, low) if is_high_first else (low, high)
        return first, second, self.closes[bar_index]

    def reach(self, highs: list[float], lows: list[float]) -> tuple[list[float], list[float]]:
        """Return the extremes of last and mark price together, each [T]."""
        return list(map(max, highs, self.highs)), list(map(min, lows, self.lows))


class Liquidation:
    """Liquidation prices of one run's position."""

    def __init__(self, plan: Plan, instrument: Instrument, account: Account) -> None:
        self.is_isolated = is_isolated(plan)
        self._leverage = plan.leverage
        self._tiers = instrument.margin_tiers or NO_MAINTENANCE
        self._instrument = instrument
        self._account = account
        self._position = account.position

    def price(self, rate: float) -> float:
        """Return the liquidation price, NaN when flat or when no price above zero reaches it."""
        held = self._position.signed_steps
        if not held:
            return math.nan
        qty = abs(self._position.signed_qty) * self._instrument.point_value
        side = 1 if held > 0 else -1
        price = self._isolated(qty, side) if self.is_isolated else self._cross(qty, side, rate)
        return price if price > 0 else math.nan

    def bankruptcy_price(self) -> float:
        """Return the bankruptcy price of an isolated position, on the tick towards its entry."""
        position, instrument = self._position, self._instrument
        side = 1 if position.signed_steps > 0 else -1
        price = position.price_avg * (1 - side / self._leverage)
        ticks = instrument.ticks_up(price) if side > 0 else instrument.ticks_down(price)
        return instrument.price_of(max(1, ticks))

    def _isolated(self, qty: float, side: int) -> float:
        value = qty * self._position.price_avg
        margin = value / self._leverage
        maintenance = tier_of(self._tiers, value).maintenance_quote(value)
        return self._position.price_avg - side * (margin - maintenance) / qty

    def _cross(self, qty: float, side: int, rate: float) -> float:
        # settled + side x qty x (p - avg) = qty x p x ratio - deduction, all in quote
        settled = self._account.settled_quote / rate
        start = settled - side * qty * self._position.price_avg
        price = math.nan
        for tier in self._tiers:
            price = self._root(tier, qty, side, start)
            if qty * price <= tier.notional_max:
                break
        return price

    def _root(self, tier: MarginTier, qty: float, side: int, start: float) -> float:
        assert tier.deduction_quote is not None
        return -(start + tier.deduction_quote) / (qty * (side - tier.maintenance_ratio))
