"""Every documented code of Bybit is a typed fault, and no fault tells a secret."""

import asyncio
import json
import pickle
import time
from typing import Any

import pytest
from ccxt.base import errors as ccxt_errors

from actors.venue import binance, faults
from actors.venue.bybit_codes import BY_CODE, kind_of_code, kind_of_status
from actors.venue.calls import Caller, Refusals, _wait_s
from actors.venue.faults import RefusedUnnamed, VenueFault
from actors.venue.hooks import Reply
from tests.parity.truth import TRUTH, needs_truth

BYBIT = Refusals(kind_of_code, kind_of_status, ("retCode", "retMsg"))
KINDS = [
    kind
    for kind in vars(faults).values()
    if isinstance(kind, type) and issubclass(kind, VenueFault) and kind is not VenueFault
]


def documented() -> list[tuple[str, str]]:
    """Return the codes of the venue's page, with their family."""
    path = TRUTH / "bybit_v5_protocol" / "error_codes.json"
    families: dict[str, list[list[str]]] = json.loads(path.read_text()) if path.exists() else {}
    return [
        (family, row[0].strip("~"))
        for family, rows in families.items()
        for row in rows
        if family != "HTTP Code" and row[0] != "0"
    ]


@needs_truth
def test_every_documented_code_has_a_kind() -> None:
    codes = documented()
    assert len(codes) > 700
    assert [at for at in codes if kind_of_code(at[1]) is RefusedUnnamed] == []


@needs_truth
def test_no_table_names_a_code_of_an_order_that_is_not_documented() -> None:
    known = {code for _, code in documented()}
    assert BY_CODE.keys() - known == {"-1021"}  # ccxt's own list


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("10001", faults.RequestRefused),
        ("10002", faults.ClockWrong),
        ("10003", faults.KeysRefused),
        ("10004", faults.KeysRefused),
        ("10006", faults.RateLimited),
        ("10016", faults.VenueUnreachable),
        ("10018", faults.AddressLimited),
        ("10027", faults.AccountRefused),
        ("10005", faults.PermissionRefused),
        ("110001", faults.OrderUnknown),
        ("170143", faults.OrderUnknown),
        ("110007", faults.FundsShort),
        ("110043", faults.NothingChanged),
        ("110072", faults.OrderDuplicate),
        ("110094", faults.OrderRefused),
        ("170213", faults.OrderUnknown),
        ("148019", faults.ProductRefused),
        ("999999", RefusedUnnamed),
    ],
)
def test_codes_that_matter_are_what_they_should_be(code: str, kind: type[VenueFault]) -> None:
    assert kind_of_code(code) is kind


def test_only_what_may_succeed_unchanged_is_retried_and_only_keys_and_accounts_halt() -> None:
    retried = {kind for kind in KINDS if kind.is_retryable}
    halting = {kind for kind in KINDS if kind.halts}
    assert retried == {
        faults.VenueUnreachable,
        faults.VenueResting,
        faults.RateLimited,
        faults.AddressLimited,
        faults.ClockWrong,
    }
    assert halting == {faults.KeysRefused, faults.RegionRefused, faults.AccountRefused}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_crosses_process_borders_whole(kind: type[VenueFault]) -> None:
    sent = kind("bars of X", kind.wanted, "HTTP 503", "10016", 250)
    come = pickle.loads(pickle.dumps(sent))
    assert type(come) is kind
    assert str(come) == f"bars of X: expected {kind.wanted}, found HTTP 503"
    assert (come.code, come.wait_ms) == ("10016", 250)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (
            ccxt_errors.ExchangeError('bybit {"retCode":10006,"retMsg":"Too many"}'),
            200,
            "RateLimited",
        ),
        (ccxt_errors.ExchangeNotAvailable("bybit GET x 403 Forbidden"), 403, "AddressBanned"),
        (ccxt_errors.BadResponse("bybit replied with no JSON"), 200, "VenueUnreachable"),
        (ccxt_errors.BadResponse("bybit replied with no JSON"), 403, "AddressBanned"),
        (ccxt_errors.BadResponse("bybit replied with no JSON"), 502, "VenueUnreachable"),
        (ccxt_errors.RequestTimeout("bybit GET x"), 0, "VenueUnreachable"),
        (ccxt_errors.ExchangeError("bybit GET x"), 200, "VenueUnreachable"),
        (ccxt_errors.BadSymbol("bybit does not have market symbol X"), 0, "SymbolRefused"),
        (ccxt_errors.NotSupported("bybit x() is not supported yet"), 0, "RequestRefused"),
        (ccxt_errors.ExchangeError('bybit {"retCode":424242,"retMsg":"?"}'), 200, "RefusedUnnamed"),
        (ccxt_errors.InvalidOrder('bybit {"retCode":424242,"retMsg":"?"}'), 200, "OrderRefused"),
    ],
)
def test_code_then_status_then_ccxts_class_decide(error: Exception, status: int, kind: str) -> None:
    code, _ = BYBIT.said(error)
    assert BYBIT.kind(code, status, error).__name__ == kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [("-1121", "SymbolRefused"), ("-2015", "KeysRefused"), ("-7", "RefusedUnnamed")],
)
def test_binances_codes_are_typed_too(code: str, kind: str) -> None:
    assert binance.kind_of_code(code).__name__ == kind
    assert binance.kind_of_status(418) is faults.AddressBanned
    assert binance.kind_of_status(200) is None


def test_a_key_that_the_venue_repeats_is_not_repeated_here() -> None:
    caller = Caller(_nobody(), BYBIT, ("CANARY-KEY", "CANARY-SECRET", ""))
    text = "error sign! origin_string[1700CANARY-KEY5000] CANARY-SECRET " + "x" * 500
    fault = caller._fault(
        "wallet",
        ccxt_errors.AuthenticationError(f"bybit {json.dumps({'retCode': 10004, 'retMsg': text})}"),
        Reply(),
    )
    assert isinstance(fault, faults.KeysRefused)
    assert "CANARY" not in repr(fault) + str(fault)
    assert "origin_string[1700***5000]" in str(fault)
    assert len(fault.found) <= 200


def test_a_reply_that_ccxt_stumbles_over_is_a_venue_that_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.venue.calls.ATTEMPTS_AT_FIRST", 2)
    asked = 0

    async def stumble() -> int:
        nonlocal asked
        asked += 1
        return int(dict[str, str]().get("time"))  # type: ignore[arg-type]  # as ccxt does

    caller = Caller(_nobody(), BYBIT, ())
    with pytest.raises(faults.VenueUnreachable, match=r"time: expected .* found TypeError: int"):
        asyncio.run(caller.ask("time", stumble))
    assert asked == 2


def test_an_account_that_was_halted_stays_so_whatever_else_was_under_way() -> None:
    caller = Caller(_nobody(), BYBIT, ())
    caller.clock.learn(*[time.time_ns() // 1_000_000] * 3)
    is_halted = asyncio.Event()

    async def refused() -> None:
        raise faults.KeysRefused("wallet", "keys", "none", "10003")

    async def slow() -> None:
        await is_halted.wait()
        raise faults.LimitReached("order", "fewer", "500", "110020")

    async def scene() -> None:
        under_way = asyncio.create_task(caller.ask_signed("order", slow))
        await asyncio.sleep(0)
        with pytest.raises(faults.KeysRefused):
            await caller.ask_signed("wallet", refused)
        is_halted.set()
        with pytest.raises(faults.LimitReached):
            await under_way
        with pytest.raises(faults.KeysRefused):
            await caller.ask_signed("order", slow)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "code", ["10005", "110125", "110132", "110136", "170209", "170348", "170358", "170359"]
)
def test_what_one_contract_or_permission_lacks_does_not_halt_the_account(code: str) -> None:
    assert not kind_of_code(code).halts


@pytest.mark.parametrize(("seconds", "is_tried_again"), [("300", True), ("3600", False)])
def test_an_hours_wait_is_told_rather_than_waited(seconds: str, is_tried_again: bool) -> None:
    caller = Caller(_nobody(), BYBIT, ())
    error = ccxt_errors.RateLimitExceeded("bybit GET x 429")
    fault = caller._fault("bars of X", error, Reply("GET /x", 429, {"retry-after": seconds}))
    assert isinstance(fault, faults.RateLimited)
    assert fault.wait_ms == int(seconds) * 1000
    assert bool(_wait_s(fault)) is is_tried_again
    assert ("asked again in 60 minutes" in str(fault)) is not is_tried_again


def _nobody() -> Any:
    return None
