"""The compiled passes of the chain path: what a market's opens cost, and figures from wishes.

They run on one thread and leave Python's lock alone, so that several may run at a time, beside the
strategies that are asked for more.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, rule, shared, stamp_of
from engines.kernels.chains.columns import (
    I32_1D,
    LINE,
    LONG,
    LOOKS,
    O_CLOSE,
    O_MONTH,
    O_OPEN,
    O_ORDERED,
    O_PRICE,
    O_SLIP,
    SHORT,
    SPAN_BITS,
    SPANS,
    TOGETHER,
    WISH_BITS,
    Decides,
    Exits,
    Given,
    Links,
    Opens,
    Sizes,
)
from engines.kernels.chains.exits import RECALLED, walk
from engines.kernels.chains.lanes import CHAIN_NUMBERS, follow, idle, start_chain, weigh
from engines.kernels.chains.margin import judge
from engines.kernels.chains.shares import Shares, share_of, share_out
from engines.kernels.chains.walk import (
    STAND,
    ask,
    begin_links,
    end_links,
    given_with,
    link,
    look_back,
)
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.exit_walk import WALK
from engines.kernels.money import due_price, expected_slip, slipped_price
from engines.kernels.passage.columns import U64_1D, Fixed, Payments
from engines.kernels.passage.events import slip_at
from engines.kernels.passage.figures import figures_of
from engines.kernels.passage.funding import pay, pay_until_closes
from engines.kernels.passage.lanes import (
    AT,
    END,
    IS_UNSURE,
    LANE_PLACES,
    LANES,
    MONTH,
    NET,
    mark,
    move_on,
    size,
    size_exactly,
    start_lane,
    tally,
    turn,
)
from engines.kernels.slots import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    RUN,
    SLIP_NOW,
    TERMS,
)
from engines.kernels.summary import SUMS_SIZE
from engines.types import BOOL_1D, F64_1D, I64_1D

NO_SET = -1
# A set: where its wishes begin and end, the row of its plan among the exits (NO_LEVELS: none) and
# among the terms.
SET_START, SET_STOP, SET_ROW, SET_PLAN = range(4)

# Where its links lie, behind where it stands.
FIRST, END_OF = range(STAND, STAND + 2)
SET_STAND = END_OF + 1
SPAN = 2048  # bars that sets are linked through side by side
SAMPLE = 256  # entries that a set wishes for first: if one takes all, some will that it makes

Price: TypeAlias = Callable[[F64_2D, F64_1D, I64_1D, F64_1D, int, F64_1D], None]
Lowest: TypeAlias = Callable[[F64_2D, F64_1D], None]
Ask: TypeAlias = Callable[[I32_1D, I64_2D, int, Decides, int, I32_1D], None]
Find: TypeAlias = Callable[
    [Opens, F64_2D, F64_1D, F64_1D, F64_1D, I64_1D, I32_1D, Exits, int], None
]
Spend: TypeAlias = Callable[[Opens, I32_1D, I64_2D, Decides, Given, Shares, float, BOOL_1D], None]
Advance: TypeAlias = Callable[
    [
        Opens, I32_1D, I64_2D, Decides, Given, Exits, Shares, Sizes, Payments, Fixed, F64_2D, F64_2D
    ], None
]  # fmt: skip # what it reads, then what it finds


def _pricer(stamp: int) -> Price:
    """Return the pass that writes lines; what it closes over is a part of its cache's key."""

    def price(
        prices: F64_2D, slip_ratio: F64_1D, months: I64_1D, terms: F64_1D, lag: int, lines: F64_1D
    ) -> None:
        run = np.zeros(RUN if stamp != 0 else 0)
        run[:TERMS] = terms[:TERMS]
        count, month = len(prices), 0
        for number in range(len(lines)):
            lines[number] = 1.0  # which only has to be harmless
        lines[O_MONTH] = 0.0
        for bar in range(1, count):
            row, close = bar * LINE, prices[bar - 1, CLOSE]
            while month < len(months) and months[month] <= bar - lag:
                month += 1
            slip_at(run, slip_ratio, bar - 1)
            for side, sign in ((LONG, 1.0), (SHORT, -1.0)):
                slip = expected_slip(run, sign, close, run[SLIP_NOW])
                lines[row + O_ORDERED + side] = close + slip
            lines[row + O_MONTH], lines[row + O_SLIP] = month, run[SLIP_NOW]
            price = prices[bar, OPEN] if lag == 0 else close
            lines[row + O_CLOSE], lines[row + O_OPEN] = close, price
            slip_at(run, slip_ratio, max(0, bar - lag - 1))
            due = due_price(run, price)
            for side, sign in ((LONG, 1.0), (SHORT, -1.0)):
                lines[row + O_PRICE + side] = slipped_price(run, due, sign, 0.0)
        row = count * LINE
        lines[row + O_PRICE + LONG] = lines[row + O_PRICE + SHORT] = prices[count - 1 - lag, CLOSE]
        lines[row + O_MONTH] = month

    return driver(price)


def _sinker(stamp: int) -> Lowest:
    """Return the pass that finds the lowest signed prices of all spans; `stamp` as before."""

    def sink(prices: F64_2D, lowest: F64_1D) -> None:
        count = len(prices) if stamp != 0 else 0
        for bar in range(count):
            lowest[bar], lowest[count + bar] = prices[bar, LOW], -prices[bar, HIGH]
        for row in range(2, 2 * SPANS):
            finer, own = (row - 2) * count, row * count
            width = 1 << (SPAN_BITS * (row // 2 - 1))
            for bar in range(count):
                value = lowest[finer + bar]
                for look in range(1, LOOKS):
                    value = min(value, lowest[finer + min(bar + look * width, count - 1)])
                lowest[own + bar] = value

    return driver(sink)


def _asker(stamp: int) -> Ask:
    """Return the pass that notes the entries which sets may take; `stamp` as before."""

    def asked(
        wishes: I32_1D, sets: I64_2D, bars: int, decides: Decides, sure: int, until: I32_1D
    ) -> None:
        for item in range(len(sets) if stamp != 0 else 0):
            ask(wishes[sets[item, SET_START] : sets[item, SET_STOP]], bars, decides, sure, until)

    return driver(asked)


def _finder(stamp: int) -> Find:
    """Return the pass that finds the exits of entries under one plan; `stamp` as before."""

    def find(
        opens: Opens, prices: F64_2D, slip_ratio: F64_1D, atr: F64_1D, terms: F64_1D,
        entries: I64_1D, until: I32_1D, exits: Exits, row: int,
    ) -> None:  # fmt: skip # what it reads, then what it finds
        run = np.zeros(WALK if stamp != 0 else 0)
        run[:TERMS] = terms[:TERMS]
        for place in range(len(entries)):
            entry, last = entries[place], int(until[place])
            known = atr[(entry >> 1) - 1] if len(atr) > 0 else math.nan
            walk(
                run, opens, prices, slip_ratio, entry, last, math.nan, math.nan, known, exits,
                row, exits.places[entry],
            )  # fmt: skip # one call

    return driver(find)


def _spender(stamp: int) -> Spend:
    """Return the pass that tells which sets spend all that the account has; `stamp` as before."""

    def spend(
        opens: Opens, wishes: I32_1D, sets: I64_2D, decides: Decides, given: Given, shares: Shares,
        most: float, spends: BOOL_1D,
    ) -> None:  # fmt: skip # what it reads, then what it finds
        for item in range(len(sets) if stamp != 0 else 0):
            asked, spends[item] = 0, False
            for place in range(sets[item, SET_START], sets[item, SET_STOP]):
                bar = int(wishes[place]) >> WISH_BITS
                if asked == SAMPLE or spends[item] or bar >= opens.bars - 1:
                    break
                if int(wishes[place]) & decides.enters != 0 and bar >= decides.start:
                    run, stop = given.runs[sets[item, SET_PLAN]], given.stops[place]
                    asked += 1
                    spends[item] = share_of(run, opens, shares, bar + 1, stop) >= most

    return driver(spend)


def _link_sets(
    opens: Opens, wishes: I32_1D, sets: I64_2D, decides: Decides, given: Given, exits: Exits,
    shares: Shares, links: Links, stands: I64_2D,
) -> None:  # fmt: skip # what sets are, then where it goes
    """Write the links of sets, each behind those of the one before; note where they lie."""
    place = 0
    for item in range(len(sets)):
        begin_links(links, stands[item], opens, place)
        stands[item, FIRST] = place
        place += sets[item, SET_STOP] - sets[item, SET_START] + 1
    for until in range(SPAN, opens.bars + SPAN, SPAN):
        for item in range(len(sets)):
            start, stop = sets[item, SET_START], sets[item, SET_STOP]
            link(
                wishes[start:stop], opens, decides, given_with(given, start, stop), exits,
                sets[item, SET_ROW], links, stands[item], RECALLED + item, until,
            )  # fmt: skip # one call
    for item in range(len(sets)):
        start, stop, first = sets[item, SET_START], sets[item, SET_STOP], stands[item, FIRST]
        levels = given_with(given, start, stop)
        end = end_links(opens, decides, levels, exits, sets[item, SET_ROW], links, stands[item])
        stands[item, END_OF] = end
        if shares.are_own:
            share_out(
                wishes[start:stop], opens, levels, shares, sets[item, SET_PLAN], links.nexts, 1, 0,
                first, end - first, 0, links.shares,
            )  # fmt: skip # one call
        look_back(opens, links, first, end - first)


link_sets = shared(_link_sets)


@rule
def _take(
    lane: int, stand: I64_1D, fixed: Fixed, lanes: F64_1D, places: U64_1D, marks: F64_1D
) -> None:
    """Let a lane begin a set whose links are made."""
    start_lane(lanes, places, lane, fixed)
    start_chain(places, lane, stand[FIRST], stand[END_OF] - stand[FIRST])
    for month in range(fixed.months):
        marks[month * LANES + lane] = math.nan


@rule
def _step(
    opens: Opens, sizes: Sizes, payments: Payments, fixed: Fixed, tiers: F64_2D, links: Links,
    lanes: F64_1D, places: U64_1D,
) -> None:  # fmt: skip # what is read, then what moves
    """Let every lane end the position of its next link and begin the one after."""
    follow(lanes, places, links, opens.lines)
    weigh(lanes, fixed, sizes, opens.bars + 1.0)
    if len(payments.rates) > 0:
        if fixed.settles:
            pay_until_closes(lanes, payments, fixed)
        else:
            pay(lanes, payments, fixed)
    if size(lanes, fixed):
        size_exactly(lanes, fixed)
    turn(lanes, fixed)
    tally(lanes)
    mark(lanes, fixed)
    if fixed.leverage > 1.0:
        judge(lanes, tiers, fixed)
    move_on(lanes)


def _play(
    opens: Opens, sizes: Sizes, payments: Payments, fixed: Fixed, tiers: F64_2D, found: F64_2D,
    links: Links, stands: I64_2D, order: I64_1D, lanes: F64_1D, places: U64_1D, owner: I64_1D,
    marks: F64_1D, sums: F64_1D,
) -> None:  # fmt: skip # what it works on, then the room that it needs
    count, waiting, running = len(order), 0, 0
    for lane in range(LANES):
        owner[lane] = NO_SET
        if waiting < count:
            owner[lane] = order[waiting]
            _take(lane, stands[order[waiting]], fixed, lanes, places, marks)
            waiting, running = waiting + 1, running + 1
        else:
            start_lane(lanes, places, lane, fixed)
            idle(places, lane)
    while running > 0:
        _step(opens, sizes, payments, fixed, tiers, links, lanes, places)
        for lane in range(LANES):
            marks[places[MONTH + lane] * np.uint64(LANES) + np.uint64(lane)] = lanes[NET + lane]
            # One that is left to others gives its lane away at once.
            is_over = places[AT + lane] == places[END + lane] or lanes[IS_UNSURE + lane] != 0
            if not is_over or owner[lane] == NO_SET:
                continue
            figures_of(lanes, lane, marks, fixed, sums, found[owner[lane]])
            if waiting < count:
                owner[lane] = order[waiting]
                _take(lane, stands[order[waiting]], fixed, lanes, places, marks)
                waiting += 1
            else:
                owner[lane], running = NO_SET, running - 1


play = shared(_play)


def _advance(stamp: int) -> Advance:
    """Return the pass that runs sets which differ in wishes and levels; `stamp` as before."""

    def advance(
        opens: Opens, wishes: I32_1D, sets: I64_2D, decides: Decides, given: Given, exits: Exits,
        shares: Shares, sizes: Sizes, payments: Payments, fixed: Fixed, tiers: F64_2D,
        found: F64_2D,
    ) -> None:  # fmt: skip # one list
        room = 0 if stamp != 0 else 1
        for first in range(0, len(found), TOGETHER):
            own = sets[first : first + TOGETHER]
            room = max(room, (own[:, SET_STOP] - own[:, SET_START] + 1).sum())
        links = Links(
            np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room), np.empty(room),
            np.empty(room if shares.are_own else 0),
        )  # fmt: skip # the order of its fields
        lanes, places = np.zeros(CHAIN_NUMBERS * LANES), np.zeros(LANE_PLACES * LANES, np.uint64)
        owner, marks = np.empty(LANES, np.int64), np.empty(fixed.months * LANES)
        sums, stands = np.empty(SUMS_SIZE), np.empty((TOGETHER, SET_STAND), np.int64)
        for first in range(0, len(found), TOGETHER):
            own, rows = sets[first : first + TOGETHER], found[first : first + TOGETHER]
            link_sets(opens, wishes, own, decides, given, exits, shares, links, stands)
            # The longest first, so that no lane is left alone with one.
            order = np.argsort(stands[: len(own), FIRST] - stands[: len(own), END_OF])
            play(
                opens, sizes, payments, fixed, tiers, rows, links, stands, order, lanes, places,
                owner, marks, sums,
            )  # fmt: skip # one call

    return driver(advance)


STAMP = stamp_of(globals())
price_lines, find_lowest = _pricer(STAMP), _sinker(STAMP)
ask_exits, find_exits, advance_chains = _asker(STAMP), _finder(STAMP), _advance(STAMP)
find_spenders = _spender(STAMP)
