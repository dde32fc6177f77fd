"""The venue's decisions: a request and the time go in, a reply comes out.

Order of judgement, as the venue's: the address's limit, the route, the key and its signature, the
route's limit, the parameters, the act itself. A fault that was asked for is put on top: those that
refuse do so before the act, a lost reply and a spoilt page come after it.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from actors.venue_sim import routes
from actors.venue_sim.faults import PAGE_KINDS, REPLY_KINDS, FaultKind, Faults
from actors.venue_sim.keyring import PRACTICE_KEY, ApiKey, Keyring, Unsigned
from actors.venue_sim.limits import Allowance, Limits, Throttled
from actors.venue_sim.listing import Listing, Market
from actors.venue_sim.private_streams import PrivateStreams
from actors.venue_sim.sessions import PRIVATE, TRADE, Outgoing, Session
from actors.venue_sim.streams import Streams
from actors.venue_sim.traders import Traders
from actors.venue_sim.wire import (
    OUTSIDE_WINDOW,
    PARAMETER_ERROR,
    ROUTE_NOT_FOUND,
    TOO_MANY_VISITS,
    Payload,
    Refused,
    Reply,
    Request,
    envelope,
)

BANNED_TEXT = "403, access too frequent"
SPOILT = frozenset(PAGE_KINDS)
SEEN_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the venue remembers it, for a test to count."""

    time_ms: int
    ip: str
    method: str
    path: str
    status: int
    ret_code: int | None
    fault: FaultKind | None


class VenueCore:
    """The state of the venue: what is listed, who may ask, what fails, and what was asked."""

    def __init__(
        self, listings: Iterable[Listing], keys: Iterable[ApiKey] = (PRACTICE_KEY,), seed: int = 0
    ) -> None:
        self.market = Market(listings)
        self.faults = Faults(seed)
        self.limits = Limits()
        self.keyring = Keyring(keys)
        self.traders = Traders(self.market)
        self.streams = Streams(self.market, self.faults)
        self.private = PrivateStreams(self.keyring, self.traders, self.faults, self._trade)
        self.seen: deque[Seen] = deque(maxlen=SEEN_MAX)
        self._session_ids = count(1)

    def respond(self, request: Request, now_ms: int) -> Reply:
        """Return the reply to one request."""
        fault: FaultKind | None = None
        if not self.limits.admits(request.ip, now_ms):
            reply = Reply(status=403, text=BANNED_TEXT)
        elif request.method == "GET" and request.body:
            reply = Reply(status=403, text="a GET request has no body")
        else:
            fault = self.faults.draw(request.path, _possible(request.path))
            reply = self._judged(request, now_ms, fault)
        self.seen.append(
            Seen(
                *(now_ms, request.ip, request.method, request.path),
                *(reply.status, reply.ret_code, fault),
            )
        )
        return reply

    def tick(self, now_ms: int) -> list[Outgoing]:
        """Return what all sockets are sent now that it is `now_ms`."""
        return [*self.streams.tick(now_ms), *self.private.tick(now_ms)]

    def open(self, kind: str, ip: str = "127.0.0.1") -> Session:
        """Return a new session: of a category's public stream, private, or for orders."""
        session = Session(next(self._session_ids), kind, ip=ip)
        (self.private if kind in (PRIVATE, TRADE) else self.streams).open(session)
        return session

    def receive(self, session: Session, message: Mapping[str, Any], now_ms: int) -> list[Outgoing]:
        """Return the answers to what came over a socket."""
        side = self.private if session.category in (PRIVATE, TRADE) else self.streams
        return side.receive(session.session_id, message, now_ms)

    def close(self, session: Session) -> None:
        """Forget a session whose socket is gone."""
        self.streams.close(session.session_id)
        self.private.close(session.session_id)

    def _judged(self, request: Request, now_ms: int, fault: FaultKind | None) -> Reply:
        if fault in REFUSALS:
            return REFUSALS[fault](now_ms)
        try:
            result, headers = self._acted(request, now_ms)
        except Unsigned:
            return Reply(status=401, text="")
        except Refused as refused:
            head = refused.left.headers() if isinstance(refused, Throttled) else {}
            said = envelope(now_ms, refused.result, refused.ret_code, refused.message)
            return Reply(said, headers=head)
        if fault in SPOILT and fault is not None:
            result["list"] = self.faults.spoil(fault, result["list"])
        return Reply(
            envelope(now_ms, result),
            headers=headers,
            delay_ms=self.faults.delay_ms if fault is FaultKind.DELAY else 0,
            is_dropped=fault is FaultKind.DROP_REPLY,
        )

    def _acted(self, request: Request, now_ms: int) -> tuple[Payload, dict[str, str]]:
        """Return a request's result and the headers of its limit."""
        if request.method == "GET" and request.path in routes.PUBLIC:
            return routes.PUBLIC[request.path](self.market, request.query, now_ms), {}
        route = routes.PRIVATE.get(request.method, {}).get(request.path)
        if route is None:
            raise Refused(ROUTE_NOT_FOUND, "Route not found.")
        key = self.keyring.check(request, now_ms)
        asked = request.query if request.method == "GET" else _body(request)
        left = self._allow(request.path, route, key.uid, asked, now_ms)
        desk = self.traders.desk(key.uid, now_ms)
        desk.key = key
        return route.act(desk, asked), left.headers()

    def _trade(
        self, path: str, uid: int, body: Mapping[str, Any], now_ms: int
    ) -> tuple[Payload, Allowance]:
        """Carry out what came over the order stream, by the rules of the route."""
        route = routes.TRADING[path]
        left = self._allow(path, route, uid, body, now_ms)
        return route.act(self.traders.desk(uid, now_ms), body), left

    def _allow(
        self,
        path: str,
        route: routes.PrivateRoute,
        uid: int,
        asked: Mapping[str, Any],
        now_ms: int,
    ) -> Allowance:
        left = self.limits.allow(str(uid), path, route.limit_of(asked), now_ms)
        if not left.is_granted:
            raise Throttled(left)
        return left


def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(PARAMETER_ERROR, "params error: body is no JSON") from None
    if not isinstance(body, dict):
        raise Refused(PARAMETER_ERROR, "params error: body is no JSON object")
    return body


def _possible(path: str) -> frozenset[FaultKind]:
    """Return the faults that a route can have: only pages can be spoilt."""
    return REPLY_KINDS if path in routes.PAGED else REPLY_KINDS - SPOILT


def _too_many_visits(now_ms: int) -> Reply:
    left = Allowance(10, 0, now_ms + 1_000, is_granted=False)
    return Reply(envelope(now_ms, {}, TOO_MANY_VISITS, "Too many visits!"), headers=left.headers())


def _outside_window(now_ms: int) -> Reply:
    message = (
        "invalid request, please check your server timestamp or recv_window param. "
        f"req_timestamp[{now_ms - 60_000}],server_timestamp[{now_ms}],recv_window[5000]"
    )
    return Reply(envelope(now_ms, {}, OUTSIDE_WINDOW, message))


REFUSALS: dict[FaultKind | None, Callable[[int], Reply]] = {
    FaultKind.SERVER_ERROR: lambda _: Reply(status=503, text="Service Unavailable"),
    FaultKind.BUSY: lambda _: Reply(status=429, text="System level frequency protection"),
    FaultKind.TOO_MANY_VISITS: _too_many_visits,
    FaultKind.OUTSIDE_WINDOW: _outside_window,
}
