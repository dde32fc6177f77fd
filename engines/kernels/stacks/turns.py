"""Which entry of a stack ends next, by the ends that are known of them (`columns`)."""

from engines.kernels._compiled import inlined
from engines.kernels.chains.columns import AT_LEVEL, MODE_MASK
from engines.kernels.stacks.columns import (
    END_AT,
    END_LOW,
    END_WAY,
    ENTRIES,
    ENTRY,
    ENTRY_END,
    NEXT,
    NEXT_AT,
    Stack,
)


@inlined
def note_next(stack: Stack) -> None:
    """Note which of the entries ends next, and when."""
    count, found = int(stack.counts[ENTRIES]), 0
    for other in range(1, count):
        if comes_first(stack, other, found):
            found = other
    stack.counts[NEXT] = found
    stack.counts[NEXT_AT] = int(stack.entries[found * ENTRY + ENTRY_END + END_AT])


@inlined
def comes_first(stack: Stack, younger: int, older: int) -> bool:
    """Return whether the younger of two entries ends before the older one."""
    a, b = younger * ENTRY + ENTRY_END, older * ENTRY + ENTRY_END
    at, other = stack.entries[a + END_AT], stack.entries[b + END_AT]
    if at != other:
        return bool(at < other)
    if int(at) & MODE_MASK == AT_LEVEL:
        return True
    return bool(stack.entries[a + END_WAY] < stack.entries[b + END_WAY])


@inlined
def low_of_next(stack: Stack) -> float:
    """Return the lowest signed price of the bar of the next end until then."""
    return float(stack.entries[int(stack.counts[NEXT]) * ENTRY + ENTRY_END + END_LOW])
