"""The budget of requests: never more than the rules in any window, whatever holders do."""

from bisect import bisect_right
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.live.rate_budget import RateBook, RateBudget, RateRule, Route

ADDRESS, ORDERS, PLAIN = "address", "orders", "GET /bars"
BOOK = RateBook(
    rules={ADDRESS: RateRule(20, 5_000), ORDERS: RateRule(4, 1_000)},
    otherwise=Route((ADDRESS,)),
    routes={"POST /order": Route((ADDRESS, ORDERS)), "GET /heavy": Route((ADDRESS,), cost=5)},
    slack_ms=100,
)


def most_in_a_window(times: list[int], window_ms: int) -> int:
    """Return the largest number of arrivals in any (t - window, t]."""
    ordered = sorted(times)
    return max(
        (at + 1 - bisect_right(ordered, time_ms - window_ms) for at, time_ms in enumerate(ordered)),
        default=0,
    )


@given(st.data())
def test_no_window_holds_more_than_its_rule_whatever_holders_do(drawn: st.DataObject) -> None:
    budget, now_ms = RateBudget(BOOK, 0), 0
    arrivals: defaultdict[str, list[int]] = defaultdict(list)
    for _ in range(drawn.draw(st.integers(1, 60))):
        now_ms += drawn.draw(st.integers(0, 400))
        name = drawn.draw(st.sampled_from([PLAIN, "POST /order", "GET /heavy"]))
        lease = budget.lease(name, drawn.draw(st.integers(1, 32)), now_ms)
        route = BOOK.route(name)
        for _ in range(lease.requests):
            # Sent at any moment of the lease, on the way for less than the slack.
            sent_ms = now_ms + drawn.draw(st.integers(0, lease.ttl_ms - 1))
            arrived_ms = sent_ms + drawn.draw(st.integers(0, BOOK.slack_ms - 1))
            for bucket in route.buckets:
                arrivals[bucket] += [arrived_ms] * route.cost
    for bucket, times in arrivals.items():
        rule = BOOK.rules[bucket]
        assert most_in_a_window(times, rule.window_ms) <= rule.tokens


@given(st.integers(1, 32), st.sampled_from([PLAIN, "POST /order", "GET /heavy"]))
def test_who_waits_as_told_is_lent_something(wanted: int, name: str) -> None:
    budget, now_ms = RateBudget(BOOK, 0), 0
    for _ in range(20):
        lease = budget.lease(name, wanted, now_ms)
        if not lease.requests:
            now_ms += lease.wait_ms
            assert budget.lease(name, wanted, now_ms).requests >= 1


def test_a_full_budget_lends_again_in_a_steady_rhythm() -> None:
    budget = RateBudget(BOOK, 0)
    sent = sum(budget.lease(PLAIN, 8, now_ms).requests for now_ms in range(0, 60_000, 10))
    rounds = 60_000 / (5_000 + 1_000 + BOOK.slack_ms)
    assert 20 * int(rounds) <= sent <= 20 * (int(rounds) + 1)


def test_a_ban_closes_every_route_until_it_is_over() -> None:
    budget = RateBudget(BOOK, 0)
    budget.ban(1_000)
    for name in (PLAIN, "POST /order"):
        assert budget.lease(name, 1, 1_001).requests == 0
        assert budget.lease(name, 1, 601_000 - 1).wait_ms == 1
        assert budget.lease(name, 1, 601_000).requests == 1


def test_a_ban_that_a_holder_knows_of_is_never_shortened() -> None:
    budget = RateBudget(BOOK, 0)
    budget.ban(0)
    budget.ban(0, left_ms=5)
    assert budget.banned_ms(0) == 600_000


def test_a_refused_route_lends_nothing_until_the_venue_says() -> None:
    budget = RateBudget(BOOK, 0)
    budget.throttled("POST /order", 700, 0)
    assert budget.lease("POST /order", 1, 699) == budget.lease("POST /order", 1, 699)
    assert budget.lease("POST /order", 1, 699).wait_ms == 1
    assert budget.lease("POST /order", 1, 700).requests == 1
    assert budget.lease(PLAIN, 1, 0).requests == 1, "other routes go on"


def test_an_accounts_own_limit_only_lowers_the_rule_and_never_the_addresses() -> None:
    budget = RateBudget(BOOK, 0)
    for stated in (100, 3, 100):  # Two accounts of one address, one of them small.
        budget.told_limit("POST /order", stated)
    assert budget.lease("POST /order", 32, 0).requests == 3
    budget.told_limit(PLAIN, 5)
    assert budget.lease(PLAIN, 32, 0).requests == 17, "20 of the address less 3"


def test_who_has_forgotten_lends_nothing_before_what_was_lent_is_over() -> None:
    budget = RateBudget(BOOK, 10_000, is_forgetful=True)
    over_ms = 10_000 + 1_000 + 5_000 + BOOK.slack_ms
    assert budget.lease(PLAIN, 1, over_ms - 1).requests == 0
    assert budget.lease(PLAIN, 32, over_ms).requests == 20


def test_a_route_that_no_bucket_can_ever_serve_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="never holds"):
        RateBook(rules={ADDRESS: RateRule(4, 1_000)}, otherwise=Route((ADDRESS,), cost=5))
