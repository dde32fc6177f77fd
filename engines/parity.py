"""Compare trades from elsewhere, as a list shows them, with ours.

Theory. A list shows rounded money, so ours must round to what is shown, under the lister's rule.
TradingView's rule, found on 5,527 results of its own lists without one exception: a result is
shown with two decimals, rounded half up (towards plus infinity, as JavaScript's Math.round does);
if that shows zero, with the fewest decimals that show something else; trailing zeros are dropped.
Percentages have two decimals and show zero as zero. An exact half may fall either way here, as the
double behind it lies on either side.
"""

import math
from dataclasses import dataclass

from engines.trades import Side

DECIMALS_MAX = 10
TIE_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Shown:
    """A rounded number of a list: `decimals` of its column, more if it `extends` past a zero."""

    value: float
    decimals: int = 2
    extends: bool = True

    def admits(self, exact: float) -> bool:
        """Return whether `exact` is shown as this value."""
        last = DECIMALS_MAX if self.extends else self.decimals
        for decimals in range(self.decimals, max(last, self.decimals) + 1):
            scale = 10.0**decimals
            candidates = _half_up(exact * scale)
            for candidate in candidates:
                if candidate == 0 and decimals < last:
                    continue
                if math.isclose(candidate / scale, self.value, rel_tol=1e-9, abs_tol=1e-6 / scale):
                    return True
            if 0 not in candidates:
                return False
        return False


def _half_up(scaled: float) -> set[int]:
    """Return the whole numbers a value may round to: two of them at an exact half."""
    rounded = math.floor(scaled + 0.5)
    distance = abs(scaled - math.floor(scaled) - 0.5)
    if distance <= TIE_NOISE * max(1.0, abs(scaled)):
        return {math.floor(scaled), math.floor(scaled) + 1}
    return {rounded}


@dataclass(frozen=True, slots=True)
class ListedTrade:
    """One trade as a list shows it; what the list does not show is None.

    Times are UTC milliseconds, except in a list whose zone is still to be found. A trade still
    open has `is_open`, and no exit at all where the list shows none.
    """

    number: int
    side: Side
    qty: float
    entry_time_ms: int
    entry_price: float
    entry_name: str
    exit_time_ms: int | None
    exit_price: float | None
    exit_name: str
    is_open: bool = False
    position_value: Shown | None = None
    pnl: Shown | None = None
    pnl_pct: Shown | None = None
    mfe: Shown | None = None
    mfe_pct: Shown | None = None
    mae: Shown | None = None
    mae_pct: Shown | None = None
    cumulative: Shown | None = None
    cumulative_pct: Shown | None = None
