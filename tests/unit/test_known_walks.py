"""Walks are left to the next part of the same plans, and lent to one at a time."""

from engines.kernels.chains.known_walks import KnownWalks


def test_walks_stay_known_from_one_list_of_the_same_plans_to_the_next() -> None:
    known, plans = KnownWalks(), ("group", b"terms")
    first = known.lend(plans)
    assert (first == 0.0).all()
    first[:] = 1.0
    known.give_back(plans, first)
    again = known.lend(("group", b"terms"))
    assert again is first
    assert (again == 1.0).all()
    known.give_back(plans, again)
    assert (known.lend(("group", b"others")) == 0.0).all()


def test_no_two_parts_write_to_the_same_walks() -> None:
    known = KnownWalks()
    assert known.lend("plans") is not known.lend("plans")
