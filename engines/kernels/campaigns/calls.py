"""Which rules of campaigns stay calls, below those that are compiled into their callers.

Theory. A call of a rule passes each array as seven numbers or nine, which took a third of a run:
the way from a wish to the fill in a bar is inlined. Numba hands that wish down to all rules which
an inlined one reaches, rare ones too, and those cost compilation alone. They stay apart, as what
they call does. Nothing but time hangs on it.
"""

from collections.abc import Callable
from typing import TypeVar

from numba.extending import register_jitable

Rule = TypeVar("Rule", bound=Callable[..., object])


def apart(function: Rule) -> Rule:
    """Return a rule that is called, as what it calls is, even below an inlined one."""
    register_jitable(error_model="numpy", forceinline=False)(function)
    return function
