"""Entries that close in parts: how each is divided, and which of its closes comes next.

Theory. How levels close an entry in parts hangs on its price alone (`parts.exits`), whatever is
left of it and whatever other entries do. So an entry ends at the first close that takes something,
and where that leaves something at the next one. A close takes its portion of what was opened, or
what a margin call has left if that is less. Which rows of the trade list it consumes the close rule
says, as for an entry that one leg closes whole.
"""

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import MODE_BITS, MODE_MASK
from engines.kernels.parts.columns import (
    C_LOW,
    C_PRICE,
    C_WAY,
    CLOSE,
    CODE_BITS,
    PART_MASK,
)
from engines.kernels.parts.portions import leg_steps
from engines.kernels.stacks.blocks import take_block
from engines.kernels.stacks.columns import (
    END_AT,
    END_LOW,
    END_PRICE,
    END_WAY,
    ENTRY,
    ENTRY_END,
    ENTRY_LEG,
    ENTRY_STEPS,
    PART_BLOCK,
    PART_PLACE,
    PART_STEPS,
    PARTS_LEFT,
    PORTION,
    Course,
    Stack,
)


@inlined
def _block_of(stack: Stack, course: Course, number: int) -> int:
    """Return where an entry keeps what it is divided into."""
    own = int(stack.entries[number * ENTRY + ENTRY_LEG])
    return course.stacking.room * ENTRY + own * PART_BLOCK


@inlined
def divide_entry(stack: Stack, course: Course, plan: int, number: int, entry: int) -> None:
    """Divide what the last entry has opened, by its line and side, and await its first close."""
    entries, portions, exits = stack.entries, course.portions, course.parts
    take_block(entries, number)
    block = _block_of(stack, course, number)
    whole = left = entries[number * ENTRY + ENTRY_STEPS]
    for leg in range(portions.targets):
        own = portions.first if leg == 0 else portions.second if leg == 1 else portions.third
        steps = leg_steps(whole, own, left) if leg < portions.targets - 1 else left
        entries[block + PORTION + leg] = steps
        left -= steps
    entries[block + PART_PLACE] = (plan * exits.entries + exits.places[entry]) * exits.parts
    entries[block + PARTS_LEFT] = exits.parts
    await_part(stack, course, number)


@inlined
def await_part(stack: Stack, course: Course, number: int) -> None:
    """Let an entry end at its next close that takes anything, if there is one."""
    entries, exits, opens = stack.entries, course.parts, course.opens
    block, end = _block_of(stack, course, number), number * ENTRY + ENTRY_END
    entries[end + END_AT] = (opens.bars + opens.lag) << MODE_BITS
    while entries[block + PARTS_LEFT] > 0:
        place = int(entries[block + PART_PLACE])
        code, entries[block + PART_PLACE] = int(exits.codes[place]), place + 1.0
        entries[block + PARTS_LEFT] -= 1
        line = code >> CODE_BITS
        if line >= opens.bars + opens.lag:
            return
        steps = entries[block + PORTION + ((code >> MODE_BITS) & PART_MASK)]
        if steps == 0:  # a target that got none of a small entry
            continue
        entries[block + PART_STEPS] = steps
        entries[end + END_AT] = (line << MODE_BITS) | (code & MODE_MASK)
        entries[end + END_PRICE] = exits.closes[place * CLOSE + C_PRICE]
        entries[end + END_WAY] = exits.closes[place * CLOSE + C_WAY]
        entries[end + END_LOW] = exits.closes[place * CLOSE + C_LOW]
        return


@inlined
def take_part(stack: Stack, course: Course, number: int) -> float:
    """Take what the next close of an entry does off it; return how many steps that is."""
    entries, steps = stack.entries, number * ENTRY + ENTRY_STEPS
    part = min(entries[_block_of(stack, course, number) + PART_STEPS], entries[steps])
    entries[steps] -= part
    return float(part)
