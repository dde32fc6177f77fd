"""One budget of requests for everybody who sends from an address: who may send, and when.

Theory. A venue counts the requests of an address, and on some routes those of an account, in
rolling windows; one too many is refused, and who goes on is banned. So that many senders together
stay below, requests are tokens, lent for a short time:

- A bucket holds `tokens` for any `window_ms`. A route takes its cost from one or more buckets.
- A lease is so many requests of one route, each to be sent within `ttl_ms` of the asking. As its
  holder may send at any moment of that time, its tokens come back `ttl + window + slack` after the
  grant, whether they were used or not. Two requests that share a token are thus sent more than
  `window + slack` apart, and arrive more than a window apart if the time on the way differs by
  less than the slack. Hence the invariant: in any window a bucket's rule is kept, whatever the
  holders do, and no clock but the owner's own matters, since a holder counts from its asking.
- A bucket the venue itself has closed (its reset time) lends nothing until then. A ban closes all.
- What the venue tells of an account's own limit replaces the rule's where it is lower. A higher
  one is not taken: a bucket is the address's, and another of its accounts may have less.

Who has forgotten (the owner was started anew) begins with every bucket lent out: what was granted
before is over by the time that anything is lent again.

Units: milliseconds of the owner's clock, which never goes back. Failure: a route that costs more
than a bucket ever holds could wait for ever, so it cannot be built.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SLACK_MS = 500
TTL_MS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class RateRule:
    """At most `tokens` in any `window_ms`."""

    tokens: int
    window_ms: int


@dataclass(frozen=True, slots=True)
class Route:
    """What one request of a kind takes: `cost` tokens of each bucket named."""

    buckets: tuple[str, ...]
    cost: int = 1


@dataclass(frozen=True, slots=True)
class RateBook:
    """A venue's rules: its buckets, which routes take from which, and how long a ban lasts.

    A route that is not listed takes what `otherwise` says. `limit_header` is the reply's header
    that states an account's own limit of a route, "" if there is none.
    """

    rules: Mapping[str, RateRule]
    otherwise: Route
    routes: Mapping[str, Route] = field(default_factory=dict)
    ban_ms: int = 600_000
    slack_ms: int = SLACK_MS
    limit_header: str = ""

    def __post_init__(self) -> None:
        for route in (self.otherwise, *self.routes.values()):
            for bucket in route.buckets:
                assert route.cost <= self.rules[bucket].tokens, f"{bucket} never holds {route.cost}"

    def route(self, name: str) -> Route:
        """Return what a request of this route takes."""
        return self.routes.get(name, self.otherwise)

    def ttl_ms(self, route: Route) -> int:
        """Return how long a lease lasts: short beside the window, or most of it is lost waiting."""
        window_ms = min(self.rules[bucket].window_ms for bucket in route.buckets)
        return min(TTL_MS_MAX, max(1, window_ms // 4))


@dataclass(frozen=True, slots=True)
class Lease:
    """`requests` that may be sent within `ttl_ms` of the asking; none: ask after `wait_ms`."""

    requests: int
    ttl_ms: int = 0
    wait_ms: int = 0
    is_banned: bool = False  # Nobody may send until then.


class _Bucket:
    """Tokens that are out, in the order in which they come back."""

    def __init__(self, rule: RateRule) -> None:
        self.rule = rule
        self.out: deque[tuple[int, int]] = deque()  # when it comes back, how many
        self.lent = 0
        self.closed_until_ms = 0

    def free(self, now_ms: int) -> int:
        while self.out and self.out[0][0] <= now_ms:
            self.lent -= self.out.popleft()[1]
        return 0 if now_ms < self.closed_until_ms else self.rule.tokens - self.lent

    def lend(self, tokens: int, back_ms: int) -> None:
        # Leases of several lengths share a bucket: a shorter one waits for the longer before it,
        # which errs towards too few.
        back_ms = max(back_ms, self.out[-1][0] if self.out else 0)
        self.out.append((back_ms, tokens))
        self.lent += tokens

    def free_at_ms(self, cost: int, now_ms: int) -> int:
        """Return when `cost` tokens are there, as far as is known now."""
        missing, at_ms = cost - (self.rule.tokens - self.lent), now_ms
        for back_ms, tokens in self.out:
            if missing <= 0:
                break
            missing, at_ms = missing - tokens, back_ms
        return max(at_ms, self.closed_until_ms)


class RateBudget:
    """The state of one address's budget; every method is told the time."""

    def __init__(self, book: RateBook, now_ms: int, is_forgetful: bool = False) -> None:
        """Begin with full buckets, or with all of them lent out (`is_forgetful`)."""
        self.book = book
        self.closed_until_ms = 0
        self._buckets = {name: _Bucket(rule) for name, rule in book.rules.items()}
        if is_forgetful:
            for bucket in self._buckets.values():
                back_ms = now_ms + TTL_MS_MAX + bucket.rule.window_ms + book.slack_ms
                bucket.lend(bucket.rule.tokens, back_ms)

    def lease(self, name: str, wanted: int, now_ms: int) -> Lease:
        """Lend up to `wanted` requests of a route, or say when to ask again."""
        if now_ms < self.closed_until_ms:
            return Lease(0, wait_ms=self.closed_until_ms - now_ms, is_banned=True)
        route = self.book.route(name)
        buckets = [self._buckets[bucket] for bucket in route.buckets]
        free = min(bucket.free(now_ms) for bucket in buckets)
        requests = min(wanted, free // route.cost)
        if requests < 1:
            at_ms = max(bucket.free_at_ms(route.cost, now_ms) for bucket in buckets)
            return Lease(0, wait_ms=max(1, at_ms - now_ms))
        ttl_ms = self.book.ttl_ms(route)
        for bucket in buckets:
            back_ms = now_ms + ttl_ms + bucket.rule.window_ms + self.book.slack_ms
            bucket.lend(requests * route.cost, back_ms)
        return Lease(requests, ttl_ms)

    def ban(self, now_ms: int, left_ms: int | None = None) -> None:
        """Close everything: a 403 was seen, or a holder knows of one with `left_ms` to go."""
        until_ms = now_ms + (self.book.ban_ms if left_ms is None else left_ms)
        self.closed_until_ms = max(self.closed_until_ms, until_ms)

    def banned_ms(self, now_ms: int) -> int:
        """Return how long everything stays closed, 0 if it is open."""
        return max(0, self.closed_until_ms - now_ms)

    def throttled(self, name: str, wait_ms: int, now_ms: int, is_address: bool = False) -> None:
        """Close a route's narrowest bucket: the venue refused, and takes more after `wait_ms`.

        If it was the address's own limit, every bucket of the route closes.
        """
        names = self.book.route(name).buckets
        for bucket in (self._buckets[each] for each in (names if is_address else names[-1:])):
            bucket.closed_until_ms = max(bucket.closed_until_ms, now_ms + wait_ms)

    def told_limit(self, name: str, tokens: int) -> None:
        """Take over an account's own limit of a route that a reply states, if it is lower."""
        bucket, route = self._narrowest(name), self.book.route(name)
        is_account = len(route.buckets) > 1  # Never the address's own.
        if is_account and route.cost <= tokens < bucket.rule.tokens:
            bucket.rule = RateRule(tokens, bucket.rule.window_ms)

    def lent(self) -> Mapping[str, int]:
        """Return how many tokens of each bucket are out."""
        return {name: bucket.lent for name, bucket in self._buckets.items()}

    def state(self) -> dict[str, Any]:
        """Return what another budget of this book and clock goes on from, as plain values."""
        buckets = {
            name: [bucket.rule.tokens, bucket.closed_until_ms, list(bucket.out)]
            for name, bucket in self._buckets.items()
        }
        return {"closed_until_ms": self.closed_until_ms, "buckets": buckets}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; a bucket that it does not know begins full."""
        self.closed_until_ms = int(state["closed_until_ms"])
        for name in self._buckets.keys() & state["buckets"].keys():
            tokens, closed_until_ms, out = state["buckets"][name]
            rule = self.book.rules[name]
            bucket = _Bucket(RateRule(min(rule.tokens, int(tokens)), rule.window_ms))
            bucket.closed_until_ms = int(closed_until_ms)
            for back_ms, lent in out:
                bucket.lend(int(lent), int(back_ms))
            self._buckets[name] = bucket

    def _narrowest(self, name: str) -> _Bucket:
        return self._buckets[self.book.route(name).buckets[-1]]
