"""The summary of a set that has come to its end in a lane, by the rules of `summary`."""

import math

from engines.kernels import summary as sums_of
from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.passage import lanes as of
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.lanes import LANES
from engines.kernels.summary import FIGURES, begin_sums, end_month, finish
from engines.types import F64_1D


@rule
def figures_of(
    lanes: F64_1D, lane: int, marks: F64_1D, fixed: Fixed, sums: F64_1D, found: Run
) -> None:
    """Write the figures of a lane and, behind them, whether they are unsure."""
    begin_sums(sums, 0, fixed.capital)
    end_months(marks, lane, fixed.months, 0.0, sums)
    put_figures(lanes, lane, fixed, sums, found)


@rule
def end_months(marks: F64_1D, lane: int, months: int, net_before: float, sums: F64_1D) -> float:
    """End the months of a lane up to so many, forget their marks; return the last that was known.

    `marks` [months x LANES] are closed profits at the end of each month, NaN where no trade ended;
    `net_before` is that at the end of the months that have ended already.
    """
    for month in range(int(sums[sums_of.MONTHS]), months):
        mark = marks[month * LANES + lane]
        marks[month * LANES + lane] = math.nan
        if mark == mark:
            sums[sums_of.MONTH_PNL] = mark - net_before
            net_before = mark
        end_month(sums, 0)
    return net_before


@rule
def put_figures(lanes: F64_1D, lane: int, fixed: Fixed, sums: F64_1D, found: Run) -> None:
    """Write the figures of a lane whose months have ended; its unsureness lies behind them."""
    trades, differences = lanes[of.TRADES + lane], lanes[of.DIFFERENCES + lane]
    sums[sums_of.NET_PROFIT], sums[sums_of.TRADES] = lanes[of.NET + lane], trades
    sums[sums_of.WINS], sums[sums_of.GAINS] = lanes[of.WINS + lane], lanes[of.GAINS + lane]
    sums[sums_of.LOSSES], sums[sums_of.FEES] = lanes[of.LOST + lane], lanes[of.FEES + lane]
    sums[sums_of.FUNDING] = lanes[of.FUNDED + lane]
    sums[sums_of.BARS_HELD] = lanes[of.BARS + lane]
    if trades > 0:
        mean = differences / trades
        sums[sums_of.PNL_MEAN] = lanes[of.FIRST_PNL + lane] + mean
        squares = lanes[of.SQUARES + lane] - differences * mean
        sums[sums_of.PNL_SQUARES] = max(0.0, squares)
    sums[sums_of.PNL_MAX], sums[sums_of.PNL_MIN] = (
        lanes[of.PNL_MAX + lane],
        lanes[of.PNL_MIN + lane],
    )
    sums[sums_of.LOSSES_IN_A_ROW_MAX] = lanes[of.STREAK_MAX + lane]
    sums[sums_of.CLOSED_FALL_MAX] = lanes[of.FALL_MAX + lane]
    sums[sums_of.FALL_MAX] = lanes[of.SWING_MAX + lane]
    sums[sums_of.FALL_RATIO_MAX] = lanes[of.SWING_RATIO_MAX + lane]
    sums[sums_of.BARS_EXPOSED] = lanes[of.COVER + lane]
    finish(sums, 0, fixed.days, fixed.bars, found, 0)
    found[FIGURES] = lanes[of.IS_UNSURE + lane]
