"""The walks of levels that strategies give, kept from one list of strategies to the next.

Theory. Lists are short where threads share the work, and the strategies of the next one enter where
those of the last one did. So what a part has walked (`chains.exits`) is left to the parts after it,
which go on with it if they run the same plans. It is lent to one part at a time, so that no two
write to the same; there are as many as ran at once.
"""

from collections import deque

from engines.kernels.chains.columns import on_cache_lines
from engines.kernels.chains.exits import KNOWN
from engines.types import F64_1D

WALKS_KNOWN = 1 << 17  # of a part, 8 MB


class KnownWalks:
    """Walks that no part uses now, with what they were done for."""

    def __init__(self) -> None:
        # Which takes and gives one at a time, whichever thread asks.
        self._free = deque[tuple[object, F64_1D]]()

    def lend(self, plans: object) -> F64_1D:
        """Return walks for a part that runs these plans, which are told apart as keys are."""
        try:
            known, walks = self._free.pop()
        except IndexError:
            known, walks = None, on_cache_lines(WALKS_KNOWN * KNOWN)
        if known != plans:
            walks[:] = 0.0  # the entry of none
        return walks

    def give_back(self, plans: object, walks: F64_1D) -> None:
        """Leave walks to the next part."""
        self._free.append((plans, walks))
