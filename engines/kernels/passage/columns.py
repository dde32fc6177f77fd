"""The tables of the first-passage path: what happens to every possible entry at every level.

Theory. An *event* is a close at which an entry is wished; the entry fills at the next open. For
every event and every level (a stop or a target) there is one *record*: when the position would end
if that level were its only one, at what price, and how far the price went against it until then. A
position that never meets the level ends at its *horizon*: the open after the next wish or rule that
closes it, or the last close. Of a stop and a target the earlier record holds; the event after it is
the first that can enter once the position has ended.

The tables are flat, because what indexes them is computed. Events are those of the whole market,
K and two more: event K enters nothing, it is where a set ends; at event K + 1 every set begins.
Records are those of a *tile* (`passage.tiles`): each of N levels is a row of C + 2 records for C
events; the two more are one where lanes without a set stay, and that of an empty position that ends
at once, where sets begin. Times and values of records are apart, because a look-up reads the times
of two records and the values of one.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from engines.kernels.columns import F64_2D, U8_1D
from engines.types import F64_1D, I64_1D

I32_1D: TypeAlias = npt.NDArray[np.int32]
U32_1D: TypeAlias = npt.NDArray[np.uint32]
U64_1D: TypeAlias = npt.NDArray[np.uint64]

# A time is 4 x bar + phase; a position that is open at the end ends at the bar behind the last.
PHASE_BITS = 2
AT_MARKET_OPEN, PASSED_AT_OPEN, ON_FIRST_LEG, ON_SECOND_LEG = range(4)
BARS_MAX = 1 << 29
NEVER = (1 << 32) - 1  # behind every other time

# How a position ends that comes to its horizon: alone, in one fill with the entry that reverses it,
# at an open at which another entry fills for itself, or not before the last close.
ALONE, REVERSED, RELIEVED, OPEN_AT_END = range(4)

# An event: its entry price; its steps, equity x SHARE_STEPS + FIXED_STEPS; its close, side and bar
# of entry; the equity that a contract ties up; how its position ends at the horizon.
E_PRICE, E_SHARE_STEPS, E_FIXED_STEPS, E_CLOSE, E_SIDE, E_BAR, E_NEED, E_MODE = range(8)
EVENT, EVENT_BITS = 8, 3

# The values of a record: the exit's price, and how far the price went against the position.
V_PRICE, V_LOSS = range(2)
VALUE, VALUE_BITS = 2, 1

# Of a bar in `after`: its month, and the first event at or after the bar before.
MONTH_SHIFT = 22
EVENTS_MAX, MONTHS_MAX = 1 << 22, 1 << 10
EVENT_MASK = EVENTS_MAX - 1

# A level: which column of prices it takes where that has one (NO_COLUMN: none), and the plan's.
L_COLUMN, L_RATIO, L_ATR = range(3)
NO_COLUMN = -1.0


class Passages(NamedTuple):
    """The tables: events [K + 2], records [N, C + 2], and bars [T + 1] with what follows on them.

    `units` [K + 2] is what the money of an entry is divided by to be contracts. The records are
    those of `length` events (C) from event `first` on.
    """

    events: F64_1D
    units: F64_1D
    times: U32_1D
    values: F64_1D
    after: U32_1D
    first: int
    length: int


class Ground(NamedTuple):
    """What a walk reads: bars, wishes [T], where months begin, and the events by their bars [K].

    `prices` and `reach` are those of `Bars`.
    `horizon` [K] is the close at which a position of the event is closed, the number of bars if
    there is none; `is_timed` where that is because it has been held long enough. `atr` [K] may be
    empty. `stops` and `targets` [N, 3] are levels, `columns` [N, K] prices that they may take;
    `is_sorted` tells that both are listed nearest first, whatever the event.
    """

    prices: F64_2D
    reach: F64_2D
    wishes: U8_1D
    slip_ratio: F64_1D
    months: I64_1D
    entries: I64_1D
    horizon: I64_1D
    is_timed: U8_1D
    atr: F64_1D
    stops: F64_2D
    targets: F64_2D
    is_sorted: bool
    columns: F64_2D


class Payments(NamedTuple):
    """Settlements [N], and which come next from each bar on [T + 2]; all empty without funding.

    `before` are the first ones of a bar or later, `after` the first behind the fills of its open.
    """

    prices: F64_1D
    rates: F64_1D
    before: I32_1D
    after: I32_1D


class Fixed(NamedTuple):
    """What all sets of a group share: money, costs, the instrument and the span of the bars.

    `order_fee` is what an entry's money is short of, so times `leverage`; `value_max` what that may
    open. Margins are those that an entry asks for, leverage taken off. `settles` tells that what a
    close decides fills at that close.
    """

    capital: float
    share: float
    order_fee: float
    commission: float
    is_by_qty: bool
    is_by_price: bool
    point_value: float
    step_over: float
    step_under: float
    step_size: float
    room_steps: float
    qty_min: float
    notional_min: float
    margin_long: float
    margin_short: float
    leverage: float
    is_isolated: bool
    value_max: float
    settles: bool
    months: int
    days: float
    bars: float
