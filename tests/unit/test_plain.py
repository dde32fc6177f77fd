"""The plain form: what comes back from code from elsewhere is judged before it trades."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engines.errors import StrategyFault
from engines.synthetic import synthetic_klines
from strategies.plain import PlainSignals

KLINES = synthetic_klines(50, 900_000, seed=3)


@dataclass
class Says:
    """A plain strategy made of one function of the frame."""

    answer: Callable[[pd.DataFrame], Any]

    def generate_signals(self, frame: pd.DataFrame) -> Any:
        return self.answer(frame)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda frame: None, "a DataFrame, found NoneType"),
        (lambda frame: frame["close"], "a DataFrame, found Series"),
        (lambda frame: pd.DataFrame(), "a column signal, found no column"),
        (lambda frame: frame.assign(signal="buy"), "1, -1 and 0 in column signal"),
        (lambda frame: frame.assign(signal=0)[1:], "50 rows, found 49"),
        (lambda frame: frame.sort_values("close").assign(signal=1), "rows of the frame in their"),
        (lambda frame: frame.assign(signal=np.nan), "only 1, -1 and 0"),
    ],
)
def test_an_answer_that_is_no_signal_column_is_refused(
    answer: Callable[[pd.DataFrame], Any], says: str
) -> None:
    with pytest.raises(StrategyFault, match=says):
        PlainSignals(Says(answer)).signals(KLINES)


def test_rows_numbered_anew_are_taken_in_their_order() -> None:
    strategy = Says(lambda frame: frame.assign(signal=np.sign(frame.close - 1.0)).reset_index())
    wishes = PlainSignals(strategy).signals(KLINES)
    assert wishes.entry_long.all()
