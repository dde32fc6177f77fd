"""Signals become orders: the strategy that trades what a column of wishes asks for.

Theory. A bar with a wish is a decision like any other and goes through the same desk: an exit wish
closes its side at market, an entry wish enters (and so reverses), and each entry carries a bracket
of its own made from the bar's stop and target prices or the plan's ratios. Bars without a wish need
no decision, so the run only plays those the broker is not quiet in.
"""

import math

import numpy as np

from engines.desk import Desk
from engines.plan import Plan
from engines.signals import Signals
from engines.trades import Side
from engines.types import F64_1D

ENTRY_NAMES = {Side.BUY: "long", Side.SELL: "short"}
EXIT_NAME = "signal"
STOP_NAME = "stop_loss"
TARGET_NAME = "take_profit"


class SignalOrders:
    """Turns one strategy's signals into commands at the desk."""

    def __init__(self, signals: Signals, plan: Plan) -> None:
        self.plan = plan
        self.event_bars: list[int] = np.flatnonzero(
            signals.entry_long | signals.exit_long | signals.entry_short | signals.exit_short
        ).tolist()
        self._signals = signals

    def decide(self, desk: Desk, signed_steps: int, bar_index: int) -> None:
        """Issue what the wishes of `bar_index` ask for; `signed_steps` is the position now."""
        signals = self._signals
        if (signals.exit_long[bar_index] and signed_steps > 0) or (
            signals.exit_short[bar_index] and signed_steps < 0
        ):
            desk.close_all(comment=EXIT_NAME)
        if signals.entry_long[bar_index]:
            self._enter(desk, Side.BUY, bar_index)
        if signals.entry_short[bar_index]:
            self._enter(desk, Side.SELL, bar_index)

    def _enter(self, desk: Desk, side: Side, bar_index: int) -> None:
        # An id of its own keeps the bracket of each entry to that entry.
        id = f"{ENTRY_NAMES[side]}@{bar_index}"
        qty = _at(self._signals.size, bar_index)
        if not desk.entry(id, side, qty=qty, comment=ENTRY_NAMES[side]):
            return
        stop = _at(self._signals.stop_price, bar_index)
        target = _at(self._signals.target_price, bar_index)
        loss_ratio = self.plan.stop_loss_ratio if stop is None else None
        profit_ratio = self.plan.take_profit_ratio if target is None else None
        if (stop, target, loss_ratio, profit_ratio) != (None, None, None, None):
            desk.exit(
                "bracket",
                id,
                stop=stop,
                limit=target,
                loss_ratio=loss_ratio,
                profit_ratio=profit_ratio,
                comment_loss=STOP_NAME,
                comment_profit=TARGET_NAME,
            )


def _at(column: F64_1D | None, bar_index: int) -> float | None:
    """Return the value of an optional column, None where it has none."""
    if column is None or math.isnan(column[bar_index]):
        return None
    return float(column[bar_index])
