"""Whatever is sent to the local Bybit, it answers with an envelope and never falls over."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venue_sim.core import VenueCore
from actors.venue_sim.keyring import PRACTICE_KEY, signature
from actors.venue_sim.routes import PUBLIC, READING, TRADING
from actors.venue_sim.sessions import PRIVATE, TRADE
from actors.venue_sim.wire import Request
from tests.contract.venue_bench import QUARTER_MS, START_MS, listings

NOW_MS = START_MS + 100 * QUARTER_MS
LISTINGS = listings(200)


def one_word_of(text: str) -> st.SearchStrategy[str]:
    """Draw one of the words of a text."""
    return st.sampled_from(text.split())


WORDS = one_word_of(
    """
    linear spot BTCUSDT ETHUSDT USDT Buy Sell Limit Market 0 1 2 3 15 M 0.01 90000 Full
    Partial UNIFIED order StopOrder GTC LastPrice MarkPrice true PostOnly 1735689600000
    1735776000000
    """
)
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([-1, 0, 10**30, "1e400", "1e-400", "NaN", "-0"])
)
VALUES = st.one_of(WORDS, NUMBERS, st.text(max_size=8), st.none(), st.booleans(), st.just([1]))
NAMES = one_word_of(
    """
    category symbol interval start end limit cursor baseCoin settleCoin side orderType
    qty price timeInForce orderLinkId orderId reduceOnly triggerPrice triggerDirection
    triggerBy takeProfit stopLoss tpslMode positionIdx buyLeverage sellLeverage mode coin
    trailingStop activePrice tpSize slSize startTime endTime openOnly orderFilter
    execType status accountType marketUnit tpLimitPrice slLimitPrice orderStatus
    """
)
LIKELY = {"category": "linear", "symbol": "BTCUSDT", "interval": "15", "accountType": "UNIFIED"}
ORDER = LIKELY | {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "80000"}
FIELDS = st.dictionaries(NAMES, VALUES, max_size=6)


def signed(method: str, path: str, query_text: str, body: str) -> Request:
    stamp = str(NOW_MS)
    sent = query_text if method == "GET" else body
    sign = signature(PRACTICE_KEY.secret, f"{stamp}{PRACTICE_KEY.key}5000{sent}")
    headers = {
        "X-BAPI-API-KEY": PRACTICE_KEY.key,
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-SIGN": sign,
    }
    return Request(method, path, query_text, {}, headers, body)


@settings(max_examples=60)
@given(path=st.sampled_from([*PUBLIC, *READING]), fields=FIELDS, is_likely=st.booleans())
def test_any_query_is_answered(path: str, fields: dict[str, Any], is_likely: bool) -> None:
    core = VenueCore(LISTINGS)
    query = {name: str(value) for name, value in fields.items()}
    query = LIKELY | query if is_likely else query
    request = signed("GET", path, urlencode(query), "")
    asked = Request("GET", path, request.query_text, query, request.headers)
    reply = core.respond(asked, NOW_MS)
    assert reply.status == 200 and isinstance(reply.ret_code, int)
    json.dumps(reply.payload)


@settings(max_examples=60)
@given(
    path=st.sampled_from(list(TRADING)),
    fields=FIELDS,
    is_likely=st.booleans(),
    waits=st.integers(0, 5 * QUARTER_MS),
)
def test_any_body_is_answered_and_the_account_lives_on(
    path: str, fields: dict[str, Any], is_likely: bool, waits: int
) -> None:
    core = VenueCore(LISTINGS)
    for body in (ORDER, fields, ORDER | fields if is_likely else fields):
        route = "/v5/order/create" if body is ORDER else path
        reply = core.respond(signed("POST", route, "", json.dumps(body)), NOW_MS)
        assert reply.status == 200 and isinstance(reply.ret_code, int)
        json.dumps(reply.payload)
    told = core.private.tick(NOW_MS + waits)
    assert told == []  # nobody listens
    assert core.traders.desk(1, NOW_MS + waits).worth.equity("USDT") > 0


MESSAGES = st.dictionaries(
    st.sampled_from(["op", "args", "req_id", "reqId", "header", "data"]),
    st.one_of(
        st.sampled_from(["subscribe", "unsubscribe", "ping", "auth", "order.create", "login"]),
        st.lists(st.one_of(WORDS, NUMBERS, st.just("kline.15.BTCUSDT"), FIELDS), max_size=4),
        FIELDS,
        st.none(),
    ),
    max_size=4,
)


@settings(max_examples=40)
@given(messages=st.lists(MESSAGES, max_size=6), is_known=st.booleans())
def test_any_message_is_answered(messages: list[dict[str, Any]], is_known: bool) -> None:
    core = VenueCore(LISTINGS)
    for kind in ("linear", "spot", PRIVATE, TRADE):
        session = core.open(kind)
        session.key = PRACTICE_KEY if is_known and kind in (PRIVATE, TRADE) else None
        for message in messages:
            said = core.receive(session, message, NOW_MS)
            assert said and all(item.message is not None for item in said)
            json.dumps([item.message for item in said])
        json.dumps([item.message for item in core.tick(NOW_MS + QUARTER_MS)])


EXTREMES = [
    *("1" + "0" * 30, "9223372036854775808", "9" * 400, "1e400", "1e-400", "NaN", "Infinity"),
    *("-1", "", " 1", "1_000", "\u0661", 10**30, 1e308, float("nan"), float("inf"), -1, 0),
    *(True, None, [1], {"a": 1}),
]
TIMES_AND_COUNTS = ("start", "end", "startTime", "endTime", "limit", "cursor", "openOnly", "coin")
SIZES_AND_LEVELS = (
    *("qty", "price", "takeProfit", "stopLoss", "triggerPrice", "trailingStop", "activePrice"),
    *("tpSize", "positionIdx", "mode", "buyLeverage", "orderLinkId", "orderId", "symbol"),
)


@pytest.mark.parametrize("extreme", EXTREMES, ids=lambda value: repr(value)[:20])
def test_extreme_values_are_answered(extreme: Any) -> None:
    core = VenueCore(LISTINGS)
    core.limits.is_enforced = False
    core.respond(signed("POST", "/v5/order/create", "", json.dumps(ORDER)), NOW_MS)
    for path in (*PUBLIC, *READING):
        for name in TIMES_AND_COUNTS:
            query = LIKELY | {name: str(extreme), "end": str(extreme)}
            request = signed("GET", path, urlencode(query), "")
            asked = Request("GET", path, request.query_text, query, request.headers)
            assert core.respond(asked, NOW_MS).status == 200
    for path in TRADING:
        for name in SIZES_AND_LEVELS:
            body = ORDER | {"sellLeverage": extreme, "triggerDirection": 1} | {name: extreme}
            reply = core.respond(signed("POST", path, "", json.dumps(body)), NOW_MS)
            assert reply.status == 200
    core.private.tick(NOW_MS + QUARTER_MS)
