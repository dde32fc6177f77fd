"""The venue's decisions: a request and the time go in, a reply comes out.

Order of judgement, as the venue's: the address's limit, the route, the key and its signature, the
route's limit, the parameters, the act itself. A fault that was asked for is put on top: those that
refuse do so before the act, a lost reply and a spoilt page come after it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from actors.venue_sim import public
from actors.venue_sim.faults import PAGE_KINDS, REPLY_KINDS, FaultKind, Faults
from actors.venue_sim.limits import Limits
from actors.venue_sim.listing import Listing, Market
from actors.venue_sim.streams import Streams
from actors.venue_sim.wire import (
    OUTSIDE_WINDOW,
    ROUTE_NOT_FOUND,
    TOO_MANY_VISITS,
    Payload,
    Refused,
    Reply,
    Request,
    envelope,
)

PublicRoute = Callable[[Market, Mapping[str, str], int], Payload]

PUBLIC_ROUTES: dict[str, PublicRoute] = {
    "/v5/market/time": public.server_time,
    "/v5/market/instruments-info": public.instruments,
    "/v5/market/kline": public.klines,
    "/v5/market/mark-price-kline": public.mark_klines,
    "/v5/market/funding/history": public.funding_history,
    "/v5/market/tickers": public.tickers,
    "/v5/market/orderbook": public.orderbook,
    "/v5/market/recent-trade": public.recent_trades,
}
PAGED = frozenset({"/v5/market/kline", "/v5/market/mark-price-kline", "/v5/market/funding/history"})
BANNED_TEXT = "403, access too frequent"
SPOILT = frozenset(PAGE_KINDS)


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


@dataclass(slots=True)
class VenueCore:
    """The state of the venue: what is listed, who may ask, what fails, and what was asked."""

    market: Market
    faults: Faults
    streams: Streams
    limits: Limits = field(default_factory=Limits)
    seen: list[Seen] = field(default_factory=list)

    @classmethod
    def of(cls, listings: Iterable[Listing], seed: int = 0) -> "VenueCore":
        """Return a venue that lists these markets and fails by this seed."""
        market, faults = Market(listings), Faults(seed)
        return cls(market, faults, Streams(market, faults))

    def respond(self, request: Request, now_ms: int) -> Reply:
        """Return the reply to one request."""
        fault: FaultKind | None = None
        if not self.limits.admits(request.ip, now_ms):
            reply = Reply(status=403, text=BANNED_TEXT)
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

    def _judged(self, request: Request, now_ms: int, fault: FaultKind | None) -> Reply:
        if fault in REFUSALS:
            return REFUSALS[fault](now_ms)
        try:
            reply = Reply(envelope(now_ms, self._acted(request, now_ms)))
        except Refused as refused:
            return Reply(envelope(now_ms, refused.result, refused.ret_code, refused.message))
        if fault in SPOILT and fault is not None and reply.payload is not None:
            result = reply.payload["result"]
            result["list"] = self.faults.spoil(fault, result["list"])
        reply.delay_ms = self.faults.delay_ms if fault is FaultKind.DELAY else 0
        reply.is_dropped = fault is FaultKind.DROP_REPLY
        return reply

    def _acted(self, request: Request, now_ms: int) -> Payload:
        route = PUBLIC_ROUTES.get(request.path) if request.method == "GET" else None
        if route is None:
            raise Refused(ROUTE_NOT_FOUND, "Route not found.")
        return route(self.market, request.query, now_ms)


def _possible(path: str) -> frozenset[FaultKind]:
    """Return the faults that a route can have: only pages can be spoilt."""
    return REPLY_KINDS if path in PAGED else REPLY_KINDS - SPOILT


def _too_many_visits(now_ms: int) -> Reply:
    return Reply(
        envelope(now_ms, {}, TOO_MANY_VISITS, "Too many visits!"),
        headers={
            "X-Bapi-Limit": "10",
            "X-Bapi-Limit-Status": "0",
            "X-Bapi-Limit-Reset-Timestamp": str(now_ms + 1_000),
        },
    )


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
