"""What a fill costs: commission and slippage, one model for every engine."""

import math
from dataclasses import dataclass
from enum import StrEnum

from engines.errors import PlanFault
from engines.plan import member


class CommissionKind(StrEnum):
    """What one commission is charged for."""

    RATIO = "ratio"
    PER_CONTRACT = "per_contract"
    PER_ORDER = "per_order"


@dataclass(frozen=True, slots=True)
class Costs:
    """Commission and slippage of every fill.

    `commission` is a ratio of the fill's full notional (RATIO), or account currency for each
    contract (PER_CONTRACT) or each filled order (PER_ORDER). Its default is Bybit's 0.07 % used
    in every TradingView list we hold from there. `slippage_ticks` work against market and stop
    fills; limit fills never slip.
    """

    commission: float = 0.0007
    commission_kind: CommissionKind = CommissionKind.RATIO
    slippage_ticks: int = 0

    def __post_init__(self) -> None:
        kind = member("commission_kind", CommissionKind, self.commission_kind)
        object.__setattr__(self, "commission_kind", kind)
        if not (math.isfinite(self.commission) and self.commission >= 0):
            raise PlanFault("commission", "zero or more", repr(self.commission))
        if self.commission_kind is CommissionKind.RATIO and self.commission >= 1:
            raise PlanFault(
                "commission", "a ratio below 1 such as 0.0007 for 0.07 %", repr(self.commission)
            )
        if type(self.slippage_ticks) is not int or self.slippage_ticks < 0:
            expected = "a whole number, zero or more"
            raise PlanFault("slippage_ticks", expected, repr(self.slippage_ticks))

    def fee(self, qty: float, notional_quote: float) -> float:
        """Return the commission of one fill in account currency."""
        if self.commission_kind is CommissionKind.RATIO:
            return notional_quote * self.commission
        if self.commission_kind is CommissionKind.PER_CONTRACT:
            return qty * self.commission
        return self.commission


FREE = Costs(commission=0.0)
