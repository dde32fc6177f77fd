"""One socket as the venue knows it, what it is sent, and how a message to it fails.

Faults of a stream fall on single messages of topics, never on acknowledgements, so that a test
knows what it is subscribed to. A silent session hears nothing more, pongs included; a cut one is
silent until its socket is gone.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.venue_sim.faults import STREAM_KINDS, FaultKind, Faults
from actors.venue_sim.keyring import ApiKey
from actors.venue_sim.wire import Payload

PRIVATE, TRADE = "private", "trade"
OF_MESSAGES = STREAM_KINDS - {FaultKind.LATE_CORRECTION, FaultKind.CONFIRM_MISSING}
OF_CLOSES = OF_MESSAGES | {FaultKind.CONFIRM_MISSING}

REQUEST_IDS_MAX = 1_000  # a later repetition of a reqId is not noticed

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One thing for the shell to do: send a message to a session, or cut it (`message` None)."""

    session_id: int
    message: Payload | None


@dataclass(slots=True)
class Session:
    """One socket: what it is for (a category, private or trade), what it hears, whose it is."""

    session_id: int
    category: str
    topics: set[str] = field(default_factory=set)
    ip: str = "127.0.0.1"
    key: ApiKey | None = None
    is_silent: bool = False
    held: Payload | None = None  # a late message waits for the one behind it
    request_ids: deque[str] = field(default_factory=lambda: deque(maxlen=REQUEST_IDS_MAX))

    @property
    def uid(self) -> int | None:
        """Return whose the session is, None before it is authorised."""
        return None if self.key is None else self.key.uid

    @property
    def conn_id(self) -> str:
        """Return the venue's name of the connection."""
        return f"sim-{self.category}-{self.session_id}"


def answer(
    session: Session, message: Message, op: str, text: str = "", *, is_success: bool = True
) -> Payload:
    """Return the acknowledgement of an operation."""
    return {
        "success": is_success,
        "ret_msg": text,
        "conn_id": session.conn_id,
        "req_id": str(message.get("req_id", "")),
        "op": op,
    }


def invalid_op(session: Session, message: Message) -> Payload:
    """Return the answer to an operation that the venue does not know."""
    return {
        "success": False,
        "ret_msg": "error:invalid op",
        "conn_id": session.conn_id,
        "request": {"op": str(message.get("op", "")), "args": message.get("args")},
    }


def names_of_topics(message: Message) -> list[str]:
    """Return the topics that an operation names."""
    args = message.get("args")
    return [str(name) for name in args] if isinstance(args, list) else []


def deliver(
    session: Session, name: str, message: Payload, faults: Faults, *, closes_bar: bool = False
) -> list[Outgoing]:
    """Return a message of a topic to one session, as the faults leave it."""
    if session.is_silent:
        return []
    fault = faults.draw(name, OF_CLOSES if closes_bar else OF_MESSAGES)
    if fault is FaultKind.SOCKET_CUT:
        session.is_silent = True
        return [Outgoing(session.session_id, None)]
    if fault is FaultKind.SOCKET_SILENT:
        session.is_silent = True
        return []
    if fault is FaultKind.CONFIRM_MISSING:
        return []
    if fault is FaultKind.MESSAGE_LATE and session.held is None:
        session.held = message
        return []
    messages = [message] * (2 if fault is FaultKind.MESSAGE_TWICE else 1)
    if session.held is not None:
        messages.append(session.held)
        session.held = None
    return [Outgoing(session.session_id, one) for one in messages]
