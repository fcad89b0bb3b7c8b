"""An editor offers exactly the keys that the language has."""

from __future__ import annotations

from typing import Any, Required, get_origin, get_type_hints

import pytest

from graphagent.graph import builder_keys as k
from graphagent.graph import keys

NODES: dict[str, Any] = {
    "set": k.NodeKeys, "router": k.NodeKeys, "code": k.CodeKeys, "llm": k.LLMKeys, "human": k.HumanKeys,
    "graph": k.GraphKeys, "map": k.MapKeys, "emit": k.EmitKeys, "agent": k.AgentKeys, "tool": k.ToolNodeKeys,
    "wait": k.WaitKeys,
}  # fmt: skip
ITEMS: dict[str, Any] = {
    "code": k.CodeItemKeys, "llm": k.LLMItemKeys, "graph": k.GraphItemKeys, "tool": k.ToolItemKeys,
    "agent": k.AgentItemKeys,
}  # fmt: skip
PARTS: list[tuple[Any, keys.Shape]] = [
    (k.RetryKeys, keys.RETRY), (k.HistoryKeys, keys.HISTORY), (k.NeedKeys, keys.NEED), (k.ModelKeys, keys.MODEL),
    (k.DefaultKeys, keys.DEFAULTS), (k.LimitKeys, keys.LIMITS), (k.ToolKeys, keys.TOOL), (k.McpKeys, keys.MCP),
    (k.ClientKeys, keys.CLIENT), (k.PromptKeys, keys.PROMPT), (k.ImportKeys, keys.IMPORT),
    (k.OverrideKeys, keys.OVERRIDE), (k.CacheKeys, keys.CACHE), (k.SandboxKeys, keys.SANDBOX),
    (k.AtLeastKeys, keys.AT_LEAST), (k.ApprovalKeys, keys.APPROVAL), (k.DelegateKeys, keys.DELEGATE),
]  # fmt: skip


def offered(keywords: Any) -> set[str]:
    return {name.removesuffix("_") for name in keywords.__annotations__}


def test_every_kind_is_there() -> None:
    assert set(NODES) == set(keys.KINDS)
    assert set(ITEMS) == set(keys.ITEM_KINDS)


@pytest.mark.parametrize("kind", NODES)
def test_keys_of_nodes(kind: str) -> None:
    written_otherwise = {"kind", "next", "do"}
    assert offered(NODES[kind]) == {*keys.NODE, *keys.KINDS[kind]} - written_otherwise


@pytest.mark.parametrize("kind", ITEMS)
def test_keys_of_items(kind: str) -> None:
    assert offered(ITEMS[kind]) == {*keys.ITEM, *keys.KINDS[kind]} - {"kind", "tool_writes"}


@pytest.mark.parametrize(("keywords", "shape"), PARTS, ids=lambda x: getattr(x, "__name__", ""))
def test_keys_of_parts(keywords: Any, shape: keys.Shape) -> None:
    assert offered(keywords) == set(shape)


@pytest.mark.parametrize("kind", NODES)
def test_required_keys(kind: str) -> None:
    needed = {key for key, entry in {**keys.NODE, **keys.KINDS[kind]}.items() if entry.required}
    hints = get_type_hints(NODES[kind], include_extras=True)
    assert {key for key, hint in hints.items() if get_origin(hint) is Required} == needed - {"kind", "next", "do"}
