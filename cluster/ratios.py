"""Ratios as people write them, 0.02 or 2%: one reading for flags and files."""

import math
from decimal import Decimal, InvalidOperation


def parse_ratio(text: str) -> float:
    """Return 0.0007 for 0.0007 and for 0.07%, both the same double.

    Raises: ValueError for anything else.
    """
    cleaned = text.strip()
    try:
        # In floats 0.07 / 100 is not 0.0007.
        exact = Decimal(cleaned.removesuffix("%").rstrip())
    except InvalidOperation:
        raise ValueError(text) from None
    value = float(exact.scaleb(-2) if cleaned.endswith("%") else exact)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
