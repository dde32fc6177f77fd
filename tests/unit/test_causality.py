"""The look-ahead check finds leaks where they are and accuses nobody else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from engines.causality import check_causal
from engines.context import Context
from engines.errors import LookAhead, StrategyFault
from engines.klines import Klines
from engines.resample import aggregate, last_closed, project
from engines.signals import Signals, signals_from_column
from engines.synthetic import synthetic_klines
from engines.trades import Side
from engines.types import F64_1D
from engines.wishes import makes_signals

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


@dataclass
class Keeps:
    """An order strategy that keeps the bars and reads `ahead` bars into the future."""

    ahead: int
    klines: Klines | None = None

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        self.klines = klines
        return {}

    def on_bar(self, ctx: Context) -> None:
        assert self.klines is not None
        then = ctx.bar_index + self.ahead
        if then < len(self.klines):
            up = self.klines.close[then] > self.klines.close[max(0, ctx.bar_index - 5)]
            ctx.entry("L" if up else "S", Side.BUY if up else Side.SELL)


@pytest.mark.parametrize("ahead", [1, 2, 20])
def test_orders_placed_from_kept_bars_of_the_future_are_found(ahead: int) -> None:
    with pytest.raises(LookAhead, match=r"orders of Keeps at bar \d+, .*entry\(.*so it looks"):
        check_causal(Keeps(ahead), KLINES)


def test_orders_placed_from_kept_bars_of_the_past_pass() -> None:
    strategy = Keeps(0)
    check_causal(strategy, KLINES)
    assert strategy.klines is not None


@pytest.mark.parametrize("seed", range(10))
def test_a_wish_struck_out_by_the_future_is_found(seed: int) -> None:
    klines = synthetic_klines(3000, 900_000, seed)

    def survives(klines: Klines) -> F64_1D:
        close = klines.close
        crosses = np.diff(
            np.sign(close - np.concatenate([close[:20], close])[: len(close)]), prepend=0.0
        )
        later = np.append(close[2:], [np.nan, np.nan])
        wrong = (crosses > 0) & (later < close) | (crosses < 0) & (later > close)
        return np.where(wrong, 0.0, np.sign(crosses))

    with pytest.raises(LookAhead, match=r"entry_\w+ of Says at bar"):
        check_causal(Says(survives), klines)


def test_an_order_struck_out_by_the_future_is_found() -> None:
    @dataclass
    class Waits(Keeps):
        def on_bar(self, ctx: Context) -> None:
            assert self.klines is not None
            then = min(ctx.bar_index + 2, len(self.klines) - 1)
            if ctx.bar_index % 40 == 39 and self.klines.close[then] >= ctx.close[0]:
                ctx.entry("L", Side.BUY)

    with pytest.raises(LookAhead, match="orders of Waits"):
        check_causal(Waits(0), KLINES)


def test_an_order_strategy_with_two_answers_is_not_called_a_look_ahead() -> None:
    answers = iter(range(10**6))

    class Counts(Keeps):
        def on_bar(self, ctx: Context) -> None:
            ctx.entry("L", Side.BUY, limit=float(next(answers) + 1))

    with pytest.raises(StrategyFault, match="other ones each time") as raised:
        check_causal(Counts(0), KLINES)
    assert not isinstance(raised.value, LookAhead)


def test_a_leak_of_another_series_is_found() -> None:
    hours = aggregate(KLINES, 3_600_000)

    def level(klines: Klines) -> F64_1D:
        other = klines.others["H"]
        at = np.searchsorted(other.open_time_ms, klines.open_time_ms, side="right") - 1
        return other.close[np.minimum(at, len(other) - 1)]

    with pytest.raises(LookAhead, match="level of Reads"):
        check_causal(Reads(level), replace(KLINES, others={"H": hours}))


WRONG_ANSWERS: list[tuple[object, str]] = [
    (None, "a mapping of names to columns, found NoneType"),
    ([1.0], "a mapping of names to columns, found list"),
    ({"level": None}, "2000 values, one a bar, found an array of shape"),
    ({"level": [1.0]}, "2000 values, one a bar, found 1"),
    ({"level": ["dear"] * 2000}, "a column of numbers, found values of <U4"),
    ({"level": [[1.0], [1.0, 2.0]]}, "a column of numbers, found list"),
]


@pytest.mark.parametrize(("answer", "says"), WRONG_ANSWERS)
def test_features_that_are_no_columns_are_refused(answer: object, says: str) -> None:
    class Odd(Keeps):
        def features(self, klines: Klines) -> Any:
            return answer

    with pytest.raises(StrategyFault, match=says):
        check_causal(Odd(0), KLINES)


def test_features_may_be_lists_of_numbers() -> None:
    class Lists(Keeps):
        def features(self, klines: Klines) -> Any:
            super().features(klines)
            return {"level": klines.close.tolist()}

    check_causal(Lists(0), KLINES)


def test_signals_that_are_none_are_refused() -> None:
    class Odd:
        def signals(self, klines: Klines) -> Any:
            return None

    with pytest.raises(StrategyFault, match="signals of Odd: expected an instance of Signals"):
        check_causal(Odd(), KLINES)


def test_a_strategy_with_a_list_called_signals_places_orders() -> None:
    class Listed(Keeps):
        signals: ClassVar[list[int]] = []

    assert not makes_signals(Listed(0))
