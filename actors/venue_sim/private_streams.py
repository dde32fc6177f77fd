"""The private WebSocket streams, and the one that takes orders.

Theory. A session proves whose it is by signing "GET/realtime" and an expiry under its key; before
that it is told nothing and may order nothing. What an account tells (`Traders.news`) goes to every
session of its uid that hears the topic, all-in-one (`order`) or by category (`order.linear`). The
order stream is the REST routes in another envelope, with the same rules, counts and refusals.
Source: Bybit v5, "WebSocket Stream", Connect, Authentication; "Websocket Trade Guideline".
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from actors.venue_sim.faults import Faults
from actors.venue_sim.keyring import RECV_WINDOW_MS, Keyring, admit, check_window, signature
from actors.venue_sim.limits import Allowance, Throttled
from actors.venue_sim.sessions import (
    PRIVATE,
    Message,
    Outgoing,
    Session,
    answer,
    deliver,
    invalid_op,
    names_of_topics,
)
from actors.venue_sim.traders import Told, Traders
from actors.venue_sim.wire import PARAMETER_ERROR, SIGN_WRONG, Payload, Refused

CATEGORISED = ("order", "execution", "execution.fast", "position")
TOPICS = frozenset(
    [*CATEGORISED, "wallet"]
    + [f"{topic}.{category}" for topic in CATEGORISED for category in ("linear", "spot")]
)
OPS = {
    "order.create": "/v5/order/create",
    "order.amend": "/v5/order/amend",
    "order.cancel": "/v5/order/cancel",
}
OP_UNKNOWN, AUTH_TWICE, REQUEST_TWICE = 10404, 20001, 20006

# The route's path, the session's uid, the body and the time; the result and what is left.
Act = Callable[[str, int, Mapping[str, Any], int], tuple[Payload, Allowance]]


class PrivateStreams:
    """All private and trade sessions."""

    def __init__(self, keyring: Keyring, traders: Traders, faults: Faults, act: Act) -> None:
        self._keyring = keyring
        self._traders = traders
        self._faults = faults
        self._act = act
        self.sessions: dict[int, Session] = {}

    def open(self, session: Session) -> None:
        """Take a new session in."""
        self.sessions[session.session_id] = session

    def close(self, session_id: int) -> None:
        """Forget a session whose socket is gone."""
        self.sessions.pop(session_id, None)

    def receive(self, session_id: int, message: Message, now_ms: int) -> list[Outgoing]:
        """Return the answers to what a client sent, and what they caused."""
        session = self.sessions.get(session_id)
        if session is None or session.is_silent:
            return []
        if session.category == PRIVATE:
            said = self._on_private(session, message, now_ms)
        else:
            said = self._on_trade(session, message, now_ms)
        return [Outgoing(session_id, said), *self.tick(now_ms)]

    def tick(self, now_ms: int) -> list[Outgoing]:
        """Return what has happened in the accounts, to those who hear it."""
        return [
            sent
            for uid, told in self._traders.news(now_ms)
            for item in told
            for session in self.sessions.values()
            if session.uid == uid and session.category == PRIVATE
            for name in (item.topic, f"{item.topic}.{item.category}")
            if name in session.topics
            for sent in deliver(session, name, _message(name, item, session, now_ms), self._faults)
        ]

    def _on_private(self, session: Session, message: Message, now_ms: int) -> Payload:
        op = message.get("op")
        if op == "ping":
            pong = {"op": "pong", "args": [str(now_ms)], "conn_id": session.conn_id}
            return pong | {"req_id": str(message.get("req_id", ""))}
        if op == "auth":
            try:
                self._authenticate(session, message, now_ms)
            except Refused as refused:
                return answer(session, message, "auth", refused.message, is_success=False)
            return answer(session, message, "auth")
        names = names_of_topics(message)
        if op == "unsubscribe":
            session.topics -= set(names)
            return answer(session, message, "unsubscribe")
        if op != "subscribe":
            return invalid_op(session, message)
        if session.uid is None:
            text = "Request not authorized"
            return answer(session, message, "subscribe", text, is_success=False)
        unknown = [name for name in names if name not in TOPICS]
        if unknown or not names:
            text = f"error:handler not found,topic:{', '.join(unknown)}"
            return answer(session, message, "subscribe", text, is_success=False)
        session.topics |= set(names)
        return answer(session, message, "subscribe")

    def _on_trade(self, session: Session, message: Message, now_ms: int) -> Payload:
        op = str(message.get("op", ""))
        if op == "ping":
            return {
                "retCode": 0,
                "retMsg": "OK",
                "op": "pong",
                "data": [str(now_ms)],
                "connId": session.conn_id,
            }
        try:
            if op == "auth":
                if session.uid is not None:
                    raise Refused(AUTH_TWICE, "Repeat auth")
                self._authenticate(session, message, now_ms)
                return _trade_answer(session, message, 0, "OK")
            return self._ordered(session, message, op, now_ms)
        except Refused as refused:
            said = _trade_answer(session, message, refused.ret_code, refused.message)
            if isinstance(refused, Throttled):
                said["header"] = _header(refused.left, now_ms)
            return said if op == "auth" else said | {"data": {}}

    def _ordered(self, session: Session, message: Message, op: str, now_ms: int) -> Payload:
        if session.key is None:
            raise Refused(SIGN_WRONG, "Request not authorized")
        admit(session.key, session.ip, writes=True)
        if op not in OPS:
            raise Refused(OP_UNKNOWN, "op type is not found")
        request_id = str(message.get("reqId", ""))
        if request_id and request_id in session.request_ids:
            raise Refused(REQUEST_TWICE, "Duplicate reqId")
        session.request_ids.append(request_id)
        header, body = _header_and_body(message)
        window = str(header.get("X-BAPI-RECV-WINDOW") or RECV_WINDOW_MS)
        check_window(str(header.get("X-BAPI-TIMESTAMP", "")), window, now_ms)
        result, left = self._act(OPS[op], session.key.uid, body, now_ms)
        said = _trade_answer(session, message, 0, "OK")
        return said | {"data": result, "retExtInfo": {}, "header": _header(left, now_ms)}

    def _authenticate(self, session: Session, message: Message, now_ms: int) -> None:
        args = message.get("args")
        if not isinstance(args, list) or len(args) != 3:
            raise Refused(PARAMETER_ERROR, "Params Error")
        name, expires, sign = (str(item) for item in args)
        key = self._keyring.known(name)
        if not expires.isdecimal() or int(expires) <= now_ms:
            raise Refused(PARAMETER_ERROR, "Params Error: expires is in the past")
        if not hmac.compare_digest(signature(key.secret, f"GET/realtime{expires}"), sign):
            raise Refused(SIGN_WRONG, "Request not authorized - sign error")
        admit(key, session.ip, writes=False)
        session.key = key


def _message(name: str, told: Told, session: Session, now_ms: int) -> Payload:
    message: Payload = {"topic": name, "creationTime": now_ms, "data": told.rows}
    if told.topic != "execution.fast":
        message["id"] = f"{session.uid}-{told.topic}-{now_ms}"
    return message


def _header(left: Allowance, now_ms: int) -> Payload:
    return {**left.headers(), "Traceid": "", "Timenow": str(now_ms)}


def _trade_answer(session: Session, message: Message, ret_code: int, text: str) -> Payload:
    said: Payload = {
        "retCode": ret_code,
        "retMsg": text,
        "op": str(message.get("op", "")),
        "connId": session.conn_id,
    }
    if "reqId" in message:
        said["reqId"] = str(message["reqId"])
    return said


def _header_and_body(message: Message) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the two parts of an order message.

    Raises: Refused for another shape.
    """
    header, args = message.get("header"), message.get("args")
    if isinstance(header, Mapping) and isinstance(args, list) and len(args) == 1:
        body = args[0]
        if isinstance(body, Mapping):
            return header, body
    raise Refused(PARAMETER_ERROR, "header and one item of args are required")
