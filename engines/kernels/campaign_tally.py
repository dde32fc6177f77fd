"""What the fills of campaigns add to the sums of a set: `tally` without looking at most bars.

Theory. How far equity fell inside bars takes the extremes of the bars between fills, which only
matter where they may deepen the deepest fall so far. A campaign knows a price that it has not gone
below, the lowest of what waited for it, and most are done with that bound; only beyond it bars are
looked at. A stretch of bars between two fills is marked for all lots together if there are several;
one lot always closes whole, so no stretch has to be kept for it.
"""

from engines.kernels._compiled import rule
from engines.kernels.campaign_columns import (
    COST,
    ENTRY_BAR,
    FUNDED_MAX,
    IS_UNSURE,
    IS_WALKED,
    L_BAR,
    L_FEE,
    L_FUNDING,
    L_PRICE,
    L_STEPS,
    L_UNIT,
    L_WORST,
    LOT_SIZE,
    LOTS_FROM,
    LOWEST,
    NEAR_DOWN,
    WORST,
)
from engines.kernels.chain_columns import LINE, O_MONTH, Opens
from engines.kernels.columns import Run
from engines.kernels.money import fee, margin_ratio
from engines.kernels.passage_lanes import SURE
from engines.kernels.rounding import qty_of
from engines.kernels.search import extremes
from engines.kernels.slots import (
    BAR,
    CAPITAL,
    FEES_OPEN,
    FUNDING_OPEN,
    LAST_FILL_BAR,
    LOTS,
    NET,
    NEXT_MONTH,
    POINT_VALUE,
    PRICE_AVG,
    SETTLED_PEAK,
    STEPS,
    SUMS,
)
from engines.kernels.summary import (
    BEFORE,
    BEFORE_PEAK,
    add_exposure,
    add_fall,
    add_open,
    add_result,
    deepen,
    end_month,
    may_deepen,
)


@rule
def reach_fill(run: Run, opens: Opens) -> None:
    """Mark, ahead of a bar's first fill, the stretch that it ends."""
    if run[LAST_FILL_BAR] == run[BAR]:
        return
    mark_stretch(run, opens, int(run[BAR]))
    run[LAST_FILL_BAR] = run[BAR]


@rule
def mark_stretch(run: Run, opens: Opens, stop: int) -> None:
    """Mark the bars from the last fill to `stop`, if several lots were held through them."""
    settled = run[CAPITAL] + run[NET]
    peak = max(run[SETTLED_PEAK], settled)
    run[SETTLED_PEAK] = peak
    start = int(run[LAST_FILL_BAR]) + 1
    if run[LOTS] < 2 or stop <= start:
        return
    unit = qty_of(run, run[STEPS]) * run[POINT_VALUE]
    held = settled - unit * run[PRICE_AVG] - run[FEES_OPEN]
    if not may_deepen(run, SUMS, peak, held + abs(unit) * run[NEAR_DOWN]):
        return
    high, low = extremes(opens.reach, opens.bars, start, stop)
    fall = max(peak - (held + min(unit * high, unit * low)), 0.0)
    deepen(run, SUMS, fall, fall / peak)


@rule
def close_lots(run: Run, opens: Opens, price: float, paid: float) -> None:
    """Close all that is held at `price`, paying `paid` for it."""
    _reach_month(run, opens.lines[int(run[BAR]) * LINE + O_MONTH])
    _look_back(run, opens)
    held = abs(run[STEPS])
    for place in range(int(run[LOTS])):
        lot = LOTS_FROM + place * LOT_SIZE
        steps = run[lot + L_STEPS]
        share = paid * steps / held
        pnl, entry_fee, funding = _result(run, lot, price, share)
        run[NET] += pnl
        bars_held = run[BAR] - run[lot + L_BAR] + 1
        add_result(run, SUMS, pnl, entry_fee + share, funding, bars_held)
        _mark_lot(run, opens, lot, price, pnl, entry_fee)
    add_exposure(run, SUMS, run[ENTRY_BAR], run[BAR])
    run[STEPS] = run[LOTS] = run[FEES_OPEN] = run[FUNDING_OPEN] = run[PRICE_AVG] = run[COST] = 0.0


@rule
def _reach_month(run: Run, month: float) -> None:
    """End the months before this one."""
    while run[NEXT_MONTH] < month:
        end_month(run, SUMS)
        run[NEXT_MONTH] += 1


@rule
def _look_back(run: Run, opens: Opens) -> None:
    """Find how low the campaign may have gone, and whether that is near to a margin call."""
    if run[LOWEST] == -float("inf"):
        high, low = extremes(opens.reach, opens.bars, int(run[ENTRY_BAR]), int(run[BAR]))
        run[LOWEST] = min(low if run[STEPS] > 0 else -high, run[WORST])
    ratio = margin_ratio(run, run[STEPS])
    side = 1.0 if run[STEPS] > 0 else -1.0
    unit = qty_of(run, run[STEPS]) * run[POINT_VALUE]
    price = side * run[LOWEST]
    owned = run[CAPITAL] + (run[NET] - run[FEES_OPEN] - run[FUNDED_MAX])
    owned += (price - run[PRICE_AVG]) * unit
    if ratio > 0 and price * abs(unit) * ratio > owned * SURE:
        run[IS_UNSURE] = 1.0


@rule
def _result(run: Run, lot: int, price: float, share: float) -> tuple[float, float, float]:
    """Return the result of a lot, its entry fee and its funding."""
    steps, side = run[lot + L_STEPS], 1.0 if run[STEPS] > 0 else -1.0
    entry_fee = run[lot + L_FEE] * steps / steps
    funding = run[lot + L_FUNDING] * steps / steps
    gross = side * (price - run[lot + L_PRICE]) * run[lot + L_UNIT]
    return gross - entry_fee - share - funding, entry_fee, funding


@rule
def _mark_lot(run: Run, opens: Opens, lot: int, price: float, pnl: float, entry_fee: float) -> None:
    """Mark equity at the worst of a trade, which is looked up only where it may be the deepest."""
    side = 1.0 if run[STEPS] > 0 else -1.0
    base, end = side * run[lot + L_PRICE], side * price
    peak, before = run[SUMS + BEFORE_PEAK], run[SUMS + BEFORE]
    unit = run[lot + L_UNIT]
    adverse = max(0.0, base - min(run[LOWEST], end))
    if not may_deepen(run, SUMS, peak, before - max(adverse * unit + entry_fee, -pnl)):
        return
    worst, start, stop = min(run[lot + L_WORST], end), int(run[lot + L_BAR]), int(run[BAR])
    # A first bar that was not walked met nothing behind the fill: all of it counts.
    is_whole = lot == LOTS_FROM and run[IS_WALKED] == 0
    if stop > start or is_whole:
        first = start if is_whole else start + 1
        high, low = extremes(opens.reach, opens.bars, first, stop)
        worst = min(worst, run[WORST], low if side > 0 else -high)
    adverse = max(0.0, base - worst)
    add_fall(run, SUMS, peak, before - max(adverse * unit + entry_fee, -pnl))


@rule
def end_open(run: Run, opens: Opens, close: float) -> None:
    """Note what is still open at the close of the last bar, valued there."""
    mark_stretch(run, opens, opens.bars)
    _look_back(run, opens)
    for place in range(int(run[LOTS])):
        lot = LOTS_FROM + place * LOT_SIZE
        steps = run[lot + L_STEPS]
        pnl, entry_fee, funding = _result(run, lot, close, fee(run, steps, close))
        add_open(run, SUMS, entry_fee, funding)
        _mark_lot(run, opens, lot, close, pnl, entry_fee)
    add_exposure(run, SUMS, run[ENTRY_BAR], run[BAR])


@rule
def end_months(run: Run, months: int) -> None:
    """End all months of a set."""
    _reach_month(run, float(months))
