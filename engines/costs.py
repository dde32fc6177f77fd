"""What a fill costs: commission, slippage and the fee of a liquidation, one model for every engine.

How far a fill slips is computed by `slippage`, funding is a history of its own (`funding`).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from engines.errors import PlanFault
from engines.plan import member
from engines.plan.checks import contradict, number, whole


class CommissionKind(StrEnum):
    """What one commission is charged for."""

    RATIO = "ratio"
    PER_CONTRACT = "per_contract"
    PER_ORDER = "per_order"


class SlippageKind(StrEnum):
    """What slippage is made of."""

    TICKS = "ticks"
    RATIO = "ratio"
    VOLUME = "volume"
    VOLATILITY = "volatility"
    COMBINED = "combined"


# The terms of each kind and their values where a run names none.
SLIPPAGE_TERMS = {"slippage_ratio": 0.0005, "volume_impact": 0.1, "volatility_factor": 0.5}
TERMS_OF = {
    SlippageKind.TICKS: (),
    SlippageKind.RATIO: ("slippage_ratio",),
    SlippageKind.VOLUME: ("volume_impact",),
    SlippageKind.VOLATILITY: ("volatility_factor",),
    SlippageKind.COMBINED: tuple(SLIPPAGE_TERMS),
}


@dataclass(frozen=True, slots=True)
class Costs:
    """Commission and slippage of every fill, and the fee of a liquidation.

    `commission` is a ratio of the fill's full notional (RATIO), or account currency for each
    contract (PER_CONTRACT) or each filled order (PER_ORDER). Its default is Bybit's 0.07 % used
    in every TradingView list we hold from there. Slippage works against market and stop fills;
    limit fills never slip. Its terms belong to its kind (None takes the default where the kind has
    the term): `slippage_ticks`, `slippage_ratio` of price (0.0005), `volume_impact` (0.1) times the
    share of the previous bar's volume, `volatility_factor` (0.5) times its ATR of `slippage_period`
    bars over its close; COMBINED adds up the last three. `liquidation_fee_ratio` is of the
    notional at the price at which a liquidation closes; None charges the commission, as Bybit
    charges its taker fee there.
    """

    commission: float = 0.0007
    commission_kind: CommissionKind = CommissionKind.RATIO
    slippage_ticks: int = 0
    slippage_kind: SlippageKind = SlippageKind.TICKS
    slippage_ratio: float | None = None
    volume_impact: float | None = None
    volatility_factor: float | None = None
    slippage_period: int = 14
    liquidation_fee_ratio: float | None = None

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
        number("liquidation_fee_ratio", self.liquidation_fee_ratio, 0, 1, optional=True)
        whole("slippage_period", self.slippage_period, 1, 1000)
        self._check_slippage()

    def _check_slippage(self) -> None:
        kind = member("slippage_kind", SlippageKind, self.slippage_kind)
        object.__setattr__(self, "slippage_kind", kind)
        if self.slippage_ticks and kind is not SlippageKind.TICKS:
            contradict(
                "slippage_kind", "slippage_ticks", "ticks only with the kind ticks",
                f"{kind} and {self.slippage_ticks}",
            )  # fmt: skip # one sentence
        for name, default in SLIPPAGE_TERMS.items():
            value = getattr(self, name)
            number(name, value, 0, 1 if name == "slippage_ratio" else 1000, optional=True)
            if name in TERMS_OF[kind]:
                object.__setattr__(self, name, default if value is None else value)
            elif value is not None:
                named = " and ".join(TERMS_OF[kind]) or "slippage_ticks"
                expected = f"with the kind {kind} only {named}"
                contradict("slippage_kind", name, expected, f"{kind} and {value:g}")

    def fee(self, qty: float, notional_quote: float) -> float:
        """Return the commission of one fill in account currency."""
        if self.commission_kind is CommissionKind.RATIO:
            return notional_quote * self.commission
        if self.commission_kind is CommissionKind.PER_CONTRACT:
            return qty * self.commission
        return self.commission

    def liquidation_fee(self, qty: float, notional_quote: float) -> float:
        """Return the fee of a liquidation's fill in account currency."""
        if self.liquidation_fee_ratio is None:
            return self.fee(qty, notional_quote)
        return notional_quote * self.liquidation_fee_ratio


FREE = Costs(commission=0.0)
