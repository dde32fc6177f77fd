"""How a process that computes treats memory: what it has freed it keeps for what comes next.

Theory. A run makes columns of half a megabyte, reads them and lets them go. Left to itself, glibc
asks the system for the pages of each such column and gives them back when it is freed, and the
system has to find and clear every page anew at its first touch: a microsecond for each four
kilobytes, or six on a virtual machine whose host gets them back too, where the arithmetic on them
takes half of one. Kept pages cost nothing. So blocks up to KEPT_BYTES come from the heap, whose end
goes back to the system only when more than FREE_BYTES of it are free; larger ones are mapped and
given back as before. The process stays about as large as it once was, or grows where its heaps are
in pieces: each thread may have one. That suits a worker, not a server that computes now and then.

Another C library than glibc has no such settings, and goes on as it does.
"""

import ctypes
from functools import cache

KEPT_BYTES = 32 << 20  # the most that glibc takes from a heap
FREE_BYTES = 1 << 30
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


@cache
def keep_freed_memory() -> bool:
    """Let this process keep what it frees; return whether its C library knows how to."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    asked = (M_MMAP_THRESHOLD, KEPT_BYTES), (M_TRIM_THRESHOLD, FREE_BYTES)
    return all(set_option(option, value) == 1 for option, value in asked)
