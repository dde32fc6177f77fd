"""Funding histories in the forms that people have them, and what is refused of them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from cluster.funding_files import read_funding, require_coverage
from engines.errors import PlanFault
from engines.klines import HOUR_MS

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"
START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
STEP_MS = 8 * HOUR_MS
TIMES = [START_MS + i * STEP_MS for i in range(4)]
RATES = [0.0001, -0.00005, 0.0, 0.000125]


def csv_of(header: str, rows: Sequence[tuple[object, ...]]) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def bybit_reply(symbol: str = "BTCUSDT") -> str:
    rows = [
        {"symbol": symbol, "fundingRate": str(rate), "fundingRateTimestamp": str(time)}
        for time, rate in zip(TIMES, RATES, strict=True)
    ]
    reply = {"retCode": 0, "result": {"category": "linear", "list": rows[::-1]}}
    return json.dumps(reply)


FORMS = {
    "ours": csv_of("funding_time_ms,funding_rate", list(zip(TIMES, RATES, strict=True))),
    "time and rate": csv_of("time_ms,rate", list(zip(TIMES, RATES, strict=True))),
    "Bybit's reply": bybit_reply(),
    "ccxt": json.dumps(
        [
            {"symbol": "BTC/USDT:USDT", "fundingRate": rate, "timestamp": time, "info": {}}
            for time, rate in zip(TIMES, RATES, strict=True)
        ]
    ),
    "Binance's archive": csv_of(
        "calc_time,funding_interval_hours,last_funding_rate",
        [(time + 7, 8, rate) for time, rate in zip(TIMES, RATES, strict=True)],
    ),
    "dates": csv_of(
        "date;fundingRate",
        [],
    )
    + "".join(
        f"2025-01-0{1 + i // 3} {i % 3 * 8:02}:00:00+00:00;{rate}\n" for i, rate in enumerate(RATES)
    ),
    "newest first": csv_of(
        "fundingRateTimestamp,fundingRate", list(zip(TIMES, RATES, strict=True))[::-1]
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_history(form: str, tmp_path: Path) -> None:
    path = tmp_path / "funding"
    path.write_text(FORMS[form], encoding="utf-8")
    found = read_funding([path], "BTCUSDT")
    assert found.funding.time_ms.tolist() == TIMES
    assert found.funding.rate.tolist() == RATES
    assert (found.interval_ms, found.notes) == (STEP_MS, ())


def test_columnar_files_are_read(tmp_path: Path) -> None:
    times = pa.array(TIMES, pa.timestamp("ms", tz="UTC"))
    table = pa.table({"fundingTime": times, "fundingRate": RATES})
    parquet.write_table(table, tmp_path / "a.parquet")
    feather.write_feather(table, str(tmp_path / "a.feather"))
    for name in ("a.parquet", "a.feather"):
        assert read_funding([tmp_path / name], "BTCUSDT").funding.time_ms.tolist() == TIMES


def test_files_that_follow_each_other_are_joined(tmp_path: Path) -> None:
    header, *rows = FORMS["ours"].splitlines()
    parts = [tmp_path / "b.csv", tmp_path / "a.csv"]
    parts[0].write_text("\n".join([header, *rows[2:]]))
    parts[1].write_text("\n".join([header, *rows[:2]]))
    assert read_funding(parts, "BTCUSDT").funding.time_ms.tolist() == TIMES
    with pytest.raises(PlanFault, match=r"b\.csv: expected to start after the end of"):
        read_funding([parts[0], parts[0]], "BTCUSDT")


def test_a_hole_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    times = [TIMES[0] + i * STEP_MS for i in range(10) if i not in (4, 5)]
    path.write_text(csv_of("time_ms,rate", [(time, 0.0001) for time in times]))
    (note,) = read_funding([path], "BTCUSDT").notes
    assert note.startswith("funding: 1 step longer than the usual 8h")
    assert note.endswith("first after 2025-01-02 00:00Z")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty file"),
        ("time_ms,rate\n", "at least one settlement, found none"),
        ("time_ms,price\n1,2\n", "a column fundingRate, found time_ms, price"),
        ("when,rate\n1,2\n", "a column of times, found when, rate"),
        (f"time_ms,rate\n{TIMES[0]}\n", "row 1 of .*2 columns, found 1"),
        (f"time_ms,rate\n{TIMES[0]},much\n", "funding rate 1 of .*found 'much'"),
        (f"time_ms,rate\n{TIMES[0]},nan\n", "a ratio between -1 and 1, found 'nan'"),
        (f"time_ms,rate\n{TIMES[0]},5\n", "a ratio between -1 and 1, found '5'"),
        ("time_ms,rate\nsoon,0.1\n", "time in row 1"),
        (f"time_ms,rate\n{TIMES[0] + 600_000},0.1\n", "settlement 1 of .*a time on a whole hour"),
        (f"time_ms,rate\n{TIMES[0]},0.1\n{TIMES[0]},0.1\n", "settlement 2 of .*the same again"),
        (
            f"time_ms,rate\n{TIMES[1]},0.1\n{TIMES[2]},0.1\n{TIMES[0]},0.1\n",
            "settlement 3 of .*found 2025-01-01 00:00Z",
        ),
        (f"symbol,time_ms,rate\nETHUSDT,{TIMES[0]},0.1\n", "rates of BTCUSDT, found of ETHUSDT"),
        (bybit_reply("ETHUSDT"), "rates of BTCUSDT, found of ETHUSDT"),
        ("{", "no JSON although it begins like it"),
        ("[" * 100_000, "no JSON although it begins like it"),
        ('{"a": 1}', "a list of settlements"),
        ("[1, 2]", "a list of settlements"),
        ('[{"time": 1, "rate": 2}, {"time": 1}]', "with the same keys"),
    ],
)
def test_a_wrong_history_is_answered_with_one_sentence(
    text: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "funding.csv"
    path.write_text(text)
    with pytest.raises(PlanFault, match=says):
        read_funding([path], "BTCUSDT")


def test_what_is_no_history_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanFault, match="a directory"):
        read_funding([tmp_path], "BTCUSDT")
    with pytest.raises(PlanFault, match="no such file"):
        read_funding([tmp_path / "absent"], "BTCUSDT")
    for raw, says in (
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a,b\n\0", "binary"),
        (b"PAR1x", "damaged"),
    ):
        (tmp_path / "raw").write_bytes(raw)
        with pytest.raises(PlanFault, match=says):
            read_funding([tmp_path / "raw"], "BTCUSDT")


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "is_covered"),
    [
        (TIMES[0], TIMES[-1], True),
        (TIMES[0] - STEP_MS, TIMES[-1] + STEP_MS, True),
        (TIMES[0] - STEP_MS - 1, TIMES[-1], False),
        (TIMES[0], TIMES[-1] + STEP_MS + 1, False),
    ],
)
def test_a_history_must_reach_over_all_that_is_traded(
    start_ms: int, end_ms: int, is_covered: bool, tmp_path: Path
) -> None:
    path = tmp_path / "funding.csv"
    path.write_text(FORMS["ours"])
    found = read_funding([path], "BTCUSDT")
    if is_covered:
        require_coverage("BTCUSDT", found, start_ms, end_ms, "funding.csv")
        return
    with pytest.raises(PlanFault, match=r"--since and --until trade fewer, --funding RATE"):
        require_coverage("BTCUSDT", found, start_ms, end_ms, "funding.csv")


@pytest.mark.skipif(not TRUTH.is_dir(), reason="../shared/truth is absent")
@pytest.mark.parametrize(("symbol", "count"), [("BTCUSDT", 2897), ("ETHUSDT", 2840)])
def test_bybits_real_history_is_read_whole(symbol: str, count: int) -> None:
    path = TRUTH / "bybit_klines" / "funding" / f"{symbol}_funding_8h.csv"
    found = read_funding([path], symbol)
    assert len(found.funding) == count
    assert (found.interval_ms, found.notes) == (STEP_MS, ())
    assert np.abs(found.funding.rate).max() < 0.01
