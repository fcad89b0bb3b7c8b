from __future__ import annotations

from pathlib import Path

import pytest

from graphagent.errors import InputInvalid
from graphagent.session.settings import PROJECT_FILE, load_settings

URL = "postgresql://ann@host:5433/agents?sslmode=require"


@pytest.mark.parametrize(
    ("given", "store", "file"),
    [
        (URL, URL, None),
        ("postgres://host/db", "postgres://host/db", None),
        ("memory:", "memory:", None),
        ("s.db", "{root}/s.db", "{root}/s.db"),
        ("sqlite:///s.db", "{root}/s.db", "{root}/s.db"),
        ("postgresql.db", "{root}/postgresql.db", "{root}/postgresql.db"),
    ],
)
def test_a_store_is_a_file_unless_it_says_otherwise(tmp_path: Path, given: str, store: str, file: str | None) -> None:
    settings = load_settings(tmp_path, store=given)
    assert settings.store == store.format(root=tmp_path)
    assert settings.store_file == (None if file is None else Path(file.format(root=tmp_path)))


def test_a_flag_comes_before_a_variable_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRAPHAGENT_STORE", raising=False)
    (tmp_path / PROJECT_FILE).write_text(f'store = "{URL}"\n')
    assert load_settings(tmp_path).store == URL
    monkeypatch.setenv("GRAPHAGENT_STORE", "postgresql://variable/db")
    assert load_settings(tmp_path).store == "postgresql://variable/db"
    assert load_settings(tmp_path, store="memory:").store == "memory:"


def test_artifacts_are_beside_the_store_unless_it_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRAPHAGENT_ARTIFACTS", raising=False)
    assert load_settings(tmp_path, store="s.db").artifacts_folder == tmp_path / "s.db.artifacts"
    assert load_settings(tmp_path, store=URL).artifacts_folder == tmp_path / ".graphagent" / "artifacts"
    assert load_settings(tmp_path, store="memory:").artifacts_folder is None
    (tmp_path / PROJECT_FILE).write_text('[artifacts]\nfolder = "here"\nmax_bytes = 7\n')
    settings = load_settings(tmp_path)
    assert settings.artifacts_folder == tmp_path / "here"
    assert (settings.artifact_limit, settings.result_limit) == (7, 64 << 20)
    monkeypatch.setenv("GRAPHAGENT_ARTIFACTS", "/elsewhere")
    assert load_settings(tmp_path, store="memory:").artifacts_folder == Path("/elsewhere")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("fold = 'x'", r"\$\.artifacts\.fold .*: no such setting"), ("folder = 7", "the path of a folder is expected"),
        ("max_bytes = '7'", "a number of bytes is expected"), ("max_bytes = true", "a number of bytes is expected"),
        ("max_result_bytes = 0", "a number of bytes is expected"),
    ],
)  # fmt: skip
def test_wrong_settings_of_artifacts_are_told(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / PROJECT_FILE).write_text(f"[artifacts]\n{line}\n")
    with pytest.raises(InputInvalid, match=told):
        load_settings(tmp_path)
