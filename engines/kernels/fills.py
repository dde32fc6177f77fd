"""Fills: what the fill of an order changes (`execution`, `position`, `admission`).

Theory. There is one lot at a time, which one market entry has opened, so what the reference keeps
in lists of lots and entries is a few numbers of the run. A fill closes first and then opens, and
shares its commission by quantity in the order of the reference's divisions, even where a quotient
is one.
"""

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.legs import put_legs, refresh_book
from engines.kernels.money import (
    due_price,
    equity_at,
    fee,
    lacks_funds,
    margin_call_steps,
    refresh_guards,
    slipped_price,
    steps_for,
)
from engines.kernels.notes import note, note_lot
from engines.kernels.rounding import qty_of
from engines.kernels.rounds import add_to_round, end_round
from engines.kernels.slots import (
    AT_MARKET,
    AT_STOP,
    BAR,
    BARS_HELD,
    CLOSE_ORDER,
    CLOSE_REASON,
    CLOSED_FALL_MAX,
    CLOSED_PEAK,
    CLOSES_ALL,
    CLOSES_ONLY,
    COULD_NOT_PAY,
    CUT,
    DIRECTION,
    ENTRY_BAR,
    ENTRY_KIND,
    ENTRY_ORDER,
    ENTRY_PRICE,
    F_BAR,
    F_DECIDED,
    F_FEE,
    F_NAME,
    F_ORDER,
    F_PRICE,
    F_REASON,
    F_SIDE,
    F_SLIP,
    F_STEPS,
    FEES_QUOTE,
    FILL_NOTE,
    FORCED_ORDER,
    FUNDING_OPEN,
    FUNDING_QUOTE,
    GAINS_QUOTE,
    IS_FRESH,
    IS_SPOT,
    LEG_LIVES,
    LEG_PLACE,
    LEG_STEPS,
    LEGS,
    LOSSES,
    LOSSES_IN_A_ROW,
    LOSSES_IN_A_ROW_MAX,
    LOSSES_QUOTE,
    LOT_FEE,
    LOT_FUNDING,
    LOT_HIGH,
    LOT_LOW,
    LOT_SLIP,
    MARGIN_CALL,
    NET,
    NO_REASON,
    ORDER_BAR,
    ORDER_MONEY,
    ORDER_SIDE,
    ORDER_STEPS,
    PNL_MAX,
    PNL_MIN,
    PNL_SQUARED,
    POINT_VALUE,
    PRICE,
    REVERSAL,
    ROOM_STEPS,
    START_EQUITY,
    START_STEPS,
    STEPS,
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
    TRADES,
    WINS,
    WRONG_SIDE,
)


@rule
def part_of_lot(
    run: Run, steps: float, exit_fee: float, price: float, slip: float,
    reason: float, name: float,
) -> tuple[float, float, float]:  # fmt: skip # one list
    """Close `steps` of the lot, note the trade and return its result, entry fee and funding."""
    held = abs(run[STEPS])
    sign = 1.0 if run[STEPS] > 0 else -1.0
    entry_fee = run[LOT_FEE] * steps / held
    funding = run[LOT_FUNDING] * steps / held
    unit = qty_of(run, steps) * run[POINT_VALUE]
    gross = sign * (price - run[ENTRY_PRICE]) * unit
    pnl = gross - entry_fee - exit_fee - funding
    run[NET] += pnl
    run[LOT_FEE] -= entry_fee
    run[LOT_FUNDING] -= funding
    run[FUNDING_OPEN] -= funding
    row = note(run, TRADE_NOTE)
    if row > 0:
        run[row + T_STEPS], run[row + T_SIDE], run[row + T_PNL] = steps, sign, pnl
        run[row + T_SLIP] = run[LOT_SLIP] + slip
        run[row + T_EXIT_PRICE], run[row + T_REASON], run[row + T_NAME] = price, reason, name
        run[row + T_FEE_ENTRY], run[row + T_FEE_EXIT] = entry_fee, exit_fee
        run[row + T_FUNDING] = funding
        note_lot(run, row)
    return pnl, entry_fee, funding


@rule
def _sum_up(run: Run, pnl: float, fees: float, funding: float) -> None:
    """Add a closed trade to the sums of its run."""
    run[TRADES] += 1
    run[FEES_QUOTE] += fees
    run[FUNDING_QUOTE] += funding
    run[BARS_HELD] += run[BAR] - run[ENTRY_BAR] + 1
    run[PNL_SQUARED] += pnl * pnl
    run[PNL_MAX], run[PNL_MIN] = max(run[PNL_MAX], pnl), min(run[PNL_MIN], pnl)
    if pnl > 0:
        run[WINS] += 1
        run[GAINS_QUOTE] += pnl
    if pnl < 0:
        run[LOSSES] += 1
        run[LOSSES_QUOTE] += pnl
        run[LOSSES_IN_A_ROW] += 1
        run[LOSSES_IN_A_ROW_MAX] = max(run[LOSSES_IN_A_ROW_MAX], run[LOSSES_IN_A_ROW])
    else:
        run[LOSSES_IN_A_ROW] = 0
    run[CLOSED_PEAK] = max(run[CLOSED_PEAK], run[NET])
    run[CLOSED_FALL_MAX] = max(run[CLOSED_FALL_MAX], run[CLOSED_PEAK] - run[NET])


@rule
def _reduce(
    run: Run, steps: float, exit_fee: float, price: float, slip: float,
    reason: float, name: float,
) -> None:  # fmt: skip # one list
    """Close `steps` of the position."""
    sign = 1.0 if run[STEPS] > 0 else -1.0
    share = exit_fee * steps / steps
    pnl, entry_fee, funding = part_of_lot(run, steps, share, price, slip, reason, name)
    _sum_up(run, pnl, entry_fee + share, funding)
    qty, entry_price = qty_of(run, steps), run[ENTRY_PRICE]
    cost = entry_price * (qty * run[POINT_VALUE]) + entry_fee
    add_to_round(run, pnl, cost, entry_price * qty)
    run[STEPS] -= sign * steps
    if run[STEPS] == 0:
        run[LOT_FEE] = run[LOT_FUNDING] = run[FUNDING_OPEN] = 0.0
        run[LEGS] = 0
        refresh_book(run)
        end_round(run)
    elif run[FUNDING_OPEN] != 0:
        run[FUNDING_OPEN] = run[LOT_FUNDING]


@rule
def transact(
    run: Run, order: float, side: float, closing: float, opening: float,
    price: float, slip: float, reason: float, name: float,
) -> None:  # fmt: skip # one list
    """Book one fill: close, then open, the commission shared by quantity."""
    total = closing + opening
    fee_quote = fee(run, total, price)
    row = note(run, FILL_NOTE)
    if row > 0:
        run[row + F_BAR], run[row + F_ORDER] = run[BAR], order
        run[row + F_REASON], run[row + F_NAME], run[row + F_SIDE] = reason, name, side
        run[row + F_STEPS], run[row + F_PRICE] = total, price
        run[row + F_FEE], run[row + F_SLIP] = fee_quote, slip
        run[row + F_DECIDED] = run[ORDER_BAR]
    if closing > 0:
        _reduce(run, closing, fee_quote * closing / total, price, slip, reason, name)
    if opening > 0:
        run[STEPS], run[ENTRY_PRICE], run[ENTRY_BAR] = side * opening, price, run[BAR]
        run[LOT_FEE], run[LOT_SLIP] = fee_quote * opening / total, slip
        run[LOT_FUNDING] = run[FUNDING_OPEN] = 0.0
        run[LOT_HIGH] = run[LOT_LOW] = price
        run[IS_FRESH] = 1.0
        put_legs(run)
        refresh_book(run)


@rule
def _slips(
    run: Run, order: float, side: float, asked: float, closing: float,
    opening: float, price: float, reason: float, name: float,
) -> None:  # fmt: skip # one list
    """Book a fill that slips and is due at `price`."""
    due = due_price(run, price)
    fill_price = slipped_price(run, due, side, asked)
    slip = (fill_price - due) * side
    transact(run, order, side, closing, opening, fill_price, slip, reason, name)


@rule
def fill_leg(run: Run, leg: int, price: float, slips: bool, reason: float, name: float) -> None:
    """Fill a leg of the bracket at `price`."""
    run[LEG_LIVES + leg] = 0.0
    refresh_book(run)
    held = abs(run[STEPS])
    side = -1.0 if run[STEPS] > 0 else 1.0
    steps = held if run[CLOSES_ALL] != 0 else min(run[LEG_STEPS + leg], held)
    order = run[LEG_PLACE + leg]
    if slips:
        _slips(run, order, side, steps, steps, 0.0, price, reason, name)
    else:
        due = due_price(run, price)
        transact(run, order, side, steps, 0.0, due, 0.0, reason, name)
    refresh_guards(run)


@rule
def fill_close(run: Run) -> None:
    """Fill the close that waits for this open."""
    reason, steps = run[CLOSE_REASON], abs(run[STEPS])
    run[CLOSE_REASON] = NO_REASON
    if reason == NO_REASON or steps == 0:
        return
    side = -1.0 if run[STEPS] > 0 else 1.0
    _slips(run, CLOSE_ORDER, side, steps, steps, 0.0, run[PRICE], reason, reason)
    refresh_guards(run)


@rule
def fill_entry(run: Run, price: float, slips: bool, is_at_open: bool) -> None:
    """Fill the entry that waits at `price`, or drop it where a rule forbids it."""
    side, held = run[ORDER_SIDE], run[STEPS]
    run[ORDER_SIDE] = 0.0
    refresh_book(run)
    opposite = abs(held) if held * side < 0 else 0.0
    due = due_price(run, price)
    fill_price = slipped_price(run, due, side, run[ORDER_STEPS] + opposite) if slips else due
    own = run[ORDER_STEPS]
    is_sized = run[ENTRY_KIND] == AT_MARKET or (run[ENTRY_KIND] == AT_STOP and is_at_open)
    if not is_sized and run[ORDER_MONEY] == run[ORDER_MONEY]:
        own = steps_for(run, run[ORDER_MONEY], fill_price)
    closing = opposite
    opening = 0.0 if run[CLOSES_ONLY] != 0 else _allowed(run, side, own)
    if opening > 0 and _lacks_where_it_fills(run, side, opening, fill_price, is_at_open):
        run[COULD_NOT_PAY] += 1
        closing = opening = 0.0
    if closing + opening > 0:
        slip = (fill_price - due) * side
        transact(run, ENTRY_ORDER, side, closing, opening, fill_price, slip, REVERSAL, NO_REASON)
    refresh_guards(run)


@rule
def _allowed(run: Run, side: float, steps: float) -> float:
    """Return how much of `steps` direction and maximum position let open."""
    if steps == 0:
        return 0.0
    if run[DIRECTION] * side < 0:
        run[WRONG_SIDE] += 1
        return 0.0
    if steps > run[ROOM_STEPS]:
        run[CUT] += 1
    return min(steps, run[ROOM_STEPS])


@rule
def _lacks_where_it_fills(
    run: Run, side: float, opening: float, price: float, is_at_open: bool
) -> bool:
    """Return whether the account cannot carry what an entry opens; nothing of its side is held."""
    held, start = run[STEPS], run[START_STEPS]
    equity = equity_at(run, price)
    if equity <= 0:
        return True
    if run[IS_SPOT] != 0:
        return lacks_funds(run, opening, side, price, equity)
    if held * side >= 0 and start * side < 0:
        return False
    if held == start and is_at_open:
        equity = run[START_EQUITY]
    if held * side < 0 and start * held <= 0:
        return lacks_funds(run, abs(held) + opening, side, price, equity)
    if not lacks_funds(run, opening, side, price, equity):
        return False
    if held == start:
        return True
    before = abs(start) if start * side > 0 else 0.0
    return lacks_funds(run, before + opening, side, price, run[START_EQUITY])


@rule
def call_margin(run: Run) -> None:
    """Sell what a margin call asks for at this point of the path."""
    price = run[PRICE]
    steps = margin_call_steps(run, price)
    if steps > 0:
        side = -1.0 if run[STEPS] > 0 else 1.0
        _slips(run, FORCED_ORDER, side, steps, steps, 0.0, price, MARGIN_CALL, MARGIN_CALL)
    refresh_guards(run)
