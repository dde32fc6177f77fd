"""The row of a campaign: a ladder's position, its lots, the rungs that wait, and a set's sums.

Theory. The row begins like that of the machine, with the terms of the plan and what is held, so
that the rules of money are the same functions (`slots`, `money`, `rungs`). Behind it lies what this
path needs besides, then the rungs, the lots and the ladder's terms, and at last the settlements of
the market and the margin tiers of its instrument. All of that is in one row because what is passed
from rule to rule can cost more than what they do: a row and few columns.

*Signed* prices are multiplied by the side of the position: against it is down, for both sides
alike. LEG_UP and LEG_DOWN are where the target and the stop of the position are met, NEAR_UP and
NEAR_DOWN what the price meets first over these and the rungs, all signed. A rung that waits no
longer lies infinitely far away. A limit that is verified is met some ticks beyond its price.

Bars are counted by lines (`chains.columns`): where what a close decides fills at that close, what
happens in a bar or at its close has the line behind it, by LAG.
"""

from engines.kernels.slots import RUN
from engines.plan.ladder import RUNGS_MAX

# The plan: the money of an entry is equity x MONEY_SHARE + MONEY_FIXED, a contract takes price x
# UNIT_FACTOR + UNIT_ADDED of it.
(
    HAS_MONEY, MONEY_SHARE, MONEY_FIXED, UNIT_FACTOR, UNIT_ADDED, STEPS_A_QTY, STEP_SIZE,
) = range(RUN, RUN + 7)  # fmt: skip # one list
PLAN = RUN + 7
# The position.
(
    LEG_UP, LEG_DOWN, NEAR_UP, NEAR_DOWN,
    LEG_LIMIT,  # the signed price of the target
    MEETS_UP, MEETS_DOWN,  # what lies at NEAR_UP and NEAR_DOWN
    HELD,  # the quantity, below zero for a short
    UNIT,  # what a point of price is worth, likewise
    COST,  # price times steps over the lots, in their order
    ENTRY_BAR,  # the line of the first fill
    NEXT_BAR,  # the next bar that is not walked yet, which is that of the entry's line at first
    LOWEST,  # a signed price that the campaign has not gone below
    FUNDED_MAX,  # the most that the open position has paid
    IS_LATE,  # the late target holds
    IS_DUE,  # the close before has passed it
    CLOSE_THEN, EQUITY_THEN, SLIP_THEN,  # of the close that decided
    GUARD,  # the signed price at and below which margin may be called
    NET_BEFORE,  # the net result ahead of the campaign
    ALONE_FROM,  # the line of the fill since which the oldest lot was alone, if it was
    STOP_AWAY, TARGET_AWAY,  # how far levels by the ATR lie from what they count from, NaN: none
    # Of a stop that moves (`moves`), signed: what arms one that follows the price, by how many
    # ticks it does, what locks one, and where. The best price that it has followed to, and the
    # highest that it has come to, infinitely low if it has not.
    ARM_AT, FOLLOWS_BY, GATE_AT, LOCK_AT, FOLLOWED, MOVED_TO,
) = range(PLAN, PLAN + 30)  # fmt: skip # one list
POSITION = PLAN + 30
# The bar that is walked.
(
    NOW,  # the signed price at which the walk stands
    OVER,  # the first bar that is not over here
    WORST, BEST,  # the lowest and the highest signed price of its way
    FRESH,  # how many lots were held before it
    STARTED,  # the last bar that START_STEPS and START_EQUITY were noted for
    CLOSE_BEFORE,
    IS_FILLED,  # something has filled in it
    IS_WALKED,  # the bar of the first fill was
    IS_PASSED,  # the exit that it meets lies behind its open
    MONTH_NOW,
    IS_GUARDED,  # a search has ended at the guard
) = range(POSITION, POSITION + 12)  # fmt: skip # one list
WALK = POSITION + 12
# The set: how many bars there are, the wish that comes next, where the settlements end and the next
# lies that is not paid, and sums that `summary` keeps otherwise.
(
    BARS, LAG, PLACE, PAYS_END, PAY_NEXT, IS_UNSURE, FIRST_PNL, DIFFERENCES, SQUARES, MONTH_NET,
    IS_GATED,  # a rule looks back at earlier positions before one enters
    KNOWS,  # courses of the plan may be known
    IS_NEW,  # the campaign has begun, and nothing waits yet
    COURSE_LINE,  # the line that its course is known by
    IS_LIMITED,  # limits of a day or of the drawdown may end it
    DAY_END,  # the first bar of the next trading day
    HALTED_UNTIL,  # the first bar at whose close a wish may enter again
    DRAWN_AT,  # the signed price at which the largest drawdown is reached
    LOOK,  # the signed price from which on a close may raise the peak of equity
    IS_MOVING,  # the plan's stop follows the price, or is locked
) = range(WALK, WALK + 20)  # fmt: skip # one list
SET = WALK + 20
# The order that waits for the first entry (W_SIDE 0: none): its side, where it is met and its own
# price, its steps, the last bar in which it may be met, whether the plan lets it open anything, and
# what of the close that decided it the campaign will know.
(
    W_SIDE, W_MET, W_PRICE, W_STEPS, W_LAST, W_ALLOWED, W_CLOSE, W_EQUITY, W_SLIP, W_ATR,
    MET_AT,  # what it fills at where it has been met, 0 where it has not
    WAY_PART,  # which part of its bar's way is walked, 0 at the open
    W_LINE,  # the line behind the close that decided it
) = range(SET, SET + 13)  # fmt: skip # one list
ORDER = SET + 13

# A rung: where it is met and its own price, signed, and whether it waits above.
RUNG_LEVEL, RUNG_PRICE, RUNG_ABOVE = range(3)
RUNG_SIZE = 3
RUNGS_FROM = ORDER
# A lot: what it closes with, the lowest signed price behind its fill in that bar, and the steps of
# its leg, which are those that it was opened with, less what margin calls have sold.
(
    L_STEPS, L_PRICE, L_BAR, L_UNIT, L_FEE, L_FUNDING, L_WORST, L_LEG,
) = range(8)  # fmt: skip # one list
LOT_SIZE = 8
LOTS_FROM = RUNGS_FROM + RUNG_SIZE * RUNGS_MAX
LADDER_FROM = LOTS_FROM + LOT_SIZE * RUNGS_MAX
# A settlement: when, its price and its rate. A time is 2 x bar, and one more behind the open's
# fills.
PAY_TIME, PAY_PRICE, PAY_RATE = range(3)
PAY_SIZE = 3
PAYS_FROM = LADDER_FROM + 2 * RUNGS_MAX

NO_ORDER, THE_ORDER, THE_LEG = -3, -2, -1  # what a price meets, else the number of a rung
AT_OPEN, FIRST_PART, LAST_PART = 0.0, 1.0, 3.0  # values of WAY_PART
