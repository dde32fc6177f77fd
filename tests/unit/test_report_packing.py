"""What is packed is unpacked equal: a second reader, written from the docstring's own words."""

import base64
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.report_packing import floats, packed, packed_exactly


def unpacked(column: dict[str, object]) -> list[float]:
    """Return the values of a packed column, one byte after the other."""
    if "float64" in column:
        raw = base64.b64decode(str(column["float64"]))
        return list(struct.unpack(f"<{len(raw) // 8}d", raw))
    steps, number, shift, values = 0, 0, 0, []
    for byte in base64.b64decode(str(column["bytes"])):
        number += (byte & 127) << shift
        shift += 7
        if byte < 128:
            steps += -(number + 1) // 2 if number % 2 else number // 2
            values.append(steps * float(str(column["step"])))
            number = shift = 0
    assert len(values) == column["count"]
    return values


def test_a_column_worked_by_hand() -> None:
    # Steps 3, 2, 2, 102: differences 3, -1, 0, 100; zigzag 6, 1, 0, 200; 200 is 0xC8 0x01.
    column = packed(np.array([0.3, 0.2, 0.2, 10.2]), 0.1)
    assert base64.b64decode(str(column["bytes"])) == bytes([6, 1, 0, 0xC8, 0x01])


@given(st.lists(st.integers(-(2**52), 2**52), max_size=50))
def test_whole_steps_come_back(steps: list[int]) -> None:
    assert unpacked(packed(np.array(steps, dtype=np.float64), 1.0)) == steps


@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_what_no_step_holds_comes_back_bit_by_bit(values: list[float]) -> None:
    array = np.array(values)
    assert np.array(unpacked(floats(array))).tobytes() == array.tobytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e18])
def test_a_value_that_a_step_cannot_hold_is_kept_as_a_float(value: float) -> None:
    column = packed(np.array([1.0, value]), 0.01)
    assert np.array_equal(unpacked(column), [1.0, value], equal_nan=True)


def test_prices_off_the_tick_are_not_rounded() -> None:
    on, off = np.array([1.1, 1.2]), np.array([1.1, 1.25])
    assert "bytes" in packed_exactly(on, 0.1)
    assert unpacked(packed_exactly(off, 0.1)) == off.tolist()


def test_a_market_takes_a_fifth_of_its_floats() -> None:
    steps = np.cumsum(np.random.default_rng(3).integers(-60, 61, 10_000))
    assert len(str(packed((steps * 0.1).astype(np.float64), 0.1)["bytes"])) < 10_000 * 8 / 5
