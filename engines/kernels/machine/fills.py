"""Fills: what the fill of an order changes (`execution`, `position`, `admission`).

Theory. A fill closes first and then opens, and shares its commission by quantity in the order of
the reference's divisions, even where a quotient is one. What it closes are rows of the table of
lots, in the order of the close rule; what it spends are entries (`lots`).
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.machine.admission import allowed, is_too_large, lacks_where_it_fills
from engines.kernels.machine.book import refresh_book, rest
from engines.kernels.machine.legs import move_legs, put_legs, side_of
from engines.kernels.machine.lots import (
    NO_LOT,
    add_up_lots,
    average_price,
    give_back_spent,
    lot_at,
    spend,
    take_lot,
)
from engines.kernels.machine.notes import note, note_lot
from engines.kernels.machine.rounds import add_to_round, end_round
from engines.kernels.machine.rungs import drop_rungs, other_campaign, wake_rungs
from engines.kernels.machine.tally import count_liquidation, reach_fill, sum_up
from engines.kernels.money import (
    due_price,
    fee_of,
    margin_call_steps,
    slipped_price,
    steps_for,
)
from engines.kernels.rounding import qty_of
from engines.kernels.slots import (
    AT_MARKET,
    AT_STOP,
    BAR,
    BASIS,
    BEYOND_LEVERAGE,
    CAMPAIGN_NOW,
    CLOSE_ORDER,
    CLOSE_REASON,
    CLOSES_ALL,
    CLOSES_ONLY,
    COULD_NOT_PAY,
    ENTRIES,
    ENTRY_ORDER,
    F_BAR,
    F_DECIDED,
    F_FEE,
    F_NAME,
    F_ORDER,
    F_PRICE,
    F_REASON,
    F_RUNG,
    F_SIDE,
    F_SLIP,
    F_STEPS,
    FEES_OPEN,
    FILL_NOTE,
    FIRST_ORDER,
    FORCED_ORDER,
    FROM_ENTRY,
    FUNDING_OPEN,
    IS_DUE,
    IS_FRESH,
    IS_TENDED,
    KIND_OF_ENTRY,
    LEG,
    LEG_LIMIT,
    LEG_LOT,
    LEG_PLACE,
    LEG_STEPS,
    LEG_STOP,
    LIFO,
    LIQUIDATION,
    LIVES,
    LOT,
    LOT_BAR,
    LOT_BOUND,
    LOT_FEE,
    LOT_FUNDING,
    LOT_HIGH,
    LOT_LEGS,
    LOT_LOW,
    LOT_ORDER,
    LOT_PRICE,
    LOT_RUNG,
    LOT_SLIP,
    LOT_STEPS,
    LOT_WORDS,
    LOTS,
    MARGIN_CALL,
    NET,
    NO_REASON,
    NO_ROOM,
    ORDER_MONEY,
    OWN_FIRST,
    OWN_STEPS,
    PEER_STEPS,
    POINT_VALUE,
    PRICE,
    PRICE_AVG,
    PRICE_LAST,
    REVERSAL,
    ROOM,
    ROUND_BAR,
    RUNG,
    RUNGS,
    SAID,
    SAID_BAR,
    SIDE,
    STEPS,
    SUMS,
    T_EXIT_PRICE,
    T_FEE_ENTRY,
    T_FEE_EXIT,
    T_FUNDING,
    T_NAME,
    T_PNL,
    T_REASON,
    T_SIDE,
    T_SLIP,
    T_STEPS,
    TRADE_NOTE,
    WORDS,
)
from engines.kernels.summary import add_exposure


@rule
def part_of_lot(
    run: Run, lot: int, steps: float, exit_fee: float, price: float, slip: float,
    reason: float, name: float,
) -> tuple[float, float, float]:  # fmt: skip # one list
    """Close `steps` of a lot, note the trade and return its result, entry fee and funding."""
    held, sign = run[LOT_STEPS + lot], side_of(run)
    entry_fee = run[LOT_FEE + lot] * steps / held
    funding = run[LOT_FUNDING + lot] * steps / held
    unit = qty_of(run, steps) * run[POINT_VALUE]
    gross = sign * (price - run[LOT_PRICE + lot]) * unit
    pnl = gross - entry_fee - exit_fee - funding
    run[LOT_STEPS + lot] -= steps
    run[LOT_FEE + lot] -= entry_fee
    run[LOT_FUNDING + lot] -= funding
    run[FEES_OPEN] -= entry_fee
    run[FUNDING_OPEN] -= funding
    run[NET] += pnl
    row = note(run, TRADE_NOTE)
    if row > 0:
        run[row + T_STEPS], run[row + T_SIDE], run[row + T_PNL] = steps, sign, pnl
        run[row + T_SLIP] = run[LOT_SLIP + lot] + slip
        run[row + T_EXIT_PRICE], run[row + T_REASON], run[row + T_NAME] = price, reason, name
        run[row + T_FEE_ENTRY], run[row + T_FEE_EXIT] = entry_fee, exit_fee
        run[row + T_FUNDING] = funding
        note_lot(run, row, lot)
    return pnl, entry_fee, funding


@rule
def _reduce(
    run: Run, own: int, steps: float, exit_fee: float, price: float, slip: float,
    reason: float, name: float,
) -> None:  # fmt: skip # one list
    """Close `steps` of the position by an exit of the lot `own`, or of no lot in particular."""
    sign = side_of(run)
    spend(run, steps, own)
    rows, left = int(run[LOTS]), steps
    is_own_first = run[LOT_ORDER] == OWN_FIRST and own != NO_LOT
    for turn in range(-1 if is_own_first else 0, rows):
        lot = own
        if turn >= 0:
            lot = lot_at(run, rows - 1 - turn if run[LOT_ORDER] == LIFO else turn)
        part = min(left, run[LOT_STEPS + lot])
        if part > 0:
            share = exit_fee * part / steps
            pnl, fee_in, funding = part_of_lot(run, lot, part, share, price, slip, reason, name)
            sum_up(run, lot, part, price, pnl, fee_in, share, funding)
            if reason == LIQUIDATION:
                count_liquidation(run)
            qty, entry_price = qty_of(run, part), run[LOT_PRICE + lot]
            cost = entry_price * (qty * run[POINT_VALUE]) + fee_in
            add_to_round(run, pnl, cost, entry_price * qty)
            left -= part
    run[STEPS] -= sign * steps
    if run[STEPS] != 0:
        give_back_spent(run)
        add_up_lots(run)
        return
    run[FEES_OPEN] = run[FUNDING_OPEN] = run[PRICE_AVG] = run[LOTS] = run[ENTRIES] = 0.0
    drop_rungs(run, int(run[CAMPAIGN_NOW]))
    end_round(run)
    if run[PEER_STEPS] == 0:
        add_exposure(run, SUMS, run[ROUND_BAR], run[BAR])


@rule
def transact(
    run: Run, code: float, origin: int, side: float, closing: float, opening: float,
    price: float, slip: float, reason: float, name: float,
) -> None:  # fmt: skip # one list
    """Book one fill: close, then open, the commission shared by quantity.

    `origin` is the lot whose exit this is (NO_LOT: of none), for an entry the order.
    """
    total = closing + opening
    fee_quote = fee_of(run, total, price, reason)
    reach_fill(run, closing)
    row = note(run, FILL_NOTE)
    if row > 0:
        run[row + F_BAR], run[row + F_ORDER] = run[BAR], code
        run[row + F_REASON], run[row + F_NAME], run[row + F_SIDE] = reason, name, side
        run[row + F_STEPS], run[row + F_PRICE] = total, price
        run[row + F_FEE], run[row + F_SLIP] = fee_quote, slip
        if code == ENTRY_ORDER:
            run[row + F_RUNG] = run[RUNG + origin]
            run[row + F_DECIDED] = run[int(run[WORDS + origin]) + SAID_BAR]
    if closing > 0:
        own = NO_LOT if code == ENTRY_ORDER else origin
        _reduce(run, own, closing, fee_quote * closing / total, price, slip, reason, name)
    refresh_book(run)
    run[IS_DUE] = run[IS_TENDED]
    if opening > 0:
        _open(run, origin, opening, price, slip, fee_quote * opening / total)


@rule
def _open(
    run: Run, order: int, opening: float, price: float, slip: float, fee_quote: float
) -> None:
    """Open or add a lot of `opening` steps, with the legs that the words of its order ask for."""
    lot = take_lot(run)
    if run[STEPS] == 0 and run[PEER_STEPS] == 0:
        run[ROUND_BAR] = run[BAR]
    run[LOT_STEPS + lot] = run[LOT_BOUND + lot] = opening
    run[LOT_PRICE + lot], run[LOT_BAR + lot], run[LOT_SLIP + lot] = price, run[BAR], slip
    run[LOT_FEE + lot], run[LOT_FUNDING + lot] = fee_quote, 0.0
    run[LOT_HIGH + lot] = run[LOT_LOW + lot] = price
    run[LOT_RUNG + lot] = run[RUNG + order]
    words = int(run[WORDS + order])
    for place in range(SAID):
        run[LOT_WORDS + lot + place] = run[words + place]
    run[STEPS] += run[SIDE + order] * opening
    run[FEES_OPEN] += fee_quote
    run[ENTRIES] += 1
    run[PRICE_LAST], run[IS_FRESH] = price, 1.0
    average_price(run)
    put_legs(run, lot)
    for place in range(int(run[LOT_LEGS + lot])):
        rest(run, lot + LOT + place * LEG)
    if run[BASIS] != FROM_ENTRY:
        move_legs(run)
        refresh_book(run)
    if order == FIRST_ORDER and run[RUNGS] > 0:
        wake_rungs(run, words)
        refresh_book(run)


@rule
def _slips(
    run: Run, order: float, own: int, side: float, asked: float, closing: float,
    price: float, reason: float, name: float,
) -> float:  # fmt: skip # one list
    """Book a close that slips and is due at `price`; return its price."""
    due = due_price(run, price)
    fill_price = slipped_price(run, due, side, asked)
    slip = (fill_price - due) * side
    transact(run, order, own, side, closing, 0.0, fill_price, slip, reason, name)
    return fill_price


@rule
def clear_book(run: Run) -> None:
    """Cancel all that waits; of a lot's legs only the first that has filled stays, as a mark."""
    run[LIVES + FIRST_ORDER], run[CLOSE_REASON] = 0.0, NO_REASON
    drop_rungs(run, int(run[CAMPAIGN_NOW]))
    drop_rungs(run, other_campaign(run))
    for place in range(int(run[LOTS])):
        lot = lot_at(run, place)
        kept, first = 0, lot + LOT
        for number in range(int(run[LOT_LEGS + lot])):
            leg = first + number * LEG
            if run[LIVES + leg] == 0 and kept == 0:
                run[LEG_STOP + first] = run[LEG_STOP + leg]
                run[LEG_LIMIT + first] = run[LEG_LIMIT + leg]
                kept = 1
            run[LIVES + leg] = 0.0
        run[LOT_LEGS + lot] = kept
    refresh_book(run)


@rule
def force_close(run: Run, price: float, slips: bool, reason: float, name: float) -> None:
    """Close the position at `price` without an order."""
    steps, side = abs(run[STEPS]), -side_of(run)
    if steps == 0:
        return
    if slips:
        _slips(run, FORCED_ORDER, NO_LOT, side, steps, steps, price, reason, name)
    else:
        due = due_price(run, price)
        transact(run, FORCED_ORDER, NO_LOT, side, steps, 0.0, due, 0.0, reason, name)


@rule
def fill_leg(run: Run, leg: int, price: float, slips: bool, reason: float, name: float) -> float:
    """Fill a leg of the bracket at `price`; return the price of the fill."""
    run[LIVES + leg] = 0.0
    held, side, lot = abs(run[STEPS]), -side_of(run), int(run[LEG_LOT + leg])
    asked = steps = held
    if run[CLOSES_ALL] == 0:
        asked = min(run[LEG_STEPS + leg], held)
        steps = min(asked, run[LOT_BOUND + lot])
    order = run[LEG_PLACE + leg]
    if slips:
        return _slips(run, order, lot, side, asked, steps, price, reason, name)
    due = due_price(run, price)
    transact(run, order, lot, side, steps, 0.0, due, 0.0, reason, name)
    return due


@rule
def fill_close(run: Run) -> float:
    """Fill the close that waits; return the price of the fill, NaN if nothing is held."""
    reason, steps = run[CLOSE_REASON], abs(run[STEPS])
    run[CLOSE_REASON] = NO_REASON
    if steps == 0:
        return math.nan
    side = -side_of(run)
    return _slips(run, CLOSE_ORDER, NO_LOT, side, steps, steps, run[PRICE], reason, reason)


@rule
def fill_entry(run: Run, order: int, price: float, slips: bool, is_at_open: bool) -> float:
    """Fill an entry that waits at `price`, or drop it where a rule forbids it.

    Returns: the price of the fill, NaN if the entry was dropped.
    """
    side, held, own = run[SIDE + order], run[STEPS], run[OWN_STEPS + order]
    run[LIVES + order] = 0.0
    is_first = order == FIRST_ORDER
    opposite = abs(held) if held * side < 0 else 0.0
    due = due_price(run, price)
    fill_price = slipped_price(run, due, side, own + opposite) if slips else due
    kind = run[KIND_OF_ENTRY + order]
    is_sized = kind == AT_MARKET or (kind == AT_STOP and is_at_open)
    if is_first and not is_sized and run[ORDER_MONEY] == run[ORDER_MONEY]:
        own = steps_for(run, run[ORDER_MONEY], fill_price)
    closing, opening = opposite, 0.0
    if held * side > 0 and run[ENTRIES] >= run[ROOM]:
        run[NO_ROOM] += 1
    elif not is_first or run[CLOSES_ONLY] == 0:
        opening = allowed(run, side, own)
    if opening > 0 and is_too_large(run, side, opening, fill_price):
        run[BEYOND_LEVERAGE] += 1
        opening = 0.0
    if opening > 0 and lacks_where_it_fills(run, side, opening, fill_price, is_at_open):
        run[COULD_NOT_PAY] += 1
        closing = opening = 0.0
    if is_first and opening == 0:
        drop_rungs(run, int(run[WORDS + order]))
    if closing + opening == 0:
        refresh_book(run)
        return math.nan
    slip = (fill_price - due) * side
    transact(run, ENTRY_ORDER, order, side, closing, opening, fill_price, slip, REVERSAL, NO_REASON)
    return fill_price


@rule
def call_margin(run: Run) -> None:
    """Sell what a margin call asks for here; under the close rule ANY, of every entry."""
    price, side = run[PRICE], -side_of(run)
    steps = margin_call_steps(run, price)
    if steps > 0 and run[LOT_ORDER] != OWN_FIRST:
        _slips(run, FORCED_ORDER, NO_LOT, side, steps, steps, price, MARGIN_CALL, MARGIN_CALL)
    elif steps > 0:
        place = 0
        while place < int(run[LOTS]):
            lot = lot_at(run, place)
            part = min(steps, run[LOT_BOUND + lot])
            if part > 0:
                _slips(run, FORCED_ORDER, lot, side, part, part, price, MARGIN_CALL, MARGIN_CALL)
            place += place < int(run[LOTS]) and lot_at(run, place) == lot
