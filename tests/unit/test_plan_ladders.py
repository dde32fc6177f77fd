"""Ladders worked by hand: where the rungs lie, what each spends and what all of them do.

Source of the safety orders: 3Commas, "DCA bot" (price deviation, step scale, volume scale): each
step is the one before times the step scale, each size the one before times the volume scale.
"""

import pytest

from engines.plan import CustomLadder, DcaLadder, Growth, Plan, Rung, SafetyOrders


def table(rungs: tuple[Rung, ...]) -> list[tuple[float, float]]:
    return [(round(rung.offset_ratio, 9), round(rung.weight, 9)) for rung in rungs]


def test_dca_offsets_grow_by_the_step_and_end_at_the_range() -> None:
    # Steps of 1, 2 and 4 sevenths of 7 %: 1 %, 3 %, 7 %. Equal weights, a quarter each.
    ladder = DcaLadder(orders=4, range_ratio=0.07, log_step=2.0, martingale=1.0)
    assert table(ladder.rungs) == [(0.0, 0.25), (0.01, 0.25), (0.03, 0.25), (0.07, 0.25)]


def test_dca_with_a_log_step_of_one_is_even() -> None:
    ladder = DcaLadder(orders=5, range_ratio=0.04, log_step=1.0)
    assert [offset for offset, _ in table(ladder.rungs)] == [0.0, 0.01, 0.02, 0.03, 0.04]


@pytest.mark.parametrize(
    ("growth", "martingale", "parts"),
    [
        (Growth.EACH, 2.0, (1, 2, 4, 8)),
        (Growth.EACH, 1.5, (1, 1.5, 2.25, 3.375)),
        (Growth.TOTAL, 1.0, (1, 1, 2, 4)),
        (Growth.TOTAL, 2.0, (1, 2, 6, 18)),
        (Growth.PROGRESSIVE, 1.5, (1, 1.5, 2, 2.5)),
        (Growth.PROGRESSIVE, 3.0, (1, 3, 5, 7)),
    ],
)
def test_dca_sizes_grow_as_they_are_told(
    growth: Growth, martingale: float, parts: tuple[float, ...]
) -> None:
    rungs = DcaLadder(orders=4, growth=growth, martingale=martingale).rungs
    assert [rung.weight * sum(parts) for rung in rungs] == pytest.approx(parts, abs=1e-12)
    assert sum(rung.weight for rung in rungs) == pytest.approx(1, abs=1e-15)


def test_dca_default_is_five_orders_over_one_percent() -> None:
    # Steps 1, 1.2, 1.44, 1.728 of 5.368; weights 1, 1.5, 2.25, 3.375, 5.0625 of 13.1875.
    rungs = DcaLadder().rungs
    assert [rung.offset_ratio for rung in rungs] == pytest.approx(
        [0, 0.01 / 5.368, 0.022 / 5.368, 0.0364 / 5.368, 0.01], abs=1e-15
    )
    assert [rung.weight * 13.1875 for rung in rungs] == pytest.approx(
        [1, 1.5, 2.25, 3.375, 5.0625], abs=1e-12
    )
    assert DcaLadder().budget_ratio is None


def test_safety_orders_lie_where_3commas_lays_them() -> None:
    # 1 %, + 1.4 % = 2.4 %, + 1.96 % = 4.36 %, + 2.744 % = 7.104 %, + 3.8416 % = 10.9456 %.
    rungs = SafetyOrders().rungs
    assert [rung.offset_ratio for rung in rungs] == pytest.approx(
        [0, 0.01, 0.024, 0.0436, 0.07104, 0.109456], abs=1e-15
    )


def test_safety_orders_grow_by_their_volume_and_spend_their_sum() -> None:
    # 10 % base, then 10, 10.5, 11.025, 11.57625 and 12.1550625 % of equity: 65.2563125 % in all.
    ladder = SafetyOrders()
    spent = [0.1, 0.1, 0.105, 0.11025, 0.1157625, 0.121550625]
    assert ladder.budget_ratio == pytest.approx(0.652563125, abs=1e-15)
    assert [rung.weight * 0.652563125 for rung in ladder.rungs] == pytest.approx(spent, abs=1e-15)
    assert sum(rung.weight for rung in ladder.rungs) == pytest.approx(1, abs=1e-15)


def test_safety_orders_without_growth_are_even() -> None:
    ladder = SafetyOrders(base_ratio=0.2, safety_ratio=0.4, orders=2, step=1.0, volume=1.0)
    assert table(ladder.rungs) == [(0.0, 0.2), (0.01, 0.4), (0.02, 0.4)]
    # All of the equity is spent and no more: that plan holds.
    assert Plan(ladder=ladder).ladder is ladder


def test_custom_ladder_keeps_its_rungs_and_may_scale_in() -> None:
    rungs = (Rung(0, 0.2), Rung(0.01, 0.3), Rung(-0.02, 0.5))
    assert CustomLadder(rungs=rungs).rungs == rungs
    assert CustomLadder(rungs=rungs).budget_ratio is None
