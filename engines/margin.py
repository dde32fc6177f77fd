"""Maintenance margin by tiers of position size, and how much leverage each tier allows.

Theory. The larger a position, the larger the share of its value that must stay covered. Tier k
holds for values up to `notional_max` and asks for value x maintenance_ratio - deduction. The
deduction makes the margin continuous where two tiers meet, as if each slice of the value paid the
ratio of its own tier:

    deduction[0] = 0
    deduction[k] = deduction[k-1] + notional_max[k-1] x (ratio[k] - ratio[k-1])

Source: Bybit v5, "Get Risk Limit": riskLimitValue, maintenanceMargin, mmDeduction, maxLeverage.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engines.errors import InstrumentFault

# Deductions are published rounded to a cent or so.
DEDUCTION_NOISE = 1e-6


@dataclass(frozen=True, slots=True)
class MarginTier:
    """Margin rules of positions worth up to `notional_max` quote.

    `maintenance_ratio` of the value must stay covered, less `deduction_quote` (None: computed from
    the tiers below). `leverage_max` is what such a position may be opened with.
    """

    notional_max: float
    maintenance_ratio: float
    deduction_quote: float | None = None
    leverage_max: float = 1.0

    def maintenance_quote(self, value_quote: float) -> float:
        """Return the maintenance margin of a position worth `value_quote`."""
        assert self.deduction_quote is not None, "tiers of an instrument are complete"
        return value_quote * self.maintenance_ratio - self.deduction_quote


def tier_of(tiers: Sequence[MarginTier], value_quote: float) -> MarginTier:
    """Return the tier of a position worth `value_quote`, the last one beyond all limits."""
    for tier in tiers:
        if value_quote <= tier.notional_max:
            return tier
    return tiers[-1]


def checked_tiers(symbol: str, tiers: Sequence[MarginTier]) -> tuple[MarginTier, ...]:
    """Return the tiers with their deductions.

    Raises: InstrumentFault naming the first tier that cannot hold.
    """
    complete: list[MarginTier] = []
    for place, tier in enumerate(tiers):
        subject = f"margin_tiers {place + 1} of {symbol}"
        _check_alone(subject, tier)
        deduction_quote = 0.0
        if complete:
            before = complete[-1]
            _check_order(subject, before, tier)
            assert before.deduction_quote is not None
            rise = tier.maintenance_ratio - before.maintenance_ratio
            deduction_quote = before.deduction_quote + before.notional_max * rise
        given = tier.deduction_quote
        scale = max(1.0, deduction_quote)
        if given is not None and not abs(given - deduction_quote) <= DEDUCTION_NOISE * scale:
            expected = f"deduction_quote {deduction_quote:g}, so that tiers meet"
            raise InstrumentFault(subject, expected, repr(given))
        complete.append(replace(tier, deduction_quote=deduction_quote if given is None else given))
    return tuple(complete)


def _check_alone(subject: str, tier: MarginTier) -> None:
    if not tier.notional_max > 0:
        raise InstrumentFault(subject, "notional_max above zero", repr(tier.notional_max))
    if not (math.isfinite(tier.leverage_max) and tier.leverage_max >= 1):
        raise InstrumentFault(subject, "leverage_max of 1 or more", repr(tier.leverage_max))
    if not 0 < tier.maintenance_ratio < 1 / tier.leverage_max:
        expected = f"maintenance_ratio above 0 and below 1 / leverage_max ({tier.leverage_max:g})"
        raise InstrumentFault(subject, expected, repr(tier.maintenance_ratio))


def _check_order(subject: str, before: MarginTier, tier: MarginTier) -> None:
    for name, holds in (
        ("notional_max", tier.notional_max > before.notional_max),
        ("maintenance_ratio", tier.maintenance_ratio >= before.maintenance_ratio),
        ("leverage_max", tier.leverage_max <= before.leverage_max),
    ):
        if not holds:
            word = "at most" if name == "leverage_max" else "beyond"
            expected = f"{name} {word} that of the tier below ({getattr(before, name):g})"
            raise InstrumentFault(subject, expected, repr(getattr(tier, name)))
