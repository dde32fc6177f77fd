"""Where each number of a kernel run lies: the kernel keeps plain arrays and names their places.

Theory. What compiles for the CPU and for the GPU from one source has no objects, so a run is one
row of float64: its terms (what a parameter set fixes), its state (what is true at this point of the
path), and the legs of its bracket, one after the other. What happens is noted in rows that the
kernel never reads again. Quantities are counted in whole steps and prices in whole ticks, as in the
reference; both are exact in float64 up to 2**53, and a run that could leave that range is refused.

A price, ratio or column that is not given is NaN, a limit that is not set is infinite, an order
that does not wait has side 0.
"""

from engines.kernels.summary import FIGURES, SUMS_SIZE

# Terms: the instrument.
(
    TICK_SIZE, TICK_OVER, TICK_UNDER, STEP_OVER, STEP_UNDER, QTY_MIN, NOTIONAL_MIN, POINT_VALUE,
) = range(8)  # fmt: skip # one list
# Terms: costs.
COMMISSION, COMMISSION_KIND, SLIP_TICKS, SLIPS_BY_RATIO, SLIP_IMPACT = range(8, 13)
# Terms: money.
(
    CAPITAL, SIZING_KIND, SIZING_VALUE, SHARE_MIN, SHARE_MAX, MARGIN_LONG, MARGIN_SHORT, DIRECTION,
    ROOM_STEPS, DELAY_BARS, COOLDOWN_BARS, START_BAR, ENTRY_KIND, ENTRY_OFFSET, TIMEOUT_BARS,
    IS_EXACT,
) = range(13, 29)  # fmt: skip # one list
# Terms: exits. Targets and their portions are LEGS_MAX places each.
LEGS_MAX = 4
(
    CLOSES_ALL, VERIFY_TICKS, BARS_HELD_MAX, ONLY_IN_PROFIT, HAS_EXITS, STOP_RATIO, PROFIT_RATIO,
    STOP_ATR, PROFIT_ATR, TRAIL_UNIT, TRAIL_ACTIVATION, TRAIL_DISTANCE, BREAKEVEN_GAIN,
    BREAKEVEN_OFFSET, TARGETS, TARGET_RATIOS,
) = range(29, 45)  # fmt: skip # one list
PORTIONS = TARGET_RATIOS + LEGS_MAX
# Terms: limits and rules that count.
LIMITS = PORTIONS + LEGS_MAX
(
    KELLY_TRADES_MIN, TRADES_DAY_MAX, TRADES_WEEK_MAX, LOSSES_MAX, FILLS_MAX,
    LOSS_RATIO_MAX, LOSS_QUOTE_MAX, DRAWDOWN_MAX, LEVERAGE, IS_LIQUIDABLE, IS_ISOLATED,
    CALLS_MARGIN, VALUE_MAX, HAS_CAPS, SETTLES, LIQUIDATION_FEE,
) = range(LIMITS, LIMITS + 16)  # fmt: skip # one list

# Terms: how many entries a position holds, how lots are consumed, what distances count from, how
# many legs a lot may have and for how many lots there is room at first.
ROOM, LOT_ORDER, BASIS, LEGS_EACH, LOTS_ROOM = range(LIQUIDATION_FEE + 1, LIQUIDATION_FEE + 6)
# Terms: the ladder. RUNGS wait beside an entry; LATE_ENTRIES is infinite without a late target.
RUNGS, BUDGET_RATIO, REFILLS, LATE_ENTRIES, LATE_RATIO, IS_TENDED = range(
    LOTS_ROOM + 1, LOTS_ROOM + 7
)
# Terms: how many rounds Kelly's sizing looks at, and how many margin tiers liquidate, 0 without;
# whether a long and a short position are held side by side.
KELLY_ROOM, TIERS, IS_HEDGED = range(IS_TENDED + 1, IS_TENDED + 4)
TERMS = IS_HEDGED + 1
# Behind the terms of a plan with a ladder: offset and weight of each of its orders, entry first.

# State from here to SHARED: that of one side, which in hedge mode is exchanged with the other's.
# The position (STEPS above zero is long, 0 flat), its money and how many lots and entries.
(
    STEPS, PRICE_AVG, PRICE_LAST, NET, FEES_OPEN, FUNDING_OPEN, LOTS, ENTRIES, IS_FRESH,
) = range(TERMS, TERMS + 9)  # fmt: skip # one list
# State: the point of the path, what a bar slips by, and the nearest levels that wait.
(
    BAR, PRICE, PATH_HIGH, PATH_LOW, SLIP_NOW, VOLUME_NOW, START_STEPS, START_EQUITY, GUARD_DOWN,
    GUARD_UP, UP, DOWN, TRAIL_UP, TRAIL_DOWN, IS_TRAILING,
) = range(IS_FRESH + 1, IS_FRESH + 16)  # fmt: skip # one list
# State: where the tables of this run lie, and how many orders the book holds.
PLACES_AT, BOOK_AT, LOTS_AT, KELLY_AT, TIERS_AT, NOTES_AT, LOTS_MAX, LOT_SIZE, BOOK = range(
    IS_TRAILING + 1, IS_TRAILING + 10
)
# State: where the terms of the ladder and the campaigns lie, which campaign is the position's, and
# whether fills want it tended.
LADDER_AT, CAMPAIGNS_AT, CAMPAIGN_NOW, IS_DUE = range(BOOK + 1, BOOK + 5)
# State: the close that waits, when the entry that waits has waited too long, the money it is sized
# by (NaN: it has a size) and whether it may only close.
CLOSE_REASON, TIMEOUT, ORDER_MONEY, CLOSES_ONLY = range(IS_DUE + 1, IS_DUE + 5)
# State: what the wishes of this close say of an entry.
(
    WISH_STOP, WISH_PROFIT, WISH_SIZE, WISH_SHARE, WISH_ATR, WISH_ATR_RATIO, WISH_SLIP,
) = range(CLOSES_ONLY + 1, CLOSES_ONLY + 8)  # fmt: skip # one list
# State: positions from flat to flat.
ROUNDS, ROUND_TRADES, LAST_END_BAR, LAST_ROUND = range(WISH_SLIP + 1, WISH_SLIP + 5)

# An order: where a rising and a falling price meet it, whether it lives, whether it is a leg.
ORDER_UP, ORDER_DOWN, LIVES, IS_LEG = range(4)
# An entry is such an order; WORDS is where the wish it was made of lies.
SIDE, OWN_STEPS, KIND_OF_ENTRY, LEVEL, TRIGGER, RUNG, WORDS = range(4, 11)
ENTRY = WORDS + 1
# The words of a wish, which the lots that it opens keep.
SAID_STOP, SAID_PROFIT, SAID_ATR, SAID_CLOSE, SAID_BAR, SAID_LATE = range(6)
SAID = SAID_LATE + 1
# A rung is an entry: was it seen filled, and is it open now? Its campaign has its words and rungs.
HAS_FILLED, IS_HELD = range(ENTRY, ENTRY + 2)
RUNG_SIZE = IS_HELD + 1
CAMPAIGN = SAID
# A leg is such an order, of the lot that lies at LEG_LOT.
(
    LEG_LOT, LEG_STEPS, LEG_LIMIT, LEG_TRIGGER, LEG_STOP, LEG_PLACE, HAS_MOVES, ARM_PRICE,
    TRAIL_TICKS, BEST_PRICE, TRAIL_STOP, RATCHETED_STOP, NEXT_RATCHET, RATCHETS, STOP_REASON,
    PROFIT_REASON, TRIGGERS,
) = range(4, 21)  # fmt: skip # one list
RATCHET_STOPS = TRIGGERS + LEGS_MAX - 1
LEG = RATCHET_STOPS + LEGS_MAX - 1

# What counts have seen: the days of the bar's open and of the close that decides, the entries of
# the last day and week that had one, losses of positions in a row and the last day they have ended.
COUNTS = LAST_ROUND + 1
(
    OPEN_DAY, DECISION_DAY, ENTRY_DAY, ENTRY_WEEK, DAY_ENTRIES, WEEK_ENTRIES, ROUND_LOSSES,
    HALTED_DAY,
) = range(COUNTS, COUNTS + 8)  # fmt: skip # one list
# What the caps of a day and the largest drawdown have seen, the levels at which the broker closes,
# those at which the peak of equity may rise, and the bar's mark prices.
(
    DAY_FILLS, EQUITY_MIN, IS_HALTED, IS_OVER, PEAK, FLOOR, FORCED_DOWN, FORCED_UP, LIQUIDATION_AT,
    LOOK_DOWN, LOOK_UP, IS_MARKED, MARK_OPEN, MARK_HIGH, MARK_LOW, MARK_CLOSE,
) = range(HALTED_DAY + 1, HALTED_DAY + 17)  # fmt: skip # one list

# Sums that are kept exactly: their number of parts, then the parts (`exact`).
PARTS_MAX = 8
ROUND_PNL, ROUND_WEIGHED, ROUND_WEIGHTS, TOTAL = range(
    MARK_CLOSE + 1, MARK_CLOSE + 1 + 4 * (PARTS_MAX + 1), PARTS_MAX + 1
)
# The entry that waits, and its words.
FIRST_ORDER = TOTAL + PARTS_MAX + 1
FIRST_WORDS = FIRST_ORDER + ENTRY

# State that sides share: how much was noted, since which bar something is held, which side is the
# one above (0: there is but one) and where the state of the other lies.
SHARED = FIRST_WORDS + SAID
SIDE_SIZE = SHARED - STEPS
OVERFLOWS, NOTED, NEEDS_REFERENCE, ROUND_BAR, SIDE_NOW, OTHER_AT = range(SHARED, SHARED + 6)
# What the side above sees of the other one, all 0 if there is none, and what the open trades of a
# side listed earlier have come to.
(
    PEER_STEPS, PEER_PRICE, PEER_SETTLED, PEER_FEES, PEER_ROWS, PEER_LOT, OPEN_EARLIER, REFUSED,
) = range(OTHER_AT + 1, OTHER_AT + 9)  # fmt: skip # one list
# From REFUSED on: one count for each of these, in the reference's words.
REFUSALS = (
    "entries that the account cannot pay",
    "orders smaller than one quantity step",
    "orders below the instrument's minimum",
    "entries against the allowed direction",
    "orders cut to the maximum position",
    "orders that the account could not pay",
    "entries whose size is nothing or cannot be known",
    "reversals at a loss",
    "entries before the ATR of their exits is known",
    "entries within the delay after an exit",
    "entries within the cooldown after a loss",
    "reversals that would wait, with exits only in profit",
    "entries that timed out",
    "entries that the session's end cancelled",
    "entries beyond the trades of a day",
    "entries beyond the trades of a week",
    "entries after losses in a row",
    "entries beyond the pyramiding limit",
    "ladders whose entry is smaller than one quantity step",
    "rungs smaller than one quantity step",
    "entries after a cap of the day",
    "orders beyond what the leverage may open",
)
(
    CANNOT_PAY, TOO_SMALL, BELOW_MINIMUM, WRONG_SIDE, CUT, COULD_NOT_PAY, NO_SIZE, AT_A_LOSS,
    LACKS_ATR, WITHIN_DELAY, WITHIN_COOLDOWN, WOULD_WAIT, TIMED_OUT, SESSION_CANCELLED,
    BEYOND_DAY, BEYOND_WEEK, AFTER_LOSSES, NO_ROOM, SMALL_LADDER, SMALL_RUNGS, AFTER_CAP,
    BEYOND_LEVERAGE,
) = range(REFUSED, REFUSED + len(REFUSALS))  # fmt: skip # one list
# What the summary is made of (`tally`): the sums and the figures of `summary`, the month, the
# stretch of bars that a fill ends, the one lot that was held through stretches, and the trades that
# wait for their bar to be over.
SUMS = REFUSED + len(REFUSALS)
FOUND = SUMS + SUMS_SIZE
(
    NEXT_MONTH, MONTH_BAR, LAST_FILL_BAR, SETTLED_PEAK, STRETCH_START, STRETCH_STOP, STRETCH_UNIT,
    STRETCH_SETTLED, STRETCH_LOT, LONE_LOT, LONE_FALL, LONE_FALL_RATIO, WAITS_AT, WAITS_MAX, WAITS,
) = range(FOUND + FIGURES, FOUND + FIGURES + 15)  # fmt: skip # one list

# From COLD on nothing has to be cleared. The ratio of the last trade.
COLD = WAITS + 1
ROUND_RATIO = COLD
RUN = ROUND_RATIO + 1

# Behind the RUN places: the places of the lots (LOTS_MAX), the book, ladder and campaigns, the
# lots, the ratios of the last rounds (KELLY_ROOM), the margin tiers, and the trades that wait. A
# lot is a row of the trade list and the entry that opened it in one; its legs lie behind it. Then
# come the state of another side and its tables.
(
    LOT_STEPS, LOT_BOUND, LOT_PRICE, LOT_BAR, LOT_FEE, LOT_FUNDING, LOT_HIGH, LOT_LOW, LOT_SLIP,
    LOT_RUNG, LOT_LEGS, LOT_WORDS,
) = range(12)  # fmt: skip # one list
LOT = LOT_WORDS + SAID
(
    WAIT_PEAK, WAIT_BEFORE, WAIT_PNL, WAIT_FEE, WAIT_UNIT, WAIT_PRICE, WAIT_ADVERSE, WAIT_FIRST_BAR,
    WAIT_LAST_BAR,
) = range(9)  # fmt: skip # one list
WAIT = WAIT_LAST_BAR + 1
NOTIONAL_MAX, MAINTENANCE, DEDUCTION = range(3)
TIER = DEDUCTION + 1

# What is noted: a row of NOTE places, by its kind.
NOTE_KINDS = TRADE_NOTE, FILL_NOTE, PAYMENT_NOTE = 0, 1, 2
KIND = 0
(
    T_SIDE, T_STEPS, T_ENTRY_BAR, T_ENTRY_PRICE, T_EXIT_BAR, T_EXIT_PRICE, T_PNL, T_FEE_ENTRY,
    T_FEE_EXIT, T_FUNDING, T_SLIP, T_CUMULATIVE, T_REASON, T_NAME, T_STOP, T_PROFIT,
    T_LOT_HIGH, T_LOT_LOW, T_PATH_HIGH, T_PATH_LOW, T_RUNG,
) = range(1, 22)  # fmt: skip # one list
F_BAR, F_ORDER, F_REASON, F_NAME, F_SIDE, F_STEPS, F_PRICE, F_FEE, F_SLIP, F_DECIDED, F_RUNG = (
    range(1, 12)
)
P_SETTLEMENT, P_BAR, P_STEPS, P_PAID = range(1, 5)
NOTE = 22

# Which order a fill was: the leg of one of several targets is its place, 0 to LEGS_MAX - 1.
BRACKET_ORDER, ENTRY_ORDER, CLOSE_ORDER, FORCED_ORDER = 9.0, 10.0, 11.0, 12.0

# The name of a fill is a reason, or from PLAIN_NAME on the id of the leg's order.
PLAIN_NAME = 20.0

# Kinds. Reasons are the reference's; a fill that opens has none.
BY_QTY, BY_CASH, BY_EQUITY, BY_RISK, BY_VOLATILITY, BY_KELLY = range(6)
PER_NOTIONAL, PER_CONTRACT, PER_ORDER = range(3)
AT_MARKET, AT_LIMIT, AT_STOP = range(3)
FIFO, LIFO, OWN_FIRST = range(3)
FROM_ENTRY, FROM_AVERAGE, FROM_LAST = range(3)
NO_TRAIL, TRAIL_RATIO, TRAIL_BY_TICKS, TRAIL_QUOTE = range(4)
(
    NO_REASON, SIGNAL, REVERSAL, STOP_LOSS, TAKE_PROFIT, ATR_SL, ATR_TP, TRAILING_STOP,
    BREAKEVEN_SL, TIME_EXIT, SESSION_CLOSE, WEEKEND_CLOSE, MARGIN_CALL, END_OF_DATA, LIQUIDATION,
    MAX_DRAWDOWN, RISK_RULE,
) = map(float, range(17))  # fmt: skip # one list

# Names of fills by a cap, which the reason does not tell.
FILLS_CAP, LOSS_CAP = 17.0, 18.0

# Wishes of one close, as bits.
ENTERS_LONG, ENTERS_SHORT, LEAVES_LONG, LEAVES_SHORT, SESSION_ENDS, WEEKEND_BEGINS = (
    1, 2, 4, 8, 16, 32,
)  # fmt: skip # six bits
ENTERS = ENTERS_LONG | ENTERS_SHORT
ENDS = SESSION_ENDS | WEEKEND_BEGINS
ANY_WISH = ENTERS | LEAVES_LONG | LEAVES_SHORT | ENDS

OPEN, HIGH, LOW, CLOSE = range(4)  # columns of prices
