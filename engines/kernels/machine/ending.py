"""How a run ends: what is still open is valued at the last close and goes into list and sums."""

from engines.kernels._compiled import rule
from engines.kernels.columns import Bars, Run
from engines.kernels.machine.fills import part_of_lot
from engines.kernels.machine.lots import lot_at
from engines.kernels.machine.tally import reach_end, sum_open
from engines.kernels.money import earned, fee
from engines.kernels.slots import (
    BAR,
    CLOSE,
    END_OF_DATA,
    FEES_OPEN,
    FUNDING_OPEN,
    HIGH,
    LOT_STEPS,
    LOTS,
    LOW,
    NET,
    OPEN_EARLIER,
    PATH_HIGH,
    PATH_LOW,
)


@rule
def end(run: Run, bars: Bars) -> None:
    """Note what is still open as trades valued at the close of the last bar."""
    stand_at_end(run, bars)
    reach_end(run)
    value_open(run, bars)


@rule
def stand_at_end(run: Run, bars: Bars) -> None:
    """Stand at the close of the last bar."""
    last = len(bars.prices) - 1
    if run[BAR] != last:
        run[BAR] = last
        run[PATH_HIGH], run[PATH_LOW] = bars.prices[last, HIGH], bars.prices[last, LOW]


@rule
def value_open(run: Run, bars: Bars) -> None:
    """Note the open lots as trades; the account stays as it is."""
    close = bars.prices[len(bars.prices) - 1, CLOSE]
    net, fees, funding = run[NET], run[FEES_OPEN], run[FUNDING_OPEN]
    for place in range(int(run[LOTS])):
        lot = lot_at(run, place)
        steps = run[LOT_STEPS + lot]
        if steps != 0:
            paid = fee(run, steps, close)
            pnl, fee_in, owed = part_of_lot(
                run, lot, steps, paid, close, 0.0, END_OF_DATA, END_OF_DATA
            )
            sum_open(run, lot, steps, close, pnl, fee_in, owed)
    valued = earned(run)
    run[NET], run[FEES_OPEN], run[FUNDING_OPEN] = net, fees, funding
    run[OPEN_EARLIER] += valued - earned(run)
