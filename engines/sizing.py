"""The share of equity that an entry spends when the plan sizes it by more than one number.

Theory. See `plan.sizing` for the rules. All of it is known at the deciding close: the stop that the
entry will carry, the volatility of the bars, the trades closed so far. What cannot be known yet (no
stop to risk, no volatility) makes no order, and the reason is counted.
"""

import math
from collections.abc import Sequence

from engines.plan import Sizing, SizingKind
from engines.position import Round


def equity_share(
    sizing: Sizing,
    leverage: float,
    stop_ratio: float,
    volatility_ratio: float,
    rounds: Sequence[Round],
) -> float:
    """Return the share of equity an entry spends, NaN if it cannot be known.

    `stop_ratio` is the distance of its stop and `volatility_ratio` the ATR, both over the close;
    `rounds` are the positions ended so far, oldest first.
    """
    if sizing.kind is SizingKind.KELLY:
        share = _kelly(sizing, rounds)
    elif sizing.kind is SizingKind.RISK:
        share = _over(sizing.value, stop_ratio * leverage)
    else:
        assert sizing.kind is SizingKind.VOLATILITY
        share = _over(sizing.value, volatility_ratio)
    if math.isnan(share):
        return share
    return min(max(share, sizing.ratio_min), sizing.ratio_max)


def _kelly(sizing: Sizing, rounds: Sequence[Round]) -> float:
    """Return the fraction of Kelly's bet; `ratio_min` while there is too little to know it by."""
    last = [one.pnl_ratio for one in rounds[-sizing.trades :]]
    gains = [ratio for ratio in last if ratio > 0]
    losses = [-ratio for ratio in last if ratio < 0]
    if len(last) < sizing.trades_min or not gains:
        return sizing.ratio_min
    win_ratio = len(gains) / len(last)
    if not losses:
        return sizing.value * win_ratio  # The limit of an endless payoff.
    payoff = (math.fsum(gains) / len(gains)) / (math.fsum(losses) / len(losses))
    return sizing.value * (win_ratio - (1 - win_ratio) / payoff)


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan
