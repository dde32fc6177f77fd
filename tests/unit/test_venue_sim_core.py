"""The local Bybit without a socket: limits, routes, sessions and files, from call to answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venue_sim.bar_files import listings_of, unified
from actors.venue_sim.clock import VenueClock
from actors.venue_sim.core import VenueCore
from actors.venue_sim.keyring import PRACTICE_KEY, signature
from actors.venue_sim.limits import BAN_MS, IP_REQUESTS, IP_WINDOW_MS, SOCKETS, Limits
from actors.venue_sim.listing import Listing
from actors.venue_sim.sessions import PRIVATE, TRADE
from actors.venue_sim.wire import Request, number_text
from engines.errors import KlineFault
from engines.klines import MINUTE_MS
from engines.resample import aggregate
from engines.series import PriceKind
from tests.contract.venue_bench import BTC, QUARTER_MS, START_MS, listings, made_up

NOW_MS = START_MS + 100 * QUARTER_MS
CORE_LISTINGS = listings(300)


@pytest.fixture
def core() -> VenueCore:
    return VenueCore(CORE_LISTINGS)


def get(core: VenueCore, path: str, **query: str) -> dict[str, Any]:
    reply = core.respond(Request("GET", path, query=query), NOW_MS)
    assert reply.payload is not None
    return reply.payload


@settings(max_examples=50)
@given(steps=st.lists(st.integers(0, 30), min_size=1, max_size=60), burst=st.integers(1, 80))
def test_no_window_of_five_seconds_ever_admits_more_than_the_limit(
    steps: list[int], burst: int
) -> None:
    limits, now_ms = Limits(), 0
    admitted: list[int] = []
    for step in steps * 3:
        now_ms += step * 20
        admitted += [now_ms for _ in range(burst) if limits.admits("a", now_ms)]
    times = np.array(admitted)
    inside = np.searchsorted(times, times + IP_WINDOW_MS) - np.arange(len(times))
    assert inside.max() <= IP_REQUESTS


def test_a_ban_is_neither_lifted_early_nor_prolonged_by_asking() -> None:
    limits = Limits()
    assert all(limits.admits("a", 0) for _ in range(IP_REQUESTS))
    assert not limits.admits("a", 0)
    assert limits.admits("b", 0)
    assert not any(limits.admits("a", now_ms) for now_ms in range(0, BAN_MS, 60_000))
    assert limits.admits("a", BAN_MS)
    assert limits.bans == 1


def test_an_address_opens_so_many_sockets_in_five_minutes() -> None:
    limits = Limits()
    assert all(limits.admits_socket("a", 0) for _ in range(SOCKETS))
    assert not limits.admits_socket("a", 299_999)
    assert limits.admits_socket("a", 600_000)


def test_instruments_page_by_cursor(core: VenueCore) -> None:
    first = get(core, "/v5/market/instruments-info", category="linear", limit="1")["result"]
    assert [row["symbol"] for row in first["list"]] == ["BTCUSDT"]
    second = get(
        core,
        "/v5/market/instruments-info",
        category="linear",
        limit="1",
        cursor=first["nextPageCursor"],
    )["result"]
    assert [row["symbol"] for row in second["list"]] == ["ETHUSDT"]
    assert second["nextPageCursor"] == ""
    for category in ("inverse", "option"):
        reply = get(core, "/v5/market/instruments-info", category=category)
        assert reply["result"]["list"] == []


def test_a_market_that_has_not_begun_has_no_rows(core: VenueCore) -> None:
    early = START_MS - 1
    for path, query in (
        ("kline", {"interval": "15"}),
        ("recent-trade", {}),
        ("tickers", {}),
        ("funding/history", {}),
    ):
        request = Request(
            "GET", f"/v5/market/{path}", query={"category": "linear", "symbol": "BTCUSDT", **query}
        )
        reply = core.respond(request, early)
        assert reply.payload is not None and reply.payload["retCode"] == 0
        assert reply.payload["result"]["list"] == []


def test_a_get_with_a_body_is_forbidden(core: VenueCore) -> None:
    assert core.respond(Request("GET", "/v5/market/time", body="{}"), NOW_MS).status == 403


def test_methods_and_paths_that_are_not_there_are_no_routes(core: VenueCore) -> None:
    for method, path in (("POST", "/v5/market/time"), ("GET", "/v5/order/create"), ("GET", "/")):
        reply = core.respond(Request(method, path), NOW_MS)
        assert reply.ret_code == 10017


def auth(expires: int, secret: str = PRACTICE_KEY.secret) -> dict[str, Any]:
    sign = signature(secret, f"GET/realtime{expires}")
    return {"op": "auth", "args": [PRACTICE_KEY.key, expires, sign]}


def test_a_private_stream_tells_nothing_before_it_knows_whose_it_is(core: VenueCore) -> None:
    session = core.open(PRIVATE)

    def said(message: dict[str, Any]) -> dict[str, Any]:
        answer, *_ = core.receive(session, message, NOW_MS)
        assert answer.message is not None
        return answer.message

    assert said({"op": "subscribe", "args": ["order"]})["success"] is False
    assert said(auth(NOW_MS))["success"] is False  # it has expired
    assert said(auth(NOW_MS + 1, "guessed"))["success"] is False
    assert said({"op": "auth", "args": ["nobody", NOW_MS + 1, "x"]})["success"] is False
    assert said({"op": "auth"})["success"] is False
    assert said(auth(NOW_MS + 1))["success"] is True
    assert said({"op": "subscribe", "args": ["weather"]})["success"] is False
    assert said({"op": "subscribe", "args": ["order.linear", "wallet"]})["success"] is True
    assert session.topics == {"order.linear", "wallet"}
    assert said({"op": "unsubscribe", "args": ["wallet"]})["success"] is True
    assert session.topics == {"order.linear"}


def test_the_order_stream_refuses_by_the_same_codes_as_the_routes(core: VenueCore) -> None:
    session = core.open(TRADE)
    header = {"X-BAPI-TIMESTAMP": str(NOW_MS)}
    order = {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Market",
        "qty": "0.01",
    }

    def code(**message: Any) -> int:
        answer, *_ = core.receive(session, message, NOW_MS)
        assert answer.message is not None
        return int(answer.message["retCode"])

    create = {"op": "order.create", "header": header, "args": [order]}
    assert code(**create) == 10004
    assert code(**auth(NOW_MS + 1)) == 0
    assert code(**auth(NOW_MS + 1)) == 20001
    assert code(op="order.dance") == 10404
    assert code(**create, reqId="1") == 0
    assert code(**create, reqId="1") == 20006
    assert code(op="order.create", header=header, args=[]) == 10001
    assert code(op="order.create", header={"X-BAPI-TIMESTAMP": "1"}, args=[order]) == 10002
    assert code(op="order.create", header=header, args=[order | {"side": "Up"}]) == 10001
    codes = [code(**create) for _ in range(12)]
    assert codes[-1] == 10006
    answer, *_ = core.receive(session, create, NOW_MS)
    assert answer.message is not None
    assert answer.message["header"]["X-Bapi-Limit-Reset-Timestamp"] == str(NOW_MS + 1000)


def test_two_keys_of_one_account_see_the_same_and_of_two_do_not(core: VenueCore) -> None:
    one, other = core.traders.desk(1, NOW_MS), core.traders.desk(2, NOW_MS)
    assert one.account is core.traders.desk(1, NOW_MS).account
    assert one.account is not other.account


def test_the_clock_stands_runs_and_never_goes_back() -> None:
    clock = VenueClock(5000, speed=0)
    jumps: list[int] = []
    clock.listen(lambda: jumps.append(clock.now_ms()))
    clock.advance(10)
    clock.set(6000)
    assert jumps == [5010, 6000] and clock.now_ms() == 6000
    with pytest.raises(AssertionError, match="never goes back"):
        clock.set(5999)
    clock.run(1e6)
    assert clock.now_ms() > 6000


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (1e-05, "0.00001"), (105796.0, "105796"), (0.1 + 0.2, "0.30000000000000004")],
)
def test_numbers_are_written_as_the_shortest_decimal(value: float, text: str) -> None:
    assert number_text(value) == text


def write_bars(path: Path, bars: int, interval_ms: int, skip: int = 0) -> Path:
    klines = made_up(BTC, bars + skip, interval_ms).between(skip, bars + skip)
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    rows = zip(*(getattr(klines, name).tolist() for name in names), strict=True)
    lines = [",".join(names), *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_files_of_one_interval_are_joined_and_of_two_kept_apart(tmp_path: Path) -> None:
    files = [
        write_bars(tmp_path / "BTCUSDT_b.csv", 50, QUARTER_MS, skip=50),
        write_bars(tmp_path / "BTCUSDT_a.csv", 50, QUARTER_MS),
        write_bars(tmp_path / "BTCUSDT_1m.csv", 30, MINUTE_MS),
    ]
    (listing,) = listings_of([str(file) for file in files])
    assert listing.symbol == BTC
    assert [(k.interval_ms, len(k)) for k in listing.klines] == [(MINUTE_MS, 30), (QUARTER_MS, 100)]


def test_the_finest_series_that_divides_an_interval_makes_it() -> None:
    minutes, quarters = made_up(BTC, 120, MINUTE_MS), made_up(BTC, 300, seed=2)
    core = VenueCore([Listing(BTC, [minutes, quarters])])

    def opens(interval: str) -> float:
        query = {"symbol": "BTCUSDT", "interval": interval, "limit": "1"}
        request = Request("GET", "/v5/market/kline", query=query | {"start": str(START_MS)})
        reply = core.respond(request, NOW_MS)
        assert reply.payload is not None
        return float(reply.payload["result"]["list"][0][4])

    assert opens("15") == quarters.close[0]
    assert opens("60") == quarters.close[3]
    assert opens("5") == minutes.close[4]


def test_the_finest_bars_tell_what_happens_inside_the_longer_ones() -> None:
    # Quarters of three hours; of the second hour there are minutes too, which make them.
    whole = made_up(BTC, 180, MINUTE_MS)
    quarters = aggregate(whole, QUARTER_MS)
    core = VenueCore([Listing(BTC, [whole.between(60, 120), quarters])])
    listed = core.market.find("linear", "BTCUSDT")
    tape, played = listed.tape(PriceKind.LAST, "15"), listed.base_tape
    assert tape is not None and len(played) == 4 + 60 + 4
    for minute in range(60, 120):
        now_ms = START_MS + (minute + 1) * MINUTE_MS - 1
        bar, last = tape.last(now_ms), played.last(now_ms)
        assert bar is not None and last is not None
        assert bar.close == last.close == whole.close[minute]
        since = minute // 15 * 15
        assert bar.high == whole.high[since : minute + 1].max()
        assert bar.low == whole.low[since : minute + 1].min()
    assert [played.at(index, 2**42).close for index in (0, 67)] == [
        quarters.close[0],
        quarters.close[-1],
    ]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT", BTC),
        ("BTCUSDT.P", BTC),
        ("SOLUSDC", "SOL/USDC:USDC"),
        ("BTC/USDT", "BTC/USDT"),
        (BTC, BTC),
    ],
)
def test_markets_are_named_in_either_way(name: str, symbol: str) -> None:
    assert unified(name) == symbol


@pytest.mark.parametrize("name", ["BTC", "USDT", "BTC/EUR", "BTC/USDT:BTC", "/USDT"])
def test_a_name_that_is_no_market_is_a_fault(name: str) -> None:
    with pytest.raises(KlineFault, match="expected"):
        unified(name)


def test_a_listing_twice_without_bars_or_of_a_strange_interval_is_a_fault() -> None:
    klines = made_up(BTC, 10)
    with pytest.raises(KlineFault, match="expected once"):
        VenueCore([Listing(BTC, [klines]), Listing(BTC, [klines])])
    with pytest.raises(KlineFault, match="at least one series"):
        VenueCore([Listing(BTC, [])])
    with pytest.raises(KlineFault, match="one of Bybit's intervals"):
        VenueCore([Listing(BTC, [made_up(BTC, 10, 7 * MINUTE_MS)])])


def test_every_answer_can_be_written_as_json(core: VenueCore) -> None:
    for path in ("time", "tickers", "instruments-info"):
        json.dumps(get(core, f"/v5/market/{path}", category="linear"))
