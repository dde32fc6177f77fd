"""Which venue, where: what the environment and `--venue` name."""

from typing import Any

import pytest

from actors.venue.bybit import open_bybit
from actors.venue.bybit_rules import BOOK
from actors.venue.gate import BudgetOwner, Gate
from actors.venue.hooks import moved
from actors.venue.opening import open_venue
from actors.venue.settings import endpoint, venue_settings
from cluster.settings import SettingsFault


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any setting."""
    monkeypatch.delenv("PHALANX_VENUE_URL")


@pytest.mark.parametrize(
    ("venue", "url", "name", "address"),
    [
        (None, None, "bybit", None),
        ("binance", None, "binance", None),
        ("sim", None, "sim", "http://127.0.0.1:8980"),
        ("sim", "http://127.0.0.1:1234/", "sim", "http://127.0.0.1:1234"),
        ("http://127.0.0.1:1234", None, "sim", "http://127.0.0.1:1234"),
        (None, "https://api.bytick.com", "bybit", "https://api.bytick.com"),
    ],
)
def test_a_name_or_an_address_says_whose_series_they_are(
    monkeypatch: pytest.MonkeyPatch,
    venue: str | None,
    url: str | None,
    name: str,
    address: str | None,
) -> None:
    if url is not None:
        monkeypatch.setenv("PHALANX_VENUE_URL", url)
    settings = venue_settings(venue)
    assert (settings.series_venue, settings.venue_url) == (name, address)


@pytest.mark.parametrize("venue", ["ftp://me:CANARY@host", "http://me:CANARY@", "me:CANARY@host"])
def test_an_address_that_cannot_be_used_is_named_without_its_password(venue: str) -> None:
    with pytest.raises(SettingsFault, match=r"venue: expected ") as caught:
        open_venue(venue_settings(venue))
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://me:CANARY@127.0.0.1:8980/v", "127.0.0.1:8980"),
        ("https://a.b", "a.b"),
        ("http://a:99999", ""),
    ],
)
def test_a_budget_is_named_after_host_and_port_alone(url: str, host: str) -> None:
    assert endpoint(url) == host


def opened(monkeypatch: pytest.MonkeyPatch, environment: str) -> tuple[str, Any]:
    """Return the name of the venue and the addresses that it would ask."""
    monkeypatch.setenv("PHALANX_VENUE_ENVIRONMENT", environment)
    venue = open_bybit(venue_settings(), Gate(BudgetOwner(BOOK), BOOK))
    exchange = venue._exchange
    public: str = exchange.implode_hostname(exchange.urls["api"]["public"])
    return venue.name, public


@pytest.mark.parametrize(
    ("environment", "name", "address"),
    [
        ("mainnet", "bybit", "https://api.bybit.com"),
        ("demo", "bybit", "https://api-demo.bybit.com"),
        ("testnet", "bybit-testnet", "https://api-testnet.bybit.com"),
    ],
)
def test_each_environment_has_its_host_and_the_test_market_its_name(
    monkeypatch: pytest.MonkeyPatch, environment: str, name: str, address: str
) -> None:
    assert opened(monkeypatch, environment) == (name, address)


def test_addresses_move_with_their_paths_and_streams_beside() -> None:
    tree = {
        "public": "https://api.{hostname}",
        "usdm": "https://fapi.venue.com/fapi/v1",
        "ws": {"public": {"linear": "wss://stream.{hostname}/v5/public/linear"}},
        "none": None,
    }
    assert moved(tree, "http://127.0.0.1:1") == {
        "public": "http://127.0.0.1:1",
        "usdm": "http://127.0.0.1:1/fapi/v1",
        "ws": {"public": {"linear": "ws://127.0.0.1:1/v5/public/linear"}},
        "none": None,
    }
    assert moved("wss://a/b", "https://c") == "wss://c/b"
