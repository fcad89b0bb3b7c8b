from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from graphagent.errors import InputInvalid
from graphagent.llm.capabilities import Rates
from graphagent.messages import ModelInfo, Price
from graphagent.session.settings import PROJECT_FILE, ToolSettings, load_settings

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


def test_connections_are_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHAGENT_CONNECTIONS", raising=False)
    assert load_settings(tmp_path).connections == 8
    (tmp_path / PROJECT_FILE).write_text("connections = 3\n")
    assert load_settings(tmp_path).connections == 3
    monkeypatch.setenv("GRAPHAGENT_CONNECTIONS", "1")
    assert load_settings(tmp_path).connections == 1
    for wrong in ("0", "-1", "many"):
        monkeypatch.setenv("GRAPHAGENT_CONNECTIONS", wrong)
        with pytest.raises(InputInvalid, match="no number of connections"):
            load_settings(tmp_path)


def test_the_file_says_what_tools_may_reach(tmp_path: Path) -> None:
    assert load_settings(tmp_path).tools == ToolSettings()
    (tmp_path / PROJECT_FILE).write_text("""
        [tools]
        allow_hosts = ["api.example.com", "*.example.org"]
        allow_private = ["127.0.0.1/32", "fd00::/8"]
        allow_commands = ["npx 'some server' --fast"]
    """)
    networks = (ip_network("127.0.0.1/32"), ip_network("fd00::/8"))
    hosts, commands = ("api.example.com", "*.example.org"), (("npx", "some server", "--fast"),)
    assert load_settings(tmp_path).tools == ToolSettings(hosts, networks, commands)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("allow_host = []", "did you mean 'allow_hosts'"), ('allow_hosts = "a"', "a list of texts"),
        ("allow_hosts = [1]", "a list of texts"), ('allow_private = ["10.0.0.1/8"]', "host bits"),
        ('allow_private = ["localhost"]', "localhost"), ("allow_commands = [\"npx 'x\"]", "quotation"),
    ],
)  # fmt: skip
def test_a_wrong_setting_of_tools_is_refused(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / PROJECT_FILE).write_text(f"[tools]\n{line}\n")
    with pytest.raises(InputInvalid, match=r"\$\.tools\.allow") as caught:
        load_settings(tmp_path)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_capabilities_of_models(tmp_path: Path) -> None:
    (tmp_path / PROJECT_FILE).write_text('[capabilities."vllm/small"]\ntools = false\ncontext_window = 8192\n')
    found = load_settings(tmp_path).capabilities["vllm/small"]
    assert dict(found.facts) == {"tools": False, "context_window": 8192}
    (tmp_path / PROJECT_FILE).write_text('[capabilities]\n"vllm/small" = true\n')
    with pytest.raises(InputInvalid) as caught:
        load_settings(tmp_path)
    assert caught.value.path == "$.capabilities.vllm/small of graphagent.toml"


def test_rates_and_prices_of_models(tmp_path: Path) -> None:
    text = """
        rates."openai/m" = { requests_per_minute = 60 }
        prices."openai/m" = { input = 0.25, output = 2, cached_input = 0.025 }
        """
    (tmp_path / PROJECT_FILE).write_text(text)
    said = load_settings(tmp_path).capabilities["openai/m"]
    assert said.rates == Rates(requests=60)
    assert said.price == Price(250_000, 2_000_000, 25_000)
    assert said.of(ModelInfo("m", "openai")).price == said.price


def test_prices_have_the_date_of_their_table_or_their_own(tmp_path: Path) -> None:
    text = """
        [prices]
        date = 2026-11-01
        "a/b" = { input = 1, output = 2 }
        "a/c" = { input = 1, output = 2, date = "2026-12-01" }
        """
    (tmp_path / PROJECT_FILE).write_text(text)
    said = load_settings(tmp_path).capabilities
    assert {use: one.price and one.price.date for use, one in said.items()} == {
        "a/b": "2026-11-01",
        "a/c": "2026-12-01",
    }


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('rates."a/b" = 3', "$.rates.a/b"),
        ('rates."a/b" = { requests_per_minute = 0 }', "$.rates.a/b.requests_per_minute"),
        ('rates."a/b" = { per_minute = 1 }', "$.rates.a/b.per_minute"),
        ('prices."a/b" = { input = 1 }', "$.prices.a/b.output"),
        ('prices."a/b" = { input = -1, output = 1 }', "$.prices.a/b.input"),
        ('prices."a/b" = { input = 1, output = 1, date = "soon" }', "$.prices.a/b.date"),
        ("prices.date = 2026", "$.prices.date"),
        ("prices.date = 2026-11-01T10:00:00", "$.prices.date"),
    ],
)
def test_rates_and_prices_that_make_no_sense(tmp_path: Path, text: str, path: str) -> None:
    (tmp_path / PROJECT_FILE).write_text(text + "\n")
    with pytest.raises(InputInvalid) as caught:
        load_settings(tmp_path)
    assert caught.value.path == f"{path} of graphagent.toml"


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
