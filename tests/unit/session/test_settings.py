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


def test_capabilities_of_models(tmp_path: Path) -> None:
    (tmp_path / PROJECT_FILE).write_text('[capabilities."vllm/small"]\ntools = false\ncontext_window = 8192\n')
    found = load_settings(tmp_path).capabilities["vllm/small"]
    assert dict(found.facts) == {"tools": False, "context_window": 8192}
    (tmp_path / PROJECT_FILE).write_text('[capabilities]\n"vllm/small" = true\n')
    with pytest.raises(InputInvalid) as caught:
        load_settings(tmp_path)
    assert caught.value.path == "$.capabilities.vllm/small of graphagent.toml"
