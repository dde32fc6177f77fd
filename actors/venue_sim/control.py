"""The control routes: a process without a handle drives the clock and the faults over HTTP.

    GET    /control                                  what the venue is doing, in numbers
    POST   /control/clock   {"advance_ms": 900000} | {"set_ms": ...} | {"speed": 60}
    POST   /control/faults  {"kind": "socket-cut", "times": 1, "where": "kline"}
                          | {"probability": 0.1, "kinds": ["delay", "server-error"], "where": ""}
    DELETE /control/faults

They are no part of Bybit, count in no limit and are served only beside it, on the same port, and
to this machine alone. No web page can use them: a body must be declared as JSON, which a page of
another origin may not do, and the host be an address or localhost, not a name that was rebound.
"""

import ipaddress
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.core import VenueCore
from actors.venue_sim.faults import FaultKind
from actors.venue_sim.wire import Payload, Reply, Request

PREFIX = "/control"
TIME_MAX_MS, SPEED_MAX = 10**13 - 1, 100_000


class Control:
    """Answers the control routes of one venue."""

    def __init__(self, core: VenueCore, clock: VenueClock) -> None:
        self._core = core
        self._clock = clock

    def respond(self, request: Request) -> Reply:
        """Return the answer; a wrong request is HTTP 400 with a sentence."""
        acts = {
            ("GET", PREFIX): self._summary,
            ("POST", f"{PREFIX}/clock"): self._drive,
            ("POST", f"{PREFIX}/faults"): self._arm,
            ("DELETE", f"{PREFIX}/faults"): self._clear,
        }
        act = acts.get((request.method, request.path))
        if act is None:
            return Reply(status=404, text="no such control route: see GET /control")
        if (reason := _stranger(request)) is not None:
            return Reply(status=403, text=f"control: {reason}")
        try:
            wanted = json.loads(request.body or "{}")
            if not isinstance(wanted, dict):
                raise ValueError("a JSON object is expected")
            act(wanted)
        except (ValueError, TypeError, OverflowError) as error:
            return Reply(status=400, text=f"control: {error}")
        return Reply(self._state())

    def _summary(self, wanted: Mapping[str, Any]) -> None:
        """Change nothing."""

    def _drive(self, wanted: Mapping[str, Any]) -> None:
        if "speed" in wanted:
            speed = float(wanted["speed"])
            if not 0 <= speed <= SPEED_MAX:
                raise ValueError(f"speed is a number from 0 to {SPEED_MAX}")
            self._clock.run(speed)
        elif "advance_ms" in wanted:
            by_ms = int(wanted["advance_ms"])
            if by_ms < 0:
                raise ValueError("the clock never goes back")
            self._set(self._clock.now_ms() + by_ms)
        elif "set_ms" in wanted:
            time_ms = int(wanted["set_ms"])
            if time_ms < self._clock.now_ms():
                raise ValueError("the clock never goes back")
            self._set(time_ms)
        else:
            raise ValueError("advance_ms, set_ms or speed is expected")

    def _set(self, time_ms: int) -> None:
        if time_ms > TIME_MAX_MS:
            raise ValueError(f"the clock goes up to {TIME_MAX_MS}, the year 2286")
        self._clock.set(time_ms)

    def _arm(self, wanted: Mapping[str, Any]) -> None:
        where = str(wanted.get("where", ""))
        if "kind" in wanted:
            times = int(wanted.get("times", 1))
            if times < 1:
                raise ValueError("times is 1 or more")
            self._core.faults.next(FaultKind(wanted["kind"]), times, where)
            return
        probability = float(wanted["probability"]) if "probability" in wanted else -1.0
        if not 0 <= probability <= 1:
            raise ValueError("kind, or a probability from 0 to 1 with kinds, is expected")
        kinds = [FaultKind(kind) for kind in wanted.get("kinds", list(FaultKind))]
        self._core.faults.at_random(probability, kinds, where)

    def _clear(self, wanted: Mapping[str, Any]) -> None:
        self._core.faults.clear()

    def _state(self) -> Payload:
        core = self._core
        return {
            "retCode": 0,
            "now_ms": self._clock.now_ms(),
            "speed": self._clock.speed,
            "markets": [f"{category} {name}" for category, name in core.market.listed],
            "requests": len(core.seen),
            "statuses": Counter(str(one.status) for one in core.seen),
            "requests_in_window_max": core.limits.in_window_max,
            "bans": core.limits.bans,
            "faults": {str(kind): count for kind, count in core.faults.counts.items()},
            "sessions": len(core.streams.sessions) + len(core.private.sessions),
        }


def _stranger(request: Request) -> str | None:
    """Return why a request is not from this machine's own programs, None if it is."""
    if not _is_address(request.ip) or not ipaddress.ip_address(request.ip).is_loopback:
        return "only this machine may drive the venue"
    host = urlsplit(f"//{request.headers.get('HOST', '')}").hostname or ""
    if host != "localhost" and not _is_address(host):
        return f"the host must be an address or localhost, not {host!r}"
    kind = request.headers.get("CONTENT-TYPE", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != "application/json":
        return "Content-Type: application/json is expected"
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
