"""ccxt's own hooks, filled in: before a request its token, after it what the reply said.

ccxt stays as it is released: it signs, pages and parses. These are the methods that it offers to be
overridden. What one call's reply carried (status, headers) travels by a context variable, since
ccxt keeps only the last one of all calls.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ccxt.async_support.base.exchange import Exchange
from ccxt.base.errors import BadResponse

from actors.venue.gate import Gate


@dataclass(slots=True)
class Reply:
    """What is known of the last reply within one call."""

    route: str = ""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """One bar of a stream as it was told: time, open, high, low, close, volume in `row`."""

    symbol: str
    timeframe: str
    row: Sequence[Any]
    turnover: float | None
    is_closed: bool | None
    time_ms: int


REPLY: ContextVar[Reply] = ContextVar("reply")
# The budget's name of the request that a task is at; an address may stand behind a longer path.
ROUTE: ContextVar[str] = ContextVar("route", default="")


class Gated(Exchange):  # type: ignore[misc]  # ccxt carries no types
    """An exchange of ccxt that asks the gate first; mixed in before the exchange itself."""

    gate: Gate
    told_kline: Callable[[Told], None] | None = None
    told_opened: Callable[[str], None] | None = None
    told_lost: Callable[[str, str], None] | None = None

    def open(self, lazy: Any = False) -> None:
        """Open the session; aiohttp would send a GET again by itself, with no token for it."""
        super().open(lazy)
        if self.session is not None:
            self.session._retry_connection = False  # It has no public switch; a test watches it.

    def calculate_rate_limiter_cost(
        self, api: Any, method: Any, path: Any, params: Any, config: Any = None
    ) -> str:
        """Return the route, which is what a request costs here."""
        return f"{method} /{path}"

    async def throttle(self, cost: Any = None) -> None:
        """Wait for the budget; ccxt signs only afterwards, so no signature grows old here."""
        REPLY.get(Reply()).status = 0  # A call may be several requests.
        ROUTE.set(str(cost))
        await self.gate.acquire(str(cost))

    def on_rest_response(
        self, code: int, reason: Any, url: Any, method: Any, headers: Any, body: Any, *rest: Any
    ) -> Any:
        """Take in status and headers."""
        reply = REPLY.get(Reply())
        reply.route, reply.status, reply.headers = ROUTE.get(), code, headers
        self.gate.told(reply.route, code, headers)
        return super().on_rest_response(code, reason, url, method, headers, body, *rest)

    def parse_json(self, http_response: Any) -> Any:
        """Return the reply; what is no JSON at all would pass as an empty one."""
        parsed = super().parse_json(http_response)
        if parsed is None:
            raise BadResponse(f"{self.id} replied with no JSON")
        return parsed

    def on_connected(self, client: Any, message: Any = None) -> None:
        """Tell that a stream is open."""
        super().on_connected(client, message)
        if self.told_opened is not None:
            self.told_opened(client.url)

    def on_error(self, client: Any, error: Any) -> None:
        """Tell that a stream is lost."""
        super().on_error(client, error)
        if self.told_lost is not None:
            self.told_lost(client.url, str(error))

    def on_close(self, client: Any, error: Any) -> None:
        """Tell that a stream is lost."""
        super().on_close(client, error)
        if self.told_lost is not None:
            self.told_lost(client.url, f"closed ({error})")


def moved(addresses: Any, url: str) -> Any:
    """Return ccxt's tree of addresses at another host, paths kept: REST at `url`, streams beside.

    What is no address stays.
    """
    if isinstance(addresses, dict):
        return {name: moved(each, url) for name, each in addresses.items()}
    if not isinstance(addresses, str) or "://" not in addresses:
        return addresses
    scheme, _, rest = addresses.partition("://")
    path = rest.partition("/")[2]
    base = "ws" + url.removeprefix("http") if scheme.startswith("ws") else url
    return f"{base}/{path}".rstrip("/")
