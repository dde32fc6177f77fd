"""A stack of one entry that closes in parts: the same walk, and one close after the other.

Theory. How levels close an entry in parts hangs on its price alone (`parts.exits`), whatever is
left of it. So the entry ends at the first close that takes something, and where that leaves
something at the next one. A close takes its portion of what was opened, or what a margin call has
left if that is less.
"""

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import LINE, MODE_BITS, MODE_MASK, O_OPEN
from engines.kernels.parts.columns import (
    C_PRICE,
    C_WORST,
    CLOSE,
    CODE_BITS,
    PART_MASK,
    REST,
)
from engines.kernels.parts.portions import leg_steps
from engines.kernels.passage.lanes import fee
from engines.kernels.stacks.columns import (
    END_AT,
    END_LOW,
    END_PRICE,
    ENTRY,
    ENTRY_END,
    ENTRY_STEPS,
    FROM,
    NEXT,
    NEXT_AT,
    PART_PLACE,
    PART_STEPS,
    PARTS_LEFT,
    PORTION,
    ROW,
    ROW_BAR,
    SIGN,
    Course,
    Deal,
    Stack,
)
from engines.kernels.stacks.rows import qty_of


@inlined
def divide_entry(stack: Stack, course: Course, plan: int, entry: int) -> None:
    """Divide what has been entered, by its line and side, and let it wait for its first close."""
    entries, portions, exits = stack.entries, course.portions, course.parts
    whole = left = entries[ENTRY_STEPS]
    for leg in range(portions.targets):
        own = portions.first if leg == 0 else portions.second if leg == 1 else portions.third
        steps = leg_steps(whole, own, left) if leg < portions.targets - 1 else left
        entries[PORTION + leg] = steps
        left -= steps
    entries[PART_PLACE] = (plan * exits.entries + exits.places[entry]) * exits.parts
    entries[PARTS_LEFT] = exits.parts
    wait_for_part(stack, course)


@inlined
def wait_for_part(stack: Stack, course: Course) -> None:
    """Let the entry end at its next close that takes anything, if there is one."""
    entries, exits, opens = stack.entries, course.parts, course.opens
    entries[ENTRY_END + END_AT] = (opens.bars + opens.lag) << MODE_BITS
    while entries[PARTS_LEFT] > 0:
        place = int(entries[PART_PLACE])
        code, entries[PART_PLACE] = int(exits.codes[place]), place + 1.0
        entries[PARTS_LEFT] -= 1
        leg, line = (code >> MODE_BITS) & PART_MASK, code >> CODE_BITS
        if line >= opens.bars + opens.lag:
            return
        steps = entries[ENTRY_STEPS] if leg == REST else entries[PORTION + leg]
        if steps == 0:  # a target that got none of a small entry
            continue
        entries[PART_STEPS] = steps
        entries[ENTRY_END + END_AT] = (line << MODE_BITS) | (code & MODE_MASK)
        entries[ENTRY_END + END_PRICE] = exits.closes[place * CLOSE + C_PRICE]
        prefetch(opens.reach, np.uint64(2 * (line - opens.lag)))
        return


@inlined
def low_of_next(stack: Stack, course: Course) -> float:
    """Return a signed price that nothing is below in the bar of the next end until then."""
    counts, opens = stack.counts, course.opens
    if course.portions.targets == 0:
        return float(stack.entries[int(counts[NEXT]) * ENTRY + ENTRY_END + END_LOW])
    bar = (int(counts[NEXT_AT]) >> MODE_BITS) - opens.lag
    return float(opens.reach[bar, 1] if stack.state[SIGN] > 0 else -opens.reach[bar, 0])


@inlined
def paid_on_way(stack: Stack, course: Course, bar: int, part: int) -> float:
    """Return what the next close pays, below zero where it comes on a way down.

    It stands for the place at which the price meets the level, which is not known: a stop lies
    above it, by the sign of what is held, as far as it slips, so nothing is passed too soon.
    """
    high, low = course.opens.reach[bar, 0], course.opens.reach[bar, 1]
    opened, price = course.opens.lines[bar * LINE + O_OPEN], stack.entries[ENTRY_END + END_PRICE]
    is_high_first = high - opened < opened - low
    return float(price if is_high_first == (part != 1) else -price)


@inlined
def close_part_at_level(stack: Stack, course: Course, line: int) -> Deal:
    """Return what the next close takes.

    What it knows as the lowest price leaves out the open at which the entry filled, where margin is
    judged all the same.
    """
    entries, fixed = stack.entries, course.fixed
    steps, price = min(entries[PART_STEPS], entries[ENTRY_STEPS]), entries[ENTRY_END + END_PRICE]
    worst = course.parts.closes[(int(entries[PART_PLACE]) - 1) * CLOSE + C_WORST]
    low = worst
    if stack.rows[int(stack.counts[FROM]) * ROW + ROW_BAR] == line:
        low = min(worst, stack.state[SIGN] * course.opens.lines[line * LINE + O_OPEN])
    entries[ENTRY_STEPS] -= steps
    share = fee(fixed, qty_of(fixed, steps), price) * steps / steps
    return Deal(line, 0, steps, price, share, low, worst, 0.0, 0.0, 0.0, 0.0)
