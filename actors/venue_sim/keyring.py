"""Who asks: API keys, and whether a request is signed by one and in time.

Theory. The signature is HMAC-SHA256, in hexadecimal, of timestamp + key + recv_window + what was
sent (the query text of a GET, the body of a POST) under the key's secret. The timestamp must lie in
[server time - recv_window, server time + 1 s). Judged in this order: headers there (HTTP 401), key
known (10003), in time (10002), signature right (10004), address bound (10010), key alive (33004),
allowed to write (10005).
Source: Bybit v5, "Integration Guidance", Authentication; error codes.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from actors.venue_sim.wire import (
    KEY_INVALID,
    OUTSIDE_WINDOW,
    PERMISSION_DENIED,
    SIGN_WRONG,
    Refused,
    Request,
)

RECV_WINDOW_MS, AHEAD_MS = 5_000, 1_000
IP_UNMATCHED, KEY_EXPIRED = 10010, 33004


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of an account; several keys may share a `uid`."""

    key: str
    secret: str = field(repr=False)
    uid: int = 1
    is_read_only: bool = False
    is_expired: bool = False
    ips: tuple[str, ...] = ()


# What `phalanx venue-sim` and tests sign with where they name no other.
PRACTICE_KEY = ApiKey("phalanx-practice-key", "phalanx-practice-secret")


class Unsigned(Exception):
    """A private route was asked without the headers that sign a request."""


class Keyring:
    """The keys that the venue has given out."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self.keys = {key.key: key for key in keys}

    def check(self, request: Request, now_ms: int) -> ApiKey:
        """Return the key that signed a request.

        Raises: Unsigned, Refused.
        """
        headers = request.headers
        names = ("X-BAPI-API-KEY", "X-BAPI-TIMESTAMP", "X-BAPI-SIGN")
        if not all(headers.get(name) for name in names):
            raise Unsigned
        key_name, timestamp, sign = (headers[name] for name in names)
        window = headers.get("X-BAPI-RECV-WINDOW", "") or str(RECV_WINDOW_MS)
        key = self.known(key_name)
        check_window(timestamp, window, now_ms)
        sent = request.query_text if request.method == "GET" else request.body
        origin = timestamp + key_name + window + sent
        if not hmac.compare_digest(signature(key.secret, origin), sign):
            raise Refused(SIGN_WRONG, f"error sign! origin_string[{origin}]")
        admit(key, request.ip, writes=request.method == "POST")
        return key

    def known(self, name: str) -> ApiKey:
        """Return the key of a name.

        Raises: Refused if the venue never gave it out.
        """
        key = self.keys.get(name)
        if key is None:
            raise Refused(KEY_INVALID, "API key is invalid.")
        return key


def admit(key: ApiKey, ip: str, *, writes: bool) -> None:
    """Raise Refused for what a key may not do, over REST and over sockets alike."""
    if key.ips and ip not in key.ips:
        message = "Unmatched IP, please check your API key's bound IP addresses."
        raise Refused(IP_UNMATCHED, message)
    if key.is_expired:
        raise Refused(KEY_EXPIRED, "Your api key has expired.")
    if key.is_read_only and writes:
        message = "Permission denied, please check your API key permissions."
        raise Refused(PERMISSION_DENIED, message)


def signature(secret: str, text: str) -> str:
    """Return what signs a text under a secret."""
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def check_window(timestamp: str, window: str, now_ms: int) -> None:
    """Raise Refused for a time of request that is too old or ahead of the venue's."""
    try:
        sent_ms, window_ms = int(timestamp), int(window)
    except ValueError:
        raise Refused(OUTSIDE_WINDOW, f"invalid timestamp[{timestamp}]") from None
    if not now_ms - window_ms <= sent_ms < now_ms + AHEAD_MS:
        raise Refused(
            OUTSIDE_WINDOW,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{sent_ms}],server_timestamp[{now_ms}],recv_window[{window_ms}]",
        )
