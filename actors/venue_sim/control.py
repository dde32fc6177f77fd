"""The control routes: a process without a handle drives the clock and the faults over HTTP.

    GET    /control                                  what the venue is doing, in numbers
    POST   /control/clock   {"advance_ms": 900000} | {"set_ms": ...} | {"speed": 60}
    POST   /control/faults  {"kind": "socket-cut", "times": 1, "where": "kline"}
                          | {"probability": 0.1, "kinds": ["delay", "server-error"], "where": ""}
    DELETE /control/faults

They are no part of Bybit, count in no limit and are served only beside it, on the same port.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.core import VenueCore
from actors.venue_sim.faults import FaultKind
from actors.venue_sim.wire import Payload, Reply, Request

PREFIX = "/control"


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
        try:
            wanted = json.loads(request.body or "{}")
            if not isinstance(wanted, dict):
                raise ValueError("a JSON object is expected")
            act(wanted)
        except (ValueError, TypeError) as error:
            return Reply(status=400, text=f"control: {error}")
        return Reply(self._state())

    def _summary(self, wanted: Mapping[str, Any]) -> None:
        """Change nothing."""

    def _drive(self, wanted: Mapping[str, Any]) -> None:
        if "speed" in wanted:
            speed = float(wanted["speed"])
            if not (math.isfinite(speed) and speed >= 0):
                raise ValueError("speed is a number, zero or more")
            self._clock.run(speed)
        elif "advance_ms" in wanted:
            by_ms = int(wanted["advance_ms"])
            if by_ms < 0:
                raise ValueError("the clock never goes back")
            self._clock.advance(by_ms)
        elif "set_ms" in wanted:
            time_ms = int(wanted["set_ms"])
            if time_ms < self._clock.now_ms():
                raise ValueError("the clock never goes back")
            self._clock.set(time_ms)
        else:
            raise ValueError("advance_ms, set_ms or speed is expected")

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
