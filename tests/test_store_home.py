"""Folders that cannot be a home say so in one sentence with the fix; good ones open at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils.utils import sqlite3
from store_samples import put, sent

from promptsim.errors import HomeError
from promptsim.store import database
from promptsim.store.store import Store


def test_a_new_home_is_made_where_one_asks(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a" / "b") as store:
        assert len(store.key) == 32
        assert store.version() == 0
    with Store.open(tmp_path / "a" / "b", create=False) as again:
        assert again.key == store.key


def test_the_repositorys_own_readme_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("index")
    with Store.open(tmp_path):
        pass


def test_a_missing_home_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"no home at .*nowhere.* --home"):
        Store.open(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


def test_a_file_is_not_a_home(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(HomeError, match=r"file is a file, not a folder: .*--home"):
        Store.open(path)
    with pytest.raises(HomeError, match="cannot be used as a home"):
        Store.open(path / "below")


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(HomeError, match=r"thesis\.tex.*empty or new folder"):
        Store.open(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_home_that_lost_its_database_is_not_begun_afresh(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, [sent(1)])
    (tmp_path / "promptsim.db").unlink()
    with pytest.raises(HomeError, match="restore a snapshot"):
        Store.open(tmp_path)


def test_a_home_from_a_newer_release_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, store.database.writing() as connection:
        sql = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('promptsim', '0999-x', '')"
        connection.execute(sql)
    with pytest.raises(HomeError, match=r"newer promptsim \(0999-x\): upgrade"):
        Store.open(tmp_path)


def test_another_programs_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "promptsim.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(HomeError, match="not a database"):
        Store.open(tmp_path)
    (tmp_path / "promptsim.db").unlink()
    other = sqlite3.connect(str(tmp_path / "promptsim.db"))
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    with pytest.raises(HomeError, match="another program's"):
        Store.open(tmp_path)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(HomeError, match="not writable: mend its permissions"):
        Store.open(tmp_path)


def test_an_sqlite_with_the_wal_bug_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "REQUIRED", (99, 0, 0))
    with pytest.raises(HomeError, match=r"too old: 99\.0\.0 is needed; run pip install pysqlite3"):
        Store.open(tmp_path)


def test_processes_that_start_at_once_make_one_home(tmp_path: Path) -> None:
    code = "import sys; from promptsim.store.store import Store; print(Store.open(sys.argv[1]).key.hex())"
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    keys = [process.communicate(timeout=60)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert len(set(keys)) == 1
    assert len(keys[0]) == 64


def test_a_thread_that_ends_leaves_no_connection_open(tmp_path: Path) -> None:
    import gc
    import threading

    with Store.open(tmp_path / "home") as store:
        for _ in range(20):
            thread = threading.Thread(target=store.version)
            thread.start()
            thread.join()
        gc.collect()
        assert len(store.database._readers) <= 1
