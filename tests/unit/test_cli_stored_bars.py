"""`--symbol` of backtest and sweep: bars from the history trade as those of a file do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.venue.faults import VenueUnreachable
from cluster.database import database
from cluster.history import History
from cluster.instrument_book import InstrumentBook
from cluster.issues import IssueKind, IssueLog
from cluster.ledger import dataset_of
from engines.errors import Fault
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import HOUR_MS, Klines
from engines.series import PriceKind, SeriesKey
from serve.flags import BarFlags
from serve.studies import study_asked
from serve.sweep_flags import SweepFlags, request_of, restored
from serve.terms import markets_of
from tests.unit.bars import START_MS, STEP_MS, bars
from tests.unit.test_cli import printed
from tests.unit.test_cli_history import csv_of
from tests.unit.test_market_records import Listed

SYMBOL = "BTC/USDT:USDT"
KEY = SeriesKey("bybit", SYMBOL, STEP_MS)
COUNT = 3000


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'records.db'}")
    monkeypatch.setenv("PHALANX_HISTORY_URL", str(tmp_path / "history"))
    return History()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return csv_of(priced(0, COUNT), tmp_path / "BTCUSDT_15m.csv")


def priced(first: int, stop: int, symbol: str = SYMBOL) -> Klines:
    """Return bars whose prices lie on ticks, as a market's do."""
    made = bars(first, stop, symbol=symbol)
    names = ("open", "high", "low", "close")
    columns = {name: np.rint(getattr(made, name) * 100) / 100 for name in names}
    known = {"open_time_ms": made.open_time_ms, "volume": made.volume}
    return Klines.of_columns(symbol, made.interval_ms, columns | known)


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    code, out, err = printed(capsys, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def at(bar: int) -> str:
    return str(np.datetime64(START_MS + bar * STEP_MS, "ms"))


def test_stored_bars_give_the_run_that_their_file_gives(
    history: History, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, priced(0, COUNT))
    shared = ("backtest", "ema_crossover", "--interval", "15m", "--since", at(1200))
    of_file = asked(capsys, *shared, "--bars", file)["runs"][0]
    of_store = asked(capsys, *shared, "--symbol", SYMBOL, "--warm-up", 1200)["runs"][0]
    assert of_store["klines"]["sha256"] == of_file["klines"]["sha256"]
    assert of_store["trades"] == of_file["trades"]
    assert of_store["metrics"] == of_file["metrics"]
    # One dataset, hence one evaluation, whichever way it came.
    assert (of_file["trials_counted"], of_store["trials_counted"]) == (1, 1)


def test_the_same_bars_are_the_same_dataset_by_file_and_by_store(
    history: History, file: Path
) -> None:
    history.write(KEY, priced(0, COUNT))
    (by_file,) = markets_of([file], BarFlags())
    (by_store,) = markets_of((), BarFlags(symbol=[SYMBOL], interval="15m"))
    assert dataset_of(by_store.klines).sha256 == dataset_of(by_file.klines).sha256


def test_older_bars_that_come_later_do_not_change_a_run(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, priced(500, COUNT))
    command = ("backtest", "ema_crossover", "--symbol", SYMBOL, "--interval", "15m")
    flags = ("--since", at(1800), "--until", at(2500))
    before = asked(capsys, *command, *flags)["runs"][0]
    history.write(KEY, priced(0, 500))
    history.write(KEY, priced(COUNT, 4000))
    after = asked(capsys, *command, *flags)["runs"][0]
    assert before["klines"] == after["klines"]
    assert after["klines"]["bars"] == 1700


def test_each_symbol_is_a_market_of_its_own(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, priced(0, COUNT))
    other = SeriesKey("bybit", "ETH/USDT:USDT", STEP_MS)
    history.write(other, priced(0, 2000, "ETH/USDT:USDT"))
    flags = ("--symbol", SYMBOL, "--symbol", "ETH/USDT:USDT", "--interval", "15m")
    runs = asked(capsys, "backtest", "ema_crossover", *flags)["runs"]
    assert [run["klines"]["symbol"] for run in runs] == [SYMBOL, "ETH/USDT:USDT"]


def test_rules_are_those_that_the_venue_listed_unless_a_flag_says_another(
    history: History,
) -> None:
    history.write(KEY, priced(0, COUNT))
    listed = Instrument(symbol=SYMBOL, tick_size=0.05, qty_step=0.002, qty_min=0.004)
    with database() as engine:
        InstrumentBook(engine).record("bybit", {SYMBOL: Listed(listed)}, 1)
    (plain,) = markets_of((), BarFlags(symbol=[SYMBOL], interval="15m"))
    (flagged,) = markets_of((), BarFlags(symbol=[SYMBOL], interval="15m", tick_size=0.01))
    assert plain.instrument == listed
    assert (flagged.instrument.tick_size, flagged.instrument.qty_step) == (0.01, 0.002)


def test_stored_funding_and_mark_prices_are_charged_like_those_of_files(
    history: History,
) -> None:
    history.write(KEY, priced(0, COUNT))
    mark = SeriesKey("bybit", SYMBOL, STEP_MS, PriceKind.MARK)
    times = START_MS + 8 * HOUR_MS * np.arange(100, dtype=np.int64)
    history.write_funding("bybit", SYMBOL, Funding(times, np.full(100, 1e-4)))
    flags = BarFlags(symbol=[SYMBOL], interval="15m", funding=["stored"])
    (market,) = markets_of((), flags)
    assert market.funding is not None
    assert np.array_equal(market.funding.time_ms, times)
    marked = BarFlags(symbol=[SYMBOL], interval="15m", mark=["stored"])
    with pytest.raises(Fault, match="--mark stored: expected bars of bybit"):
        markets_of((), marked)
    history.write(mark, priced(0, COUNT))
    (market,) = markets_of((), marked)
    assert market.mark is not None
    assert market.mark.interval_ms == STEP_MS


class Venue:
    """Fetches bars into the history, or says why it cannot."""

    def __init__(self, history: History, last: int, fault: Fault | None = None) -> None:
        self.history, self.last, self.fault = history, last, fault
        self.asked: list[tuple[SeriesKey, int, int]] = []

    def sync(self, key: SeriesKey, since_ms: int, until_ms: int) -> list[str]:
        self.asked.append((key, since_ms, until_ms))
        if self.fault is not None:
            raise self.fault
        first, stop = ((ms - START_MS) // STEP_MS for ms in (since_ms, until_ms))
        self.history.write(key, priced(max(first, 0), min(stop, self.last)))
        return ["fetched"]


def flags_of(since: int | None, until: int | None, **others: Any) -> BarFlags:
    since_text, until_text = (None if bar is None else at(bar) for bar in (since, until))
    asked_for: dict[str, Any] = {"symbol": [SYMBOL], "interval": "15m"}
    return BarFlags(**asked_for, since=since_text, until=until_text, **others)


def test_what_is_missing_is_fetched_with_the_bars_that_warm_up(history: History) -> None:
    venue = Venue(history, last=COUNT)
    (market,) = markets_of((), flags_of(1500, 2500), venue.sync)
    assert venue.asked == [(KEY, START_MS + 500 * STEP_MS, START_MS + 2500 * STEP_MS)]
    assert len(market.klines) == 2000
    (again,) = markets_of((), flags_of(1500, 2500), venue.sync)
    assert len(venue.asked) == 1
    assert dataset_of(again.klines) == dataset_of(market.klines)


def test_bars_of_a_longer_interval_warm_up_by_as_many_of_theirs(history: History) -> None:
    venue = Venue(history, last=COUNT)
    (market,) = markets_of((), flags_of(1500, 2500, aggregate="1h", warm_up=100), venue.sync)
    assert venue.asked[0][1] == START_MS + 1100 * STEP_MS
    assert len(market.klines) == 350


def test_what_the_venue_does_not_have_is_noted_and_what_there_is_trades(
    history: History,
) -> None:
    venue = Venue(history, last=COUNT)
    (market,) = markets_of((), flags_of(-500, 2500), venue.sync)
    assert "there are no bars before 2025-01-01 00:00Z" in market.notes
    assert len(market.klines) == 2500


def test_a_venue_is_not_asked_again_for_what_it_does_not_have(history: History) -> None:
    history.write(KEY, priced(0, 1000))
    venue = Venue(history, last=COUNT)
    with database() as engine:
        absent = (START_MS - 1500 * STEP_MS, START_MS)
        IssueLog(engine).record_absent(KEY, [absent], 1)
    (market,) = markets_of((), flags_of(-500, 1000), venue.sync)
    assert (len(market.klines), venue.asked) == (1000, [])


def test_bars_missing_between_stored_ones_are_fetched_not_traded_across(history: History) -> None:
    history.write(KEY, priced(0, 700))
    history.write(KEY, priced(2000, COUNT))
    venue = Venue(history, last=COUNT)
    (market,) = markets_of((), flags_of(0, COUNT, warm_up=0), venue.sync)
    assert len(market.klines) == COUNT
    (everything,) = markets_of((), flags_of(None, None), venue.sync)
    assert len(everything.klines) == COUNT
    assert len(venue.asked) == 1


def test_a_run_warms_up_by_the_same_bars_whatever_was_stored_before_it(history: History) -> None:
    history.write(KEY, priced(1800, COUNT))
    venue = Venue(history, last=COUNT)
    (market,) = markets_of((), flags_of(1800, 2500), venue.sync)
    assert venue.asked == [(KEY, START_MS + 800 * STEP_MS, START_MS + 2500 * STEP_MS)]
    history.write(KEY, priced(0, 800))
    (again,) = markets_of((), flags_of(1800, 2500), venue.sync)
    assert dataset_of(again.klines) == dataset_of(market.klines)
    assert len(market.klines) == 1700


def test_bars_before_a_launch_are_not_asked_for(history: History) -> None:
    history.write(KEY, priced(100, COUNT))
    rules = Listed(Instrument(symbol=SYMBOL, tick_size=0.01, qty_step=0.001))
    launched = replace(rules, launched_ms=START_MS + 100 * STEP_MS)
    with database() as engine:
        InstrumentBook(engine).record("bybit", {SYMBOL: launched}, 1)
    venue = Venue(history, last=COUNT)
    (market,) = markets_of((), flags_of(500, 1000), venue.sync)
    assert (len(market.klines), venue.asked) == (900, [])


def test_a_row_that_was_rejected_is_not_fetched_again_by_every_run(history: History) -> None:
    history.write(KEY, priced(0, 700))
    history.write(KEY, priced(701, COUNT))
    with database() as engine:
        rejected = [(START_MS + 700 * STEP_MS, {"reason": "spike"})]
        IssueLog(engine).record(KEY, IssueKind.REJECTED, rejected, 1)
    venue = Venue(history, last=COUNT)
    markets_of((), flags_of(0, COUNT, warm_up=0), venue.sync)
    assert venue.asked == []


def test_without_a_venue_it_is_said_what_trades_without_one(history: History) -> None:
    history.write(KEY, priced(0, 1000))
    lost = Venue(history, last=COUNT, fault=VenueUnreachable("bybit", "an answer", "no network"))
    with pytest.raises(Fault) as raised:
        markets_of((), flags_of(500, 1500), lost.sync)
    said = str(raised.value)
    assert said.startswith("bybit BTC/USDT:USDT 15m: expected bars 2024-12-26 19:00Z to 2025-01-16")
    assert "found 2025-01-01 00:00Z to 2025-01-11 09:45Z, which trade without a venue" in said
    assert said.endswith("not fetched: bybit: expected an answer, found no network")
    with pytest.raises(Fault, match="11 09:45Z, which trade without a venue with --warm-up 500;"):
        markets_of((), flags_of(500, 1000), lost.sync)
    (market,) = markets_of((), flags_of(500, 1000, warm_up=500), lost.sync)
    assert len(market.klines) == 1000
    assert len(lost.asked) == 2
    (everything,) = markets_of((), flags_of(None, None), lost.sync)
    assert len(everything.klines) == 1000


def test_without_a_venue_it_is_said_which_bars_between_stored_ones_are_missing(
    history: History,
) -> None:
    history.write(KEY, priced(0, 700))
    history.write(KEY, priced(800, COUNT))
    lost = Venue(history, last=COUNT, fault=VenueUnreachable("bybit", "an answer", "no network"))
    with pytest.raises(Fault) as raised:
        markets_of((), flags_of(500, 1000, warm_up=0), lost.sync)
    assert (
        "found 2025-01-01 00:00Z to 2025-02-01 05:45Z without 2025-01-08 07:00Z to 2025-01-09 "
        "08:00Z, which trade without a venue where no --since or --until is given; not fetched: "
    ) in str(raised.value)
    (everything,) = markets_of((), flags_of(None, None), lost.sync)
    assert len(everything.klines) == COUNT - 100


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--symbol", "BTCUSDT"], "ccxt's unified form"),
        (["--symbol", SYMBOL, "--warm-up", "-1"], "--warm-up: expected"),
        (["--symbol", SYMBOL, "--since", "2999-01-01"], "--since: expected a time of the past"),
        (["--symbol", SYMBOL, "--venue", "By/bit"], "--venue: expected a name"),
        (["--symbol", SYMBOL, "--funding", "stored"], "expected some in"),
        (["--bars", "{file}", "--symbol", "A", "--symbol", "B"], "one beside --bars"),
        (["--bars", "{file}", "--venue", "bybit"], "--venue: expected stored bars"),
        ([], "expected --bars FILE, or --symbol"),
    ],
)
def test_flags_that_mean_nothing_are_refused(
    flags: list[str],
    said: str,
    file: Path,
    history: History,
    capsys: pytest.CaptureFixture[str],
) -> None:
    history.write(KEY, priced(0, 100))
    given = [flag.format(file=file) for flag in flags]
    code, _, err = printed(capsys, "backtest", "ema_crossover", "--interval", "15m", *given)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1


def test_a_symbol_that_is_not_listed_is_never_another_one(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.write(KEY, priced(0, 100))
    with database() as engine:
        rules = Instrument(symbol=SYMBOL, tick_size=0.1, qty_step=0.001)
        InstrumentBook(engine).record("bybit", {SYMBOL: Listed(rules)}, 1)
    command = ("backtest", "ema_crossover", "--symbol", "BTC/USD:USDT", "--interval", "15m")
    code, _, err = printed(capsys, *command)
    assert code == 2
    assert "did you mean BTC/USDT:USDT?" in err


def test_a_study_of_stored_bars_is_the_study_of_their_file(history: History, file: Path) -> None:
    history.write(KEY, priced(0, COUNT))
    grid: dict[str, Any] = {"study": "ema_crossover", "grid": ["fast=5:9:2"]}
    rules: dict[str, Any] = {"tick_size": 0.01, "qty_step": 0.001, "symbol": [SYMBOL]}
    by_file = SweepFlags(**grid, **rules, bars=[file])
    by_store = SweepFlags(**grid, **rules, interval="15m")
    ids = {
        study_asked(request_of(flags), causality_check=False).study.id
        for flags in (by_file, by_store)
    }
    assert len(ids) == 1


def test_a_study_file_may_name_one_symbol_or_several(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("strategy: ema_crossover\nsymbol: BTC/USDT:USDT\ngrid: fast=5:9:2\n")
    assert request_of(SweepFlags(study=str(path))).flags.symbol == [SYMBOL]
    path.write_text("strategy: ema_crossover\nsymbol: [A/B:B, C/D:D]\ngrid: fast=5:9:2\n")
    assert request_of(SweepFlags(study=str(path))).flags.symbol == ["A/B:B", "C/D:D"]


def test_a_manifest_of_before_holds_one_symbol_as_a_text() -> None:
    assert restored({"symbol": "BTCUSDT"}, SweepFlags()).symbol == ["BTCUSDT"]
