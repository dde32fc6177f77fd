"""Start sooner: what a process may leave unloaded."""

import importlib
import sys
from types import ModuleType


def load_numba() -> None:
    """Import Numba's array functions without scipy.linalg, which costs them 0.1 s or more.

    They only ask whether it is there: with it np.convolve and its like use BLAS inside a kernel,
    without it a plain loop. No kernel of ours calls them; scipy can be imported as ever afterwards.
    """
    if "scipy.linalg" in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    absent: dict[str, ModuleType | None] = {"scipy.linalg": None}
    sys.modules.update(absent)  # type: ignore[arg-type]  # None is Python's mark of an absent one
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        del sys.modules["scipy.linalg"]
