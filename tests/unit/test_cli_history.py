"""`phalanx data`: what is imported, listed, judged, trimmed and exported, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cluster.database import database
from cluster.history import History
from cluster.instrument_book import InstrumentBook
from cluster.issues import IssueLog
from cluster.kline_files import read_klines
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import Klines
from engines.series import FundingKey, PriceKind, SeriesKey
from tests.unit.bars import NOW_MS, START_MS, STEP_MS, bars, same
from tests.unit.test_cli import printed
from tests.unit.test_market_records import Listed

SYMBOL = "BTC/USDT:USDT"
KEY = SeriesKey("bybit", SYMBOL, STEP_MS)
NAMES = ("open_time_ms", "open", "high", "low", "close", "volume")


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """Return a history of the test's own, with a database beside it."""
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'records.db'}")
    monkeypatch.setenv("PHALANX_HISTORY_URL", str(tmp_path / "history"))
    return History()


def csv_of(klines: Klines, path: Path, **changed: dict[int, object]) -> Path:
    """Write bars as CSV, some cells of some columns changed."""
    columns = {name: getattr(klines, name).tolist() for name in NAMES}
    for name, cells in changed.items():
        for row, value in cells.items():
            columns[name][row] = value
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(NAMES), *lines]) + "\n")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return csv_of(bars(0, 3000), tmp_path / "BTCUSDT_15m.csv")


def imported(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    code, out, err = printed(capsys, "data", "import", *arguments, "--json")
    assert code in (0, 1), err
    return code, json.loads(out)


def test_a_file_is_imported_once_however_often(
    file: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = printed(capsys, "data", "import", file, "--symbol", SYMBOL)
    assert code == 0
    assert out.startswith("bybit BTC/USDT:USDT 15m: 3,000 new, 0 as stored")
    _, again = imported(capsys, file, "--symbol", SYMBOL)
    assert (again["added"], again["equal"]) == (0, 3000)
    assert same(history.read(KEY), bars(0, 3000))


def test_bad_rows_are_left_out_counted_and_shown(
    tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv_of(
        bars(0, 3000),
        tmp_path / "BTCUSDT.csv",
        close={10: "NaN"},
        high={20: 1.0, 30: 500.0},
        low={40: 0.5},
        open_time_ms={51: START_MS + 50 * STEP_MS},
    )
    code, out, err = printed(capsys, "data", "import", path, "--symbol", SYMBOL)
    assert code == 1
    assert "2,995 new" in out
    assert "5 rejected" in out
    for said in ("not a number", "inconsistent", "spike", "duplicate"):
        assert f" {said}: open " in err
    assert len(history.read(KEY)) == 2995
    code, out, _ = printed(capsys, "data", "check", "--until", "2025-02-01", "--json")
    (series,) = json.loads(out)["series"]
    assert (code, series["is_sound"]) == (0, True)
    assert series["gaps"][0]["bars_missing"] == 1
    assert {issue["kind"] for issue in series["issues"]} == {"rejected"}
    assert len(series["issues"]) == 5


def test_a_wider_limit_keeps_a_bar_that_moved_far(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = csv_of(bars(0, 3000), tmp_path / "BTCUSDT.csv", high={30: 150.0})
    assert imported(capsys, path, "--symbol", SYMBOL)[1]["rejected"][0]["rule"] == "spike"
    code, found = imported(capsys, path, "--symbol", SYMBOL, "--spike", "90%")
    assert (code, found["added"], found["rejected"]) == (0, 1, [])


def test_files_may_overlap_and_come_in_any_order(
    tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    late = csv_of(bars(1000, 3000), tmp_path / "late.csv")
    early = csv_of(bars(0, 1500), tmp_path / "early.csv")
    _, found = imported(capsys, late, early, "--symbol", SYMBOL)
    assert found["notes"] == ["500 rows are there twice with the same values"]
    assert same(history.read(KEY), bars(0, 3000))


def test_other_values_than_stored_are_shown_and_kept_out_unless_asked_for(
    tmp_path: Path, file: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(capsys, file, "--symbol", SYMBOL)
    other = csv_of(bars(0, 10, high_at={5: 0.25}), tmp_path / "other.csv")
    code, found = imported(capsys, other, "--symbol", SYMBOL)
    assert (code, len(found["corrections"])) == (1, 1)
    assert same(history.read(KEY), bars(0, 3000))
    code, out, _ = printed(capsys, "data", "check", "--until", "2025-02-01")
    assert code == 1
    assert "1 correction" in out
    code, found = imported(capsys, other, "--symbol", SYMBOL, "--correct")
    assert (code, len(found["corrections"])) == (0, 1)
    assert same(history.read(KEY), bars(0, 3000, high_at={5: 0.25}))
    assert printed(capsys, "data", "check", "--until", "2025-02-01")[0] == 0


def test_mark_prices_and_funding_are_series_of_their_own(
    tmp_path: Path, file: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(capsys, file, "--symbol", SYMBOL, "--price", "mark")
    rates = tmp_path / "BTCUSDT_funding.csv"
    rows = [f"{START_MS + 28_800_000 * n},{0.0001 * n!r}" for n in range(9)]
    rates.write_text("\n".join(["funding_time_ms,funding_rate", *rows]))
    imported(capsys, rates, "--symbol", SYMBOL, "--funding")
    assert history.keys() == [SeriesKey("bybit", SYMBOL, STEP_MS, PriceKind.MARK)]
    assert history.funding_keys() == [FundingKey("bybit", SYMBOL)]
    code, out, _ = printed(capsys, "data", "list")
    assert code == 0
    assert "15m mark" in out
    assert "funding" in out
    _, out, _ = printed(capsys, "data", "list", "--price", "mark", "--json")
    (series,) = json.loads(out)["series"]
    assert (series["rows"], series["first"]) == (3000, "2025-01-01 00:00Z")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_is_exported_is_read_back_as_the_same_doubles(
    suffix: str, tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = bars(0, 3000, turnover=True)
    history.write(KEY, stored)
    out = tmp_path / f"BTCUSDT.{suffix}"
    code, said, _ = printed(
        capsys, "data", "export", SYMBOL, "--interval", "15m", "--since", "2025-01-02", "--to", out
    )
    assert code == 0
    assert "2,904 rows, 2025-01-02 00:00Z" in said
    assert same(read_klines(out, SYMBOL, None, NOW_MS).klines, stored.between(96, 3000))


def test_turnover_that_some_bars_lack_is_said_to_be_left_out(
    tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, bars(0, 1000, turnover=True))
    history.write(KEY, bars(1000, 1001))
    out = ("--interval", "15m", "--to", tmp_path / "BTCUSDT.csv")
    code, _, err = printed(capsys, "data", "export", SYMBOL, *out)
    assert (code, err) == (0, "note: turnover left out: 1 of 1,001 bars do not have it\n")
    _, said, err = printed(capsys, "data", "export", SYMBOL, *out, "--since", "2025-01-11T10:00")
    assert (said[:28], err) == ("bybit BTC/USDT:USDT 15m: 1 r", "")
    traded = ("--symbol", SYMBOL, "--interval", "15m", "--tick-size", 0.01, "--qty-step", 0.001)
    code, _, err = printed(capsys, "backtest", "ema_crossover", *traded)
    assert code == 0, err
    assert "turnover left out: 1 of 1,001 bars do not have it" in err


def test_funding_is_exported_as_it_was_imported(
    tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    path, again = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text("funding_time_ms,funding_rate\n1735689600000,0.0001\n1735718400000,-0.00005\n")
    imported(capsys, path, "--symbol", SYMBOL, "--funding")
    assert printed(capsys, "data", "export", SYMBOL, "--funding", "--to", again)[0] == 0
    stored = history.read_funding("bybit", SYMBOL)
    imported(capsys, again, "--symbol", "ETH/USDT:USDT", "--funding")
    copied = history.read_funding("bybit", "ETH/USDT:USDT")
    assert np.array_equal(stored.time_ms, copied.time_ms)
    assert np.array_equal(stored.rate, copied.rate)


def test_a_trim_keeps_what_the_limits_say_and_a_dry_run_keeps_all(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, bars(-200, 3000))
    code, out, err = printed(capsys, "data", "trim", "--since", "2025-01-01", "--dry-run")
    assert (code, len(history.read(KEY))) == (0, 3200)
    assert "200 would go" in err
    assert "bybit BTC/USDT:USDT 15m" in out
    _, out, _ = printed(capsys, "data", "trim", "--since", "2025-01-01", "--json")
    assert json.loads(out)["trimmed"] == [{"series": str(KEY), "rows": 200}]
    assert same(history.read(KEY), bars(0, 3000))


def test_the_usual_limits_of_a_trim_are_settings(
    history: History, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    history.write(KEY, bars(-200, 3000))
    monkeypatch.setenv("PHALANX_HISTORY_DAYS", "99999")
    _, out, _ = printed(capsys, "data", "trim", "--dry-run", "--json")
    assert json.loads(out)["before"] == "2025-01-01 00:00Z"
    monkeypatch.setenv("PHALANX_HISTORY_SINCE", "2025-01-02")
    _, out, _ = printed(capsys, "data", "trim", "--dry-run", "--json")
    assert json.loads(out)["trimmed"][0]["rows"] == 296
    monkeypatch.setenv("PHALANX_HISTORY_DAYS", "none")
    code, _, err = printed(capsys, "data", "trim")
    assert code == 2
    assert "PHALANX_HISTORY_DAYS" in err


def test_a_check_shows_the_gaps_in_a_table_and_in_pictures(
    tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, bars(0, 1000))
    history.write(KEY, bars(2000, 3000))
    page = tmp_path / "deep" / "check.html"
    code, out, _ = printed(capsys, "data", "check", "--until", "2025-02-01T06:00", "--out", page)
    assert code == 1
    assert "█" * 19 in out
    assert "·" * 19 in out
    assert "66.67% of 3,000" in out
    assert "FINDING" in out
    text = page.read_text()
    assert "2025-01-11 10:00Z to 2025-01-21 20:00Z: 1,000 rows missing" in text
    assert text.count('class="gap"') == 1
    assert "<script" not in text
    assert "default-src 'none'" in text


def test_settlements_are_judged_as_bars_are(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    times = START_MS + 28_800_000 * np.delete(np.arange(93, dtype=np.int64), [20, 21])
    history.write_funding("bybit", SYMBOL, Funding(times, np.full(91, 1e-4)))
    code, out, _ = printed(capsys, "data", "check", "--until", "2025-02-01", "--json")
    (series,) = json.loads(out)["series"]
    assert (code, series["kind"], series["rows"], series["findings"]) == (0, "funding", 91, [])
    code, out, _ = printed(capsys, "data", "check", "--until", "2025-02-03")
    assert code == 1
    assert "1, first after 2025-01-07 08:00Z" in out
    assert "staleness" in out
    (path,) = Path(history.shown).rglob("2025-01.parquet")
    path.write_bytes(b"PAR1")
    code, out, _ = printed(capsys, "data", "check", "--json")
    (series,) = json.loads(out)["series"]
    assert series["findings"] == ["damaged files", "no rows"]


def test_bars_that_the_venue_lacks_are_known_and_not_expected(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, bars(0, 1000))
    history.write(KEY, bars(2000, 2976))
    since_ms, until_ms = START_MS + 900 * STEP_MS, START_MS + 1900 * STEP_MS
    with database() as engine:
        IssueLog(engine).record_absent(KEY, [(since_ms, until_ms)], 1)
    code, out, _ = printed(capsys, "data", "check", "--until", "2025-02-01", "--json")
    (series,) = json.loads(out)["series"]
    assert (series["absent"], series["bars_expected"]) == (900, 2076)
    assert (code, series["findings"]) == (0, [])


def test_a_damaged_file_is_found_by_list_and_check_and_named_by_export(
    tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, bars(0, 5000))
    (path,) = Path(history.shown).rglob("2025-01.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    _, out, _ = printed(capsys, "data", "list")
    assert "damaged: 2025-01" in out
    code, out, _ = printed(capsys, "data", "check", "--json")
    (series,) = json.loads(out)["series"]
    assert code == 1
    assert series["damaged"][0]["month"] == "2025-01"
    code, _, err = printed(
        capsys, "data", "export", SYMBOL, "--interval", "15m", "--to", tmp_path / "a.csv"
    )
    assert code == 2
    assert str(path) in err


def test_rows_that_others_put_there_are_judged_too(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, bars(0, 2976))
    (path,) = Path(history.shown).rglob("2025-01.parquet")
    table = parquet.read_table(path).to_pandas()
    table.loc[7, "high"] = 1.0
    parquet.write_table(pa.Table.from_pandas(table, preserve_index=False), path)
    code, out, _ = printed(capsys, "data", "check", "--until", "2025-02-01")
    assert code == 1
    assert "1 inconsistent" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "{file}", "--symbol", "BTCUSDT"], "ccxt's unified form, BTC/USDT:USDT"),
        (["import", "{file}", "--symbol", "ETH/USDT:USDT"], "found one of BTCUSDT by its name"),
        (["import", "{file}", "--symbol", SYMBOL, "--interval", "1h"], "bars usually 15m apart"),
        (["import", "{file}", "--symbol", SYMBOL, "--interval", "1M"], "interval"),
        (["import", "{file}", "--symbol", SYMBOL, "--price", "index"], "--price: expected last"),
        (["import", "{file}", "--symbol", SYMBOL, "--venue", "../x"], "--venue: expected a name"),
        (["import", "{file}", "--symbol", SYMBOL, "--spike", "0"], "--spike: expected a ratio"),
        (["import", "none.csv", "--symbol", SYMBOL], "no such file"),
        (["export", SYMBOL, "--interval", "15m", "--to", "a.csv"], "found none"),
        (["export", SYMBOL, "--to", "a.csv"], "--interval: expected the interval"),
        (["list", "BTC/USD:USDT"], "symbol: expected one stored in"),
        (["check", "--since", "2025-02-01", "--until", "2025-01-01"], "--until: expected a time"),
        (["trim", "--days", "0"], "--days: expected a whole number from 1"),
        (["trim", "--days", "99999999"], "--days: expected a whole number from 1 to 100000"),
        (["trim", "--since", "2999-01-01"], "--since: expected a time of the past"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    arguments: list[str], said: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [argument.format(file=file) for argument in arguments]
    code, out, err = printed(capsys, "data", *given)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "flags", [["--venue", "nope"], ["--interval", "1h"], [SYMBOL, "--price", "mark"]]
)
@pytest.mark.parametrize("command", ["check", "list", "trim", "repair"])
def test_flags_that_name_nothing_stored_are_not_sound_but_refused(
    command: str, flags: list[str], history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, bars(0, 10))
    code, out, err = printed(capsys, "data", command, *flags)
    assert (code, out) == (2, "")
    assert " ".join(flags[-2:]) in err
    assert f"expected a series stored in {history.shown}, found none" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("typed", ["BTCUSDT", "BTC/USDT", "BTC/USD:USDT"])
def test_a_symbol_that_is_not_stored_is_answered_with_the_one_that_may_be_meant(
    typed: str, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, bars(0, 10))
    code, _, err = printed(capsys, "data", "list", typed)
    assert code == 2
    assert "did you mean BTC/USDT:USDT?" in err


def test_a_symbol_that_the_venue_does_not_list_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with database() as engine:
        rules = Instrument(symbol=SYMBOL, tick_size=0.1, qty_step=0.001)
        InstrumentBook(engine).record("bybit", {SYMBOL: Listed(rules)}, 1)
    file = csv_of(bars(0, 100), tmp_path / "bars.csv")
    code, _, err = printed(capsys, "data", "import", file, "--symbol", "BTC/USDD:USDT")
    assert code == 2
    assert "one that bybit lists" in err
    assert "did you mean BTC/USDT:USDT?" in err


def test_bars_of_a_symbol_that_the_venue_lists_no_more_are_imported(
    file: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = {
        symbol: Listed(Instrument(symbol=symbol, tick_size=0.1, qty_step=0.001))
        for symbol in (SYMBOL, "ETH/USDT:USDT")
    }
    with database() as engine:
        book = InstrumentBook(engine)
        book.record("bybit", listed, 1)
        del listed[SYMBOL]
        book.record("bybit", listed, 2)
    assert imported(capsys, file, "--symbol", SYMBOL)[1]["added"] == 3000
