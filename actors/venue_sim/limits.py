"""How often may be asked: requests of an address, and of a key on one route.

Theory. An address has 600 requests in any 5 seconds; the one beyond is answered 403, and so is all
that follows for ten minutes: the ban is not lifted earlier by silence, nor prolonged by asking.
A key has so many requests a second on each private route, counted in a rolling second; the one
beyond is answered retCode 10006 and does not count. An address may open 500 sockets in five
minutes. Time is the venue's.
Source: Bybit v5, "Rate Limit Rules".
"""

from collections import defaultdict, deque
from dataclasses import dataclass

from actors.venue_sim.wire import TOO_MANY_VISITS, Refused

IP_REQUESTS, IP_WINDOW_MS, BAN_MS = 600, 5_000, 600_000
ROUTE_WINDOW_MS = 1_000
SOCKETS, SOCKET_WINDOW_MS = 500, 300_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key has left on a route: the limit, what remains, and when more comes."""

    limit: int
    remaining: int
    reset_ms: int
    is_granted: bool

    def headers(self) -> dict[str, str]:
        """Return the reply headers that say so."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.remaining),
            "X-Bapi-Limit-Reset-Timestamp": str(self.reset_ms),
        }


class Throttled(Refused):
    """A key has asked a route too often."""

    def __init__(self, left: Allowance) -> None:
        super().__init__(TOO_MANY_VISITS, "Too many visits!")
        self.left = left


class Limits:
    """Counts requests; `is_enforced` False counts and refuses nothing."""

    def __init__(self, is_enforced: bool = True, ip_requests: int = IP_REQUESTS) -> None:
        self.is_enforced = is_enforced
        self.ip_requests = ip_requests
        self.banned_until_ms: dict[str, int] = {}
        self.in_window_max = 0
        self.bans = 0
        self._of_ip: defaultdict[str, deque[int]] = defaultdict(deque)
        self._sockets: defaultdict[str, deque[int]] = defaultdict(deque)
        self._of_route: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)

    def admits(self, ip: str, now_ms: int) -> bool:
        """Count a request of an address and return whether it is let in."""
        if now_ms < self.banned_until_ms.get(ip, 0):
            return False
        times = self._of_ip[ip]
        _forget(times, now_ms - IP_WINDOW_MS)
        times.append(now_ms)
        self.in_window_max = max(self.in_window_max, len(times))
        if len(times) <= self.ip_requests or not self.is_enforced:
            return True
        self.banned_until_ms[ip] = now_ms + BAN_MS
        self.bans += 1
        times.clear()
        return False

    def admits_socket(self, ip: str, now_ms: int) -> bool:
        """Count a socket that an address opens and return whether it is let in."""
        times = self._sockets[ip]
        _forget(times, now_ms - SOCKET_WINDOW_MS)
        times.append(now_ms)
        return len(times) <= SOCKETS or not self.is_enforced

    def allow(self, key: str, route: str, limit: int, now_ms: int, cost: int = 1) -> Allowance:
        """Count a request of a key on a route with `limit` a second, and return what is left."""
        times = self._of_route[key, route]
        _forget(times, now_ms - ROUTE_WINDOW_MS)
        if self.is_enforced and len(times) + cost > limit:
            reset_ms = times[0] + ROUTE_WINDOW_MS if times else now_ms + ROUTE_WINDOW_MS
            return Allowance(limit, 0, reset_ms, is_granted=False)
        times.extend([now_ms] * cost)
        return Allowance(limit, max(0, limit - len(times)), now_ms, is_granted=True)


def _forget(times: deque[int], until_ms: int) -> None:
    """Drop the times that have left the window: those at or before `until_ms`."""
    while times and times[0] <= until_ms:
        times.popleft()
