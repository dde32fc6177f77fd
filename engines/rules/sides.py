"""Two columns, one for each side of the market."""

from typing import NamedTuple

from engines.types import BOOL_1D


class Sides(NamedTuple):
    """What holds for a long and for a short at the close of each bar, [T] each."""

    long: BOOL_1D
    short: BOOL_1D
