"""One-cancels-all groups: what the fill of one order does to the others."""

from engines.orders import OcaKind
from tests.unit.market import (
    BUY,
    ONE_LOT,
    SELL,
    Bar,
    Script,
    buys,
    exits,
    filled,
    orders,
    plan_with,
    sells,
    still,
)

FLAT = still(100.0)
CANCEL = {"oca_name": "g", "oca_kind": OcaKind.CANCEL}
REDUCE = {"oca_name": "g", "oca_kind": OcaKind.REDUCE}
# High first (2 < 3): 100, 102, 97, 98.
BOTH: Bar = (100.0, 102.0, 97.0, 98.0)


def test_orders_without_a_group_do_not_touch_each_other() -> None:
    script: Script = {0: (buys(stop=101.0), sells(stop=99.0))}
    assert filled([FLAT, BOTH], script) == [(1, 1.0, 101.0), (1, -1.0, 99.0)]


def test_fill_in_a_cancel_group_cancels_the_others() -> None:
    script: Script = {0: (buys(stop=101.0, **CANCEL), sells(stop=99.0, **CANCEL))}
    assert filled([FLAT, BOTH, BOTH], script) == [(1, 1.0, 101.0)]


def test_other_groups_are_left_alone() -> None:
    other = {"oca_name": "h", "oca_kind": OcaKind.CANCEL}
    script: Script = {0: (buys(stop=101.0, **CANCEL), sells(stop=99.0, **other))}
    assert len(filled([FLAT, BOTH], script)) == 2


def test_group_works_at_an_open_too() -> None:
    script: Script = {
        0: (orders("A", BUY, limit=99.0, **CANCEL), orders("B", BUY, limit=98.0, **CANCEL))
    }
    assert len(filled([FLAT, still(97.0), FLAT], script)) == 1


def test_fill_in_a_reduce_group_takes_its_quantity_off_the_others() -> None:
    script: Script = {
        0: (
            orders("A", BUY, qty=1.0, stop=101.0, **REDUCE),
            orders("B", SELL, qty=3.0, stop=99.0, **REDUCE),
        )
    }
    assert filled([FLAT, BOTH], script) == [(1, 1.0, 101.0), (1, -2.0, 99.0)]


def test_order_that_is_reduced_to_nothing_is_gone() -> None:
    script: Script = {
        0: (
            orders("A", BUY, qty=2.0, stop=101.0, **REDUCE),
            orders("B", SELL, qty=2.0, stop=99.0, **REDUCE),
        )
    }
    assert filled([FLAT, BOTH, BOTH], script) == [(1, 2.0, 101.0)]


def test_kind_of_the_filled_order_decides() -> None:
    script: Script = {
        0: (
            orders("A", BUY, qty=1.0, stop=101.0, **REDUCE),
            orders("B", SELL, qty=3.0, stop=99.0, oca_name="g", oca_kind=OcaKind.NONE),
        )
    }
    assert filled([FLAT, BOTH], script)[1] == (1, -2.0, 99.0)


def test_group_without_a_name_is_no_group() -> None:
    none = {"oca_name": "", "oca_kind": OcaKind.CANCEL}
    script: Script = {0: (buys(stop=101.0, **none), sells(stop=99.0, **none))}
    assert len(filled([FLAT, BOTH], script)) == 2


def test_exits_of_different_ids_are_independent() -> None:
    script: Script = {
        0: (
            buys(qty=2.0),
            exits("A", "L", qty=1.0, limit=101.0, stop=95.0),
            exits("B", "L", qty=1.0, limit=103.0, stop=98.0),
        )
    }
    rows = filled([FLAT, FLAT, BOTH], script)
    assert rows[1:] == [(2, -1.0, 101.0), (2, -1.0, 98.0)]


def test_exits_of_one_group_reduce_each_other_across_entries() -> None:
    script: Script = {
        0: (
            buys("A", qty=1.0),
            buys("B", qty=3.0),
            exits("XA", "A", limit=101.0, oca_name="g"),
            exits("XB", "B", limit=101.5, oca_name="g"),
        )
    }
    rows = filled([FLAT, FLAT, BOTH], script, plan_with(pyramiding=2))
    assert rows[2:] == [(2, -1.0, 101.0), (2, -2.0, 101.5)]


def test_raw_bracket_in_a_reduce_group_is_not_tied_to_the_position() -> None:
    # The reversal at the open is followed by the old target, passed at that open: a second lot.
    script: Script = {
        0: (sells(),),
        1: (
            orders("TP", BUY, qty=1.0, limit=99.0, **REDUCE),
            orders("SL", BUY, qty=1.0, stop=105.0, **REDUCE),
        ),
        2: (buys(),),
    }
    bars = [FLAT, FLAT, FLAT, still(98.0), still(110.0)]
    assert filled(bars, script, ONE_LOT)[1:] == [(3, 2.0, 98.0), (3, 1.0, 98.0)]
