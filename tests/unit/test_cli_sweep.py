"""`phalanx sweep` before it meets a cluster: what is wrong with a study is one clear sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.session import Resources, SessionFault
from cluster.settings import ClusterSettings, SettingsFault
from cluster.study_folder import StudyFolder
from cluster.sweep import require_room
from engines.errors import ParameterFault
from serve.cli import run
from serve.sweep_flags import SweepFlags, request_of, restored, stored
from tests.unit.test_cli import write_bars

Said = Callable[..., str]
WIDE = "stop_loss=0.1%:50%:0.1% take_profit=0.1%:50%:0.1%"


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("bars") / "TESTUSDT_15m.csv", bars=400)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], bars: Path) -> Said:
    """Return what a sweep says of the input that it does not take."""

    def said(*arguments: object, strategy: str = "ema_crossover") -> str:
        words = ["sweep", strategy, "--bars", bars, *arguments, "--no-causality-check"]
        assert run([str(word) for word in words]) == 2
        out, err = capsys.readouterr()
        assert not out
        (last,) = [line for line in err.splitlines() if line.startswith("phalanx: ")]
        return last

    return said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "space: expected values to try"),
        (("--grid", ""), "space: expected values to try"),
        (("--grid", "fost=5"), "expected fast (did you mean it?)"),
        (("--grid", "fast=5", "--set", "fast=6"), "parameter fast: expected --set or --grid"),
        (("--grid", "fast=5:20:5", "--where", "trade>=3"), "trades (did you mean it?)"),
        (("--grid", "fast=5:20:5", "--objective", "sharp"), "sharpe (did you mean it?)"),
        (("--grid", "fast=20 slow=20"), "all 1 combinations of the strategy that were tried"),
        (("--plan-grid", "stop_loss=2"), "exits.stop_loss_ratio"),
        (("--plan-grid", "take_profit=1% breakeven.activation=2%"), "combinations of the plan"),
        (("--grid", "fast=5", "--top", "0"), "--top: expected a whole number from 1"),
        (("--grid", "fast=5", "--sample", "0"), "--sample"),
        (("--grid", "fast=5", "--seed", "3"), "--seed: expected a --sample"),
        (("--grid", "fast=5", "--magnifier", "x.csv"), "no magnifier in a sweep"),
        (("--grid", "fast=5", "--intervals", "15m,1h", "--aggregate", "1h"), "one of them"),
        (("--grid", "fast=5", "--intervals", "15m,15m"), "markets of a study: expected each once"),
        (("--grid", "fast=5", "--until", "2024-01-01T10:00"), "the warm-up of ema_crossover"),
    ],
)  # fmt: skip  # a table reads by its rows
def test_what_is_wrong_with_a_study_is_one_sentence(
    refused: Said, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused(*arguments)


def test_a_large_space_is_named_with_its_size_and_time_until_it_is_agreed_to(refused: Said) -> None:
    said = refused("--grid", "fast slow", "--plan-grid", WIDE)
    assert "--yes for" in said
    assert "sets, about" in said
    assert "on " in said and "CPUs" in said
    elsewhere = refused("--grid", "fast slow", "--plan-grid", WIDE, "--address", "127.0.0.1:1")
    assert "on 1 CPU, found none" in elsewhere


def test_an_address_at_which_nobody_listens_is_refused_at_once(
    refused: Said, tmp_path: Path
) -> None:
    said = refused("--grid", "fast=5", "--out", tmp_path, "--address", "127.0.0.1:1")
    assert said.startswith("phalanx: Ray cluster at 127.0.0.1:1: expected one that answers, found ")
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".json"]


def test_tasks_larger_than_every_node_are_refused_here_and_waited_for_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cluster.sweep.resources", lambda: Resources(2, 6.0, 0.0, 4.0))
    assert require_room(ClusterSettings(task_cpus=4), is_ours=True) == ""
    large = ClusterSettings(task_cpus=5)
    with pytest.raises(SettingsFault, match=r"PHALANX_TASK_CPUS: expected at most the 4 CPUs here"):
        require_room(large, is_ours=True)
    said = require_room(large, is_ours=False)
    assert said == "PHALANX_TASK_CPUS is 5, the largest node has 4: waiting for another"


def test_a_study_that_is_not_there_cannot_be_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sweep", "--resume", "none-1", "--out", str(tmp_path)]) == 2
    assert "study none-1: expected a folder" in capsys.readouterr().err
    assert run(["sweep"]) == 2
    assert "STRATEGY: expected a strategy or a study file, found none" in capsys.readouterr().err


def test_a_manifest_of_another_form_is_one_sentence_to_who_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a-1").mkdir()
    (tmp_path / "a-1" / "manifest.json").write_text('{"phalanx_study": 1, "flags": []}')
    assert run(["sweep", "--resume", "a-1", "--out", str(tmp_path)]) == 2
    assert "found no study_id and batches and flags of that form" in capsys.readouterr().err


STUDY = """\
strategy: ema_crossover
parameters: {slow: 40}
bars: [BTCUSDT_15m.csv]
grid: {fast: "5:20:5", require_trend: [true, false]}
plan_grid: stop_loss=1%:5%:1%
plan: {exits: {atr_period: 20}}
costs: {commission: 0.0005}
where: trades>=30
top: 5
capital: 2000
"""


def test_a_study_file_holds_what_flags_hold_and_flags_go_first(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    found = request_of(SweepFlags(study=str(path), top=7))
    flags = found.flags
    assert flags.study == "ema_crossover"
    assert flags.settings == ["slow=40"]
    assert flags.bars == [Path("BTCUSDT_15m.csv")]
    assert flags.grid == ["fast=5:20:5", "require_trend=true,false"]
    assert flags.plan_grid == ["stop_loss=1%:5%:1%"]
    assert flags.where == ["trades>=30"]
    assert (flags.top, flags.capital) == (7, 2000.0)
    assert found.plan_tree == {
        "plan": {"exits": {"atr_period": 20}}, "costs": {"commission": 0.0005},
    }  # fmt: skip  # two keys


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("grids: {fast: 5}", "grid (did you mean it?), found 'grids'"),
        ("grid: 5", "a mapping such as {fast: 5:20:1}"),
        ("top: many", "top in"),
        ("top: 5.5", "a whole number"),
        ("bars: 5", "a text or a list of texts"),
        ("resume: x", "key of"),
        ("causality_check: 3", "true or false"),
        ("capital: much", "a number or a percentage"),
    ],
)
def test_a_study_file_that_means_nothing_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, sentence: str
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"strategy: ema_crossover\n{line}\n")
    assert run(["sweep", str(path)]) == 2
    assert sentence in capsys.readouterr().err


def test_a_study_file_names_its_strategy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("grid: {fast: 5}", "- a list"):
        (tmp_path / "study.yml").write_text(text)
        assert run(["sweep", str(tmp_path / "study.yml")]) == 2
        assert "the name of a strategy" in capsys.readouterr().err


def test_a_flag_of_a_newer_manifest_is_named() -> None:
    with pytest.raises(ParameterFault, match="flags that this phalanx has, found warp"):
        restored({"study": "ema_crossover", "warp": 9}, SweepFlags())


def test_a_study_file_says_where_its_results_go(tmp_path: Path, bars: Path) -> None:
    study, out = tmp_path / "study.yaml", tmp_path / "elsewhere"
    study.write_text(f"strategy: ema_crossover\nbars: {bars}\ngrid: {{fast: [5, 6]}}\nout: {out}\n")
    assert run(["sweep", str(study), "--no-causality-check"]) == 0
    assert [path.name for path in out.glob("*/report.html")] == ["report.html"]


def test_flags_come_back_from_a_manifest_as_they_were_given() -> None:
    given = SweepFlags(
        study="ema_crossover", bars=[Path("a.csv")], grid=["fast=5"], top=3, stop_loss=0.02
    )
    assert restored(stored(given), SweepFlags(resume="x")) == given
    again = restored(stored(given), SweepFlags(resume="x", top=9, json=True))
    assert (again.top, again.json, again.grid) == (9, True, ["fast=5"])


def test_a_second_run_is_refused_before_a_cluster_is_started_and_marks_nothing(
    refused: Said,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def none_here(*_: object) -> None:
        raise SessionFault("Ray cluster", "one", "none")

    monkeypatch.setattr("cluster.session.session", none_here)
    monkeypatch.setenv("PHALANX_DATABASE_URL", f"sqlite:///{tmp_path / 'a.db'}")
    words = ("--grid", "fast=5:20:5", "--out", tmp_path / "out")
    assert "Ray cluster: expected one" in refused(*words)
    (folder,) = (tmp_path / "out").iterdir()
    with StudyFolder(folder).locked():
        said = refused(*words)
    assert "expected one run at a time, found process" in said
    assert run(["runs", "--studies", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"studies": []}
