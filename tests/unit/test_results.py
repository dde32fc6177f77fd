"""Results are whole or bear no marker, and are never written over somebody's work."""

from pathlib import Path

import pytest

from cluster.results import OutputFault, require_writable, write_results

FILES = {"result.json": '{"phalanx_result": 1}\n', "report.html": "<p>"}


def test_results_appear_whole_and_replace_an_earlier_result(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    write_results(out, FILES)
    write_results(out, {**FILES, "report.html": "new"})
    assert (out / "report.html").read_text() == "new"
    assert [item.name for item in out.parent.iterdir()] == ["b"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_results(tmp_path / "empty", FILES)
    assert {item.name for item in (tmp_path / "empty").iterdir()} == FILES.keys()


@pytest.mark.parametrize(
    "there",
    [
        {"thesis.txt": "mine"},
        {"result.json": '{"somebody": "else"}'},
        {"result.json": "not json"},
        {**FILES, "notes.txt": "mine"},
    ],
)
def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, there: dict[str, str]) -> None:
    for name, text in there.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(OutputFault, match="an earlier result"):
        write_results(tmp_path, FILES)
    assert {item.name: item.read_text() for item in tmp_path.iterdir()} == there


def test_a_failure_while_writing_leaves_the_earlier_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_results(out, FILES)
    with pytest.raises(OutputFault):
        write_results(out, {**FILES, "no/such/folder.txt": "x"}, force=True)
    assert {item.name: item.read_text() for item in out.iterdir()} == FILES
    assert [item.name for item in tmp_path.iterdir()] == ["out"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputFault, match="found a file"):
        require_writable(tmp_path / "out", frozenset(FILES))
    with pytest.raises(OutputFault, match="can be written to"):
        require_writable(tmp_path / "out" / "below", frozenset(FILES))


def test_a_relative_folder_is_written_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_results(Path("out") / "demo", FILES)
    assert list(Path("out/demo").iterdir())


def test_a_folder_in_the_place_of_a_file_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputFault, match=r"report\.html in .*: expected a file or none"):
        write_results(tmp_path, FILES, force=True)
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for _ in range(2):
        write_results(tmp_path / "link", FILES)
    assert (tmp_path / "link").is_symlink()
    assert {item.name for item in (tmp_path / "real").iterdir()} == FILES.keys()
    assert {item.name for item in tmp_path.iterdir()} == {"real", "link"}


def test_the_folder_that_the_user_stands_in_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    for _ in range(2):
        write_results(Path(), FILES)
    assert tmp_path.stat().st_ino == before
    assert {item.name for item in Path().iterdir()} == FILES.keys()


def test_a_result_cut_short_between_two_files_bears_no_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(tmp_path, FILES)
    whole = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if target.name == "report.html":
            raise OSError(28, "No space left on device")
        return whole(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OutputFault, match="No space left"):
        write_results(tmp_path, FILES)
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_an_existing_folder_is_never_renamed_as_it_may_be_a_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(Path, "rename", lambda *_: pytest.fail("the folder must stay"))
    write_results(out, FILES)
    assert {item.name for item in out.iterdir()} == FILES.keys()
