"""The look-ahead check finds leaks where they are and accuses nobody else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from engines.causality import check_causal
from engines.context import Context
from engines.errors import LookAhead, StrategyFault
from engines.klines import Klines
from engines.resample import aggregate, last_closed, project
from engines.signals import Signals, signals_from_column
from engines.synthetic import synthetic_klines
from engines.types import F64_1D

KLINES = synthetic_klines(2000, 900_000, seed=2)


@dataclass
class Says:
    """A signals strategy made of one function of the bars to 1, -1 and 0."""

    wish: Callable[[Klines], F64_1D]

    def signals(self, klines: Klines) -> Signals:
        return signals_from_column(self.wish(klines))


@dataclass
class Reads:
    """An order strategy with one feature."""

    feature: Callable[[Klines], F64_1D]

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        return {"level": self.feature(klines)}

    def on_bar(self, ctx: Context) -> None:
        return None


def rises(klines: Klines) -> F64_1D:
    return np.sign(np.diff(klines.close, prepend=klines.close[0]))


def test_causal_signals_and_features_pass() -> None:
    check_causal(Says(rises), KLINES)
    check_causal(Reads(lambda klines: np.cumsum(klines.close)), KLINES)
    check_causal(Reads(lambda klines: np.full(len(klines), np.nan)), KLINES)


def test_a_wish_that_needs_the_next_close_is_named_with_both_values() -> None:
    with pytest.raises(LookAhead, match=r"entry_\w+ of Says at bar \d+, .*with them, so it looks"):
        check_causal(Says(lambda klines: np.append(rises(klines)[1:], 0.0)), KLINES)


def test_a_rare_wish_that_peeks_one_bar_is_found() -> None:
    def rare(klines: Klines) -> F64_1D:
        wish = np.zeros(len(klines))
        wish[500::700] = 1.0
        moves_next = np.append(rises(klines)[1:], 0.0) != 0
        return np.where(moves_next, wish, 0.0)

    with pytest.raises(LookAhead, match="entry_long of Says at bar"):
        check_causal(Says(rare), KLINES)


def test_a_feature_scaled_by_the_whole_series_is_found() -> None:
    with pytest.raises(LookAhead, match="level of Reads at bar 0"):
        check_causal(Reads(lambda klines: klines.close / klines.close.max()), KLINES)


def test_float_noise_is_no_look_ahead() -> None:
    def noisy(klines: Klines) -> F64_1D:
        return klines.close * (1 + len(klines) % 7 * 1e-16)

    check_causal(Reads(noisy), KLINES)


def test_another_series_that_starts_later_is_no_look_ahead() -> None:
    hours = aggregate(KLINES.between(1200, 2000), 3_600_000)

    def level(klines: Klines) -> F64_1D:
        other = klines.others["H"]
        return project(other.close, last_closed(other, klines))

    check_causal(Reads(level), replace(KLINES, others={"H": hours}))


def test_a_strategy_with_two_answers_is_not_called_a_look_ahead() -> None:
    answers = iter(range(100))
    with pytest.raises(StrategyFault, match="the same values for the same bars") as raised:
        check_causal(Reads(lambda klines: np.full(len(klines), float(next(answers)))), KLINES)
    assert not isinstance(raised.value, LookAhead)


def test_one_bar_has_no_future_to_take_away() -> None:
    check_causal(Says(rises), KLINES.between(0, 1))
