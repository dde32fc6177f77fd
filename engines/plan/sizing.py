"""How large an entry is that names no size.

Theory. QTY and CASH are amounts. The other kinds make a share of equity, the *margin* of the entry:
its notional is share x equity x leverage, taken at the deciding close. With one unit of leverage
that is TradingView's percent of equity.

    EQUITY_RATIO   share = value
    RISK           share = value / (stop distance as a ratio of price x leverage): the stop then
                   loses `value` of equity, before costs
    KELLY          share = value x (win rate - (1 - win rate) / payoff) of the last `trades`
                   positions (flat to flat); `ratio_min` until `trades_min` of them have ended or
                   while none has won, value x win rate while none has lost
    VOLATILITY     share = value / (ATR / close)

The last three are clamped to [ratio_min, ratio_max].
Source: Kelly (1956) for a bet of two outcomes; Vince (1990) for its form over a trade list.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from engines.plan.checks import between, contradict, member, number, require, whole


class SizingKind(StrEnum):
    """What the sizing value counts."""

    QTY = "qty"
    CASH = "cash"
    EQUITY_RATIO = "equity_ratio"
    RISK = "risk"
    KELLY = "kelly"
    VOLATILITY = "volatility"


CLAMPED = (SizingKind.RISK, SizingKind.KELLY, SizingKind.VOLATILITY)


@dataclass(frozen=True, slots=True)
class Sizing:
    """Contracts, account currency, or a share of equity by one of the rules above.

    `value` is the quantity, the money, the ratio, the risk at the stop (0.01), the fraction of
    Kelly (0.5) or the target volatility a bar (0.02).
    """

    kind: SizingKind = SizingKind.QTY
    value: float = 1.0
    ratio_min: float = 0.01
    ratio_max: float = 1.0
    trades: int = 20
    trades_min: int = 10
    atr_period: int = 14

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", member("sizing kind", SizingKind, self.kind))
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        holds = is_number and math.isfinite(self.value) and self.value > 0
        require(holds, f"sizing value ({self.kind})", "above zero", self.value)
        if self.kind in (SizingKind.RISK, SizingKind.VOLATILITY):
            between(f"sizing value ({self.kind})", self.value, 0, 1)
        if self.kind is SizingKind.KELLY:
            number(f"sizing value ({self.kind})", self.value, 0, 1)
        number("sizing.ratio_min", self.ratio_min, 0, 1)
        number("sizing.ratio_max", self.ratio_max, 0, 1)
        if self.ratio_min > self.ratio_max:
            found = f"{self.ratio_min:g} and {self.ratio_max:g}"
            contradict(
                "sizing.ratio_min", "sizing.ratio_max", "the first not above the second", found
            )
        whole("sizing.trades", self.trades, 1, 1000)
        whole("sizing.trades_min", self.trades_min, 1, 1000)
        if self.trades_min > self.trades:
            found = f"{self.trades_min} and {self.trades}"
            contradict(
                "sizing.trades_min", "sizing.trades", "the first not above the second", found
            )
        whole("sizing.atr_period", self.atr_period, 2, 1000)
