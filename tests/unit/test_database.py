"""The application's database: where it is, that its tables are of the known form, what is said."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import cluster.migrations
from cluster.database import FILE_NAME, HEAD, URL_VARIABLE, DatabaseFault, database
from cluster.ledger import Dataset, TrialLedger
from cluster.tables import METADATA
from tests.unit.databases import KINDS, url_of

MIGRATIONS = Path(str(cluster.migrations.__file__)).parent


@pytest.mark.parametrize("kind", KINDS)
def test_migrations_build_the_tables_that_the_program_uses(kind: str, tmp_path: Path) -> None:
    with database(url_of(kind, tmp_path)) as engine, engine.begin() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
        names = set(inspect(connection).get_table_names())
    assert differences == []
    assert names == {*METADATA.tables, "alembic_version"}


def test_the_form_that_the_program_knows_is_the_newest() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [HEAD]


def test_a_database_is_opened_again_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'a.db'}"
    for _ in range(2):
        with database(url) as engine, engine.begin() as connection:
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").all()
        assert version == [(HEAD,)]


def test_without_a_url_it_is_a_file_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(URL_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("cluster.database.user_data_path", lambda name, appauthor: tmp_path / name)
    with database():
        pass
    assert (tmp_path / "phalanx" / FILE_NAME).is_file()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("no url at all", "expected a URL such as sqlite:///phalanx.db, found another"),
        ("mysql://root:secret@host/x", "expected a URL of sqlite or postgresql, found mysql"),
        ("postgresql+nothing://host/x", "expected its driver"),
        (
            "postgresql+nothing://u@host/x?password=secret",
            "database postgresql+nothing://u@host/x:",
        ),
        ("sqlite:////dev/null/deep/a.db", "expected a place that can be written to"),
        ("sqlite:////dev/full", "expected one that can be used"),
    ],
)
def test_what_is_wrong_with_a_database_is_one_sentence_without_its_password(
    url: str, said: str
) -> None:
    with pytest.raises(DatabaseFault) as raised, database(url):
        pass
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("these are no pages of a database\n" * 100)
    with (
        pytest.raises(DatabaseFault, match="file is not a database"),
        database(f"sqlite:///{path}"),
    ):
        pass
    assert path.read_text().startswith("these are")


def test_a_database_of_the_first_form_is_brought_to_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with database(f"sqlite:///{path}") as engine:
        TrialLedger(engine).record("a", Dataset("b", "c"), np.arange(7, dtype=np.uint64))
    with sqlite3.connect(path) as connection:
        for name in METADATA.tables.keys() - {
            "trial_ledgers",
            "trial_chunks",
            "trial_sources",
        }:
            connection.execute(f"DROP TABLE {name}")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    with database(f"sqlite:///{path}") as engine:
        assert TrialLedger(engine).count("a", Dataset("b", "c")) == 7
        assert set(inspect(engine).get_table_names()) == {*METADATA.tables, "alembic_version"}


def test_tables_of_a_newer_program_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with database(f"sqlite:///{path}"):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with (
        pytest.raises(DatabaseFault, match=f"version {HEAD} or earlier, found 9999"),
        database(f"sqlite:///{path}"),
    ):
        pass
