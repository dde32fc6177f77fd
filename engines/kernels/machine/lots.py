"""The lots of a position: a table whose places are handed out in the order of the entries.

Theory. The reference keeps two lists, the rows of the trade list (lots) and the entries, and both
grow at the same fill. Here one block is both: LOT_STEPS is what is left of the row, LOT_BOUND what
the entry's own exits may still close; a block is given back when both are spent. An exit consumes
rows by the close rule, whichever entry it spends, so the two ends come apart: a row outlives its
entry and an entry its row. At PLACES_AT lie the addresses of all blocks, those in use first, oldest
first; taking one back moves the addresses, not the blocks.

How many rows can come apart has no bound in the plan (an exit of a large new entry leaves crumbs of
old rows), so a run that finds no free block says OVERFLOWS and stops, for its caller to come again
with more room.
"""

import math

from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import Run
from engines.kernels.slots import (
    ENTRIES,
    FEES_OPEN,
    FUNDING_OPEN,
    LEG,
    LIVES,
    LOT,
    LOT_BAR,
    LOT_BOUND,
    LOT_FEE,
    LOT_FUNDING,
    LOT_LEGS,
    LOT_PRICE,
    LOT_SIZE,
    LOT_STEPS,
    LOTS,
    LOTS_AT,
    LOTS_MAX,
    OVERFLOWS,
    PLACES_AT,
    PRICE_AVG,
    STEPS,
)

NO_LOT = 0


@rule
def lot_at(run: Run, place: int) -> int:
    """Return where the lot lies that came in as number `place` of those that are held."""
    return int(run[int(run[PLACES_AT]) + place])


@rule
def rows_of(run: Run) -> tuple[int, int]:
    """Return how many rows of the trade list are open, and the lot of one of them."""
    rows, lot = 0, NO_LOT
    for place in range(int(run[LOTS])):
        if run[LOT_STEPS + lot_at(run, place)] != 0:
            rows, lot = rows + 1, lot_at(run, place)
    return rows, lot


@rule
def oldest_bar(run: Run) -> float:
    """Return the bar at which the oldest row that is open was opened."""
    for place in range(int(run[LOTS])):
        lot = lot_at(run, place)
        if run[LOT_STEPS + lot] != 0:
            return run[LOT_BAR + lot]
    return math.inf


@rule
def lay_out_lots(run: Run) -> None:
    """Make every block of the table free."""
    places, first, size = int(run[PLACES_AT]), run[LOTS_AT], run[LOT_SIZE]
    for place in range(int(run[LOTS_MAX])):
        run[places + place] = first + place * size
    run[LOTS] = run[ENTRIES] = 0.0


@rule
def take_lot(run: Run) -> int:
    """Return a free block as the youngest lot; if there is none the youngest one, and say so."""
    if run[LOTS] == run[LOTS_MAX]:
        run[OVERFLOWS] = 1.0
    else:
        run[LOTS] += 1
    return lot_at(run, int(run[LOTS]) - 1)


@rule
def give_back_spent(run: Run) -> None:
    """Free the blocks whose row and entry are both spent."""
    places, kept = int(run[PLACES_AT]), 0
    for place in range(int(run[LOTS])):
        lot = int(run[places + place])
        if run[LOT_STEPS + lot] != 0 or run[LOT_BOUND + lot] != 0:
            run[places + place] = run[places + kept]
            run[places + kept] = lot
            kept += 1
    run[LOTS] = kept


@inlined
def spend(run: Run, steps: float, own: int) -> None:
    """Take `steps` off the entries: off that of the lot `own` first, then the oldest first.

    An entry that is spent loses its legs.
    """
    if own != NO_LOT:
        steps -= _spend_one(run, own, steps)
    for place in range(int(run[LOTS])):
        if steps == 0:
            return
        steps -= _spend_one(run, lot_at(run, place), steps)


@inlined
def _spend_one(run: Run, lot: int, steps: float) -> float:
    part = min(steps, run[LOT_BOUND + lot])
    if part > 0:
        run[LOT_BOUND + lot] -= part
        if run[LOT_BOUND + lot] == 0:
            run[ENTRIES] -= 1
            end_legs(run, lot)
    return part


@rule
def end_legs(run: Run, lot: int) -> None:
    """Let no leg of a lot live any longer; the book is not told."""
    for place in range(int(run[LOT_LEGS + lot])):
        run[LIVES + lot + LOT + place * LEG] = 0.0


@rule
def add_up_lots(run: Run) -> None:
    """Add up the fees, the funding and the average price of what a close has left."""
    fees = funding = 0.0
    for place in range(int(run[LOTS])):
        lot = lot_at(run, place)
        if run[LOT_STEPS + lot] != 0:
            fees += run[LOT_FEE + lot]
            funding += run[LOT_FUNDING + lot]
    run[FEES_OPEN] = fees
    if run[FUNDING_OPEN] != 0:
        run[FUNDING_OPEN] = funding
    average_price(run)


@inlined
def average_price(run: Run) -> None:
    """Find the average price of the rows that are open."""
    total = price = 0.0
    rows = 0
    for place in range(int(run[LOTS])):
        lot = lot_at(run, place)
        if run[LOT_STEPS + lot] != 0:
            rows += 1
            price = run[LOT_PRICE + lot]
            total += price * run[LOT_STEPS + lot]
    run[PRICE_AVG] = price if rows <= 1 else total / abs(run[STEPS])
