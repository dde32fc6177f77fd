"""The row of a campaign's walk: a ladder's position, its lots and the rungs that wait beside it.

Theory. The row begins like that of the machine, with the terms of the plan and what is held, so
that the rules of money are the same functions (`slots`, `money`, `rungs`). Behind it lies what this
path needs besides. *Signed* prices are multiplied by the side of the position: against it is down,
for both sides alike.

LEG_UP and LEG_DOWN are where the target and the stop of the position are met, NEAR_UP and NEAR_DOWN
what the price meets first over these and the rungs, all signed. A rung that waits no longer lies
infinitely far away.
"""

from engines.kernels.slots import RUN
from engines.plan.ladder import RUNGS_MAX

(
    LEG_UP, LEG_DOWN, NEAR_UP, NEAR_DOWN,
    NOW,  # the signed price at which the walk stands
    WORST,  # the lowest signed price of this bar's way
    LOWEST,  # a signed price that the campaign has not gone below
    FRESH,  # how many lots were held before this bar
    COST,  # price times steps over the lots, in their order
    ENTRY_BAR, NEXT_BAR,  # the bar of the first fill, and the next that is not walked yet
    PAY_AT,  # the next settlement that is not paid yet
    FUNDED_MAX,  # the most that the open position has paid
    IS_LATE, IS_FILLED,  # the late target holds; something has filled in this bar
    CLOSE_THEN, EQUITY_THEN, SLIP_THEN,  # of the close that decided
    IS_WALKED,  # the bar of the first fill was
    IS_UNSURE,
) = range(RUN, RUN + 20)  # fmt: skip # one list

# A rung: where it is met, signed, and whether it waits above.
RUNG_LEVEL, RUNG_ABOVE = range(2)
RUNG_SIZE = 2
RUNGS_FROM = RUN + 20
# A lot: what it closes with, and the lowest signed price behind its fill in the bar of it.
(
    L_STEPS, L_PRICE, L_BAR, L_UNIT, L_FEE, L_FUNDING, L_WORST,
) = range(7)  # fmt: skip # one list
LOT_SIZE = 8
LOTS_FROM = RUNGS_FROM + RUNG_SIZE * RUNGS_MAX
LADDER_FROM = LOTS_FROM + LOT_SIZE * RUNGS_MAX
ROW = LADDER_FROM + 2 * RUNGS_MAX

NO_ORDER, THE_LEG = -2, -1  # what a price meets, else the number of a rung
