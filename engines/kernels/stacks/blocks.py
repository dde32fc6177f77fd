"""Which of the blocks behind the entries of a stack is an entry's own (`columns`)."""

from engines.kernels._compiled import rule
from engines.kernels.stacks.columns import ENTRY, ENTRY_LEG
from engines.types import F64_1D


@rule
def take_block(entries: F64_1D, number: int) -> float:
    """Let an entry have the first block that none before it has; return which that is."""
    block, place = 0.0, 0
    while place < number:
        place += 1
        if entries[(place - 1) * ENTRY + ENTRY_LEG] == block:
            block, place = block + 1.0, 0
    entries[number * ENTRY + ENTRY_LEG] = block
    return block
