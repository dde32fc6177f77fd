"""Kelly's share of a ladder, by the exact sums that follow its window of rounds (`stacks.kelly`).

Theory. A round is a campaign: its trades are weighed as they close, and where it ends the share
that the next entry may spend is found. A ladder with a budget of its own asks for none.
"""

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import L_PRICE
from engines.kernels.columns import Run
from engines.kernels.machine.rounds import add_to_round
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    KELLY_AT,
    KELLY_ROOM,
    NEEDS_REFERENCE,
    POINT_VALUE,
    ROUND_PNL,
    ROUND_TRADES,
    ROUND_WEIGHED,
    ROUND_WEIGHTS,
    ROUNDS,
    SHARE_MIN,
    WISH_SHARE,
)
from engines.kernels.stacks.kelly import KELLY_SUMS, end_weighed_round


@rule
def begin_rounds(run: Run) -> None:
    """Let no round have ended yet."""
    if run[KELLY_ROOM] == 0:
        return
    first = int(run[KELLY_AT])
    for place in range(first, first + int(run[KELLY_ROOM]) + KELLY_SUMS):
        run[place] = 0.0
    run[ROUNDS] = run[ROUND_TRADES] = run[ROUND_PNL] = run[NEEDS_REFERENCE] = 0.0
    run[ROUND_WEIGHED] = run[ROUND_WEIGHTS] = 0.0
    run[WISH_SHARE] = run[SHARE_MIN]


@rule
def weigh(run: Run, lot: int, steps: float, pnl: float, entry_fee: float) -> None:
    """Weigh a trade that has closed: `steps` of a lot."""
    if run[KELLY_ROOM] > 0:
        _weigh(run, run[lot + L_PRICE], qty_of(run, steps), pnl, entry_fee)


@apart
def _weigh(run: Run, price: float, qty: float, pnl: float, entry_fee: float) -> None:
    add_to_round(run, pnl, price * (qty * run[POINT_VALUE]) + entry_fee, price * qty)


@apart
def end_campaign(run: Run) -> None:
    """Note the campaign that has just ended, and the share that the next entry may spend."""
    run[WISH_SHARE] = end_weighed_round(run)
