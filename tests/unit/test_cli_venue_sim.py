"""`phalanx venue-sim` as a user types it: what it serves, says and refuses."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.venue.settings import SIM_URL
from engines.synthetic import synthetic_klines
from serve.cli import run
from serve.commands.venue_sim import VenueSimFlags
from tests.patience import PATIENCE_S

BARS = 400


def write_bars(path: Path, *, bars: int = BARS, interval_ms: int = 900_000) -> Path:
    klines = synthetic_klines(bars, interval_ms, 4)
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    columns = [getattr(klines, name).tolist() for name in names]
    rows = [",".join(map(repr, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("bars") / "BTCUSDT_15m.csv")


@pytest.fixture(scope="module")
def venue(bars: Path) -> Iterator[dict[str, Any]]:
    """Run the command in a process of its own and return what it says of itself."""
    arguments = ["venue-sim", "--bars", str(bars), "--bars", f"ETH/USDT={bars}"]
    arguments += ["--port", "0", "--speed", "0", "--json"]
    started = subprocess.Popen(
        [sys.executable, "-m", "serve.cli", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        line = started.stdout.readline()
        assert line, "the venue ended before it said where it is"
        text += line
    yield json.loads(text)
    started.send_signal(signal.SIGINT)
    assert started.wait(10) == 0
    started.stdout.close()


def asked(url: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, content, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
        return json.load(reply)


def test_it_serves_the_markets_of_the_files(venue: dict[str, Any]) -> None:
    assert venue["symbols"] == ["BTC/USDT:USDT", "ETH/USDT"]
    url = f"{venue['rest']}/v5/market/kline?category=linear&symbol=BTCUSDT&interval=60&limit=3"
    rows = asked(url)["result"]["list"]
    assert len(rows) == 3 and int(rows[0][0]) <= venue["now_ms"] < int(rows[0][0]) + 3_600_000


def test_clock_and_faults_are_driven_over_http(venue: dict[str, Any]) -> None:
    control = venue["control"]
    before = asked(control)["now_ms"]
    assert asked(f"{control}/clock", {"advance_ms": 5000})["now_ms"] == before + 5000
    time_url = f"{venue['rest']}/v5/market/time"
    assert asked(time_url)["time"] == before + 5000
    assert asked(f"{control}/clock", {"set_ms": before + 9000})["now_ms"] == before + 9000
    asked(f"{control}/faults", {"kind": "server-error"})
    with pytest.raises(urllib.error.HTTPError, match="503"):
        asked(time_url)
    asked(f"{control}/faults", {"probability": 1, "kinds": ["busy"], "where": "time"})
    with pytest.raises(urllib.error.HTTPError, match="429"):
        asked(time_url)
    state = asked(f"{control}/faults", method="DELETE")
    assert state["faults"] == {"server-error": 1, "busy": 1}
    assert asked(time_url)["retCode"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"advance_ms": -1}),
        ("clock", {"set_ms": 1}),
        ("clock", {"speed": -2}),
        ("clock", {}),
        ("clock", {"advance_ms": float("inf")}),
        ("clock", {"advance_ms": 1e30}),
        ("clock", {"set_ms": 10**20}),
        ("clock", {"speed": 1e30}),
        ("faults", {"kind": "plague"}),
        ("faults", {"kind": "delay", "times": 0}),
        ("faults", {"probability": 2}),
        ("faults", {}),
        ("faults", ["delay"]),
    ],
)
def test_a_wrong_control_request_is_refused(
    venue: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        asked(f"{venue['control']}/{path}", body)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--port", "99999"], "--port: expected 0 to 65535"),
        (["--speed", "-1"], "--speed: expected a number, zero or more"),
        (["--speed", "nan"], "--speed: expected a number"),
        (["--faults", "2"], "--faults: expected a share"),
        (["--faults", "0.1:plague"], "--faults: expected kinds of"),
        (["--at", "soon"], "--at: expected a time"),
        (["--seed", "-1"], "--seed: expected zero or more"),
        (["--mark", "ETHUSDT=none.csv"], "mark of ETH/USDT:USDT: expected a market with bars"),
        (["--bars", "nothing.csv"], "market: expected BTC/USDT:USDT, BTC/USDT (spot) or BTCUSDT"),
        (["--bars", "DOGEUSDT_15m.csv"], "no such file"),
    ],
)
def test_a_wrong_flag_is_said_in_one_sentence(
    bars: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert run(["venue-sim", "--bars", str(bars), *flags]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_it_listens_where_the_venue_sim_is_looked_for() -> None:
    assert f"http://{VenueSimFlags.host}:{VenueSimFlags.port}" == SIM_URL


def test_a_port_in_use_is_said_in_one_sentence(
    bars: Path, venue: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    port = venue["rest"].rpartition(":")[2]
    assert run(["venue-sim", "--bars", str(bars), "--port", port]) == 2
    assert "--host and --port: expected an address that is free" in capsys.readouterr().err
