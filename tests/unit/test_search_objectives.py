"""The best of many sets: constraints hold, NaN never wins, and ties do not depend on the order."""

import numpy as np
import pytest

from engines.errors import ParameterFault
from engines.kernels.summary import SUMMARY
from engines.search.objectives import (
    SMALL_IS_GOOD,
    Constraint,
    Objective,
    TopList,
    constraints_of,
)
from engines.types import F64_1D

NAN = float("nan")


def column(*values: float) -> F64_1D:
    return np.array(values, dtype=np.float64)


def test_each_summary_metric_is_an_objective_with_its_natural_direction() -> None:
    assert set(SUMMARY) >= SMALL_IS_GOOD
    for name in SUMMARY:
        assert Objective.parse(name).is_larger_better == (name not in SMALL_IS_GOOD)
    assert Objective.parse("drawdown_ratio_max").scores({"drawdown_ratio_max": column(0.5)}) == -0.5
    assert not Objective.parse("min:trades").is_larger_better


def test_the_composite_is_growth_a_drawdown_discounted_for_few_trades() -> None:
    columns = {
        "cagr_ratio": column(0.2, 0.2, NAN),
        "drawdown_ratio_max": column(0.05, 0.05, 0.1),
        "trades": column(30, 270, 100),
    }
    np.testing.assert_allclose(Objective.parse("composite").scores(columns), [1.0, 1.8, NAN])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("trades>=30", [30, 31]), ("trades > 30", [31]), ("trades<=30", [29, 30]),
        ("trades<30", [29]), ("trades=30", [30]), ("trades!=30", [29, 31]),
    ],
)  # fmt: skip  # a table reads by its rows
def test_a_constraint_keeps_what_fulfils_it_and_never_nan(text: str, kept: list[float]) -> None:
    values = column(29, 30, 31, NAN)
    assert values[Constraint.parse(text).holds({"trades": values})].tolist() == kept


def test_constraints_are_joined_by_commas_and_take_percentages() -> None:
    first, second = constraints_of(["trades>=30,drawdown_ratio_max<20%"])
    assert (str(first), str(second)) == ("trades>=30", "drawdown_ratio_max<0.2")


@pytest.mark.parametrize(
    "text", ["net_profit_quote>=1234.5678", "fees_quote<12345678", "sharpe>1e-7", "trades<=inf"]
)
def test_a_constraint_is_read_from_its_own_text_without_loss(text: str) -> None:
    found = Constraint.parse(text)
    assert Constraint.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("trade>=30", "trades (did you mean it?), found the unknown metric 'trade'"),
        ("trades", "METRIC OPERATOR NUMBER"),
        ("trades>=many", "a number, found 'many'"),
        ("trades>=nan", "a number"),
        ("composite>1", "the unknown metric 'composite'"),
    ],
)
def test_a_constraint_that_means_nothing_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ParameterFault) as caught:
        Constraint.parse(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("text", ["sharp", "up:sharpe", ""])
def test_an_unknown_objective_is_refused(text: str) -> None:
    with pytest.raises(ParameterFault):
        Objective.parse(text)


def test_the_list_is_the_same_whatever_the_order_of_showing() -> None:
    rng = np.random.default_rng(5)
    ids = np.arange(400)
    sharpe = rng.integers(0, 12, 400).astype(float)  # many ties
    sharpe[::7] = NAN
    trades = rng.integers(0, 60, 400).astype(float)
    found = []
    for blocks in (np.split(ids, 8), np.split(ids, 4)[::-1], [rng.permutation(ids)]):
        top = TopList(25, Objective.parse("sharpe"), constraints_of(["trades>=30"]))
        for block in blocks:
            top.show({"sharpe": sharpe[block], "trades": trades[block]}, block, 0, 0)
        found.append([(item.score, item.set_id) for item in top.best])
        assert top.met == np.count_nonzero((trades >= 30) & ~np.isnan(sharpe))
    fits = [int(i) for i in ids if trades[i] >= 30 and sharpe[i] == sharpe[i]]
    plain = sorted(((sharpe[i], i) for i in fits), key=lambda item: (-item[0], item[1]))[:25]
    assert found == [plain] * 3


def test_markets_come_before_set_numbers_where_scores_are_equal() -> None:
    top = TopList(2, Objective.parse("sharpe"))
    top.show({"sharpe": column(1, 1)}, np.array([3, 4]), 1, 0)
    top.show({"sharpe": column(1)}, np.array([9]), 0, 1)
    assert [(item.market, item.set_id, item.place) for item in top.best] == [(0, 9, 1), (1, 3, 0)]
