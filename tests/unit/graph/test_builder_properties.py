"""Whatever is written: builder, spec, YAML and spec again are equal, and so are the plans."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from graphagent.graph.builder import GraphBuilder, Node, X, channel, end, route
from graphagent.graph.compile import compile_spec
from graphagent.graph.validate import validate_text
from tests.examples_count import examples
from tests.unit.graph.rebuilt import rebuilt
from tests.unit.graph.test_yaml_text import DATA, TEXT

LITERAL = DATA.filter(lambda data: "$" not in repr(data))
PROMPT = TEXT.filter(lambda text: text.isprintable() and not set(text) & set("{}#$"))
NAMES = st.lists(st.sampled_from(["a", "b", "on", "yes", "true_", "null_", "n1", "y"]), min_size=1, unique=True)


@st.composite
def graphs(draw: st.DrawFn) -> GraphBuilder:
    g = GraphBuilder("any-graph", description=draw(TEXT), inputs={"on": (str, draw(PROMPT))}, labels={"y": draw(TEXT)})
    g.models(main={"use": "local/tiny", "temperature": draw(st.floats(0, 2)), "params": {"x": draw(LITERAL)}})
    g.channels(state=channel("any", default=draw(LITERAL), description=draw(TEXT)))
    names = draw(NAMES)
    g.start(names[0])
    for here, there in zip(names, [*names[1:], end], strict=True):
        kind = draw(st.sampled_from(["set", "llm", "human", "emit", "map"]))
        more: dict[str, Any] = {"writes": {"state": draw(LITERAL)}, "description": draw(TEXT)}
        if kind == "map":
            node: Node = (each := g.map(here, over="[inputs.on]", collect=draw(LITERAL), **more))
            each.do.llm(model="main", prompt=draw(PROMPT), returns={"n": int})
        elif kind == "human":
            node = g.human(here, mode="choose", prompt=draw(PROMPT), options=["a", draw(PROMPT)], **more)
        elif kind == "emit":
            node = g.emit(here, event="x.y", data={"n": draw(LITERAL), "on": X("inputs.on")}, **more)
        else:
            keys = {"model": "main", "prompt": draw(PROMPT)} if kind == "llm" else {}
            node = getattr(g, kind)(here, **keys, **more)
        if draw(st.booleans()):
            node.next(there)
        else:
            node.next(route(there, when="inputs.on == 'x'", label=draw(TEXT), writes={"state": 1}), route(there))
    return g


@settings(max_examples=examples(40))
@given(graphs())
def test_builder_and_yaml_are_one_spec_and_one_plan(g: GraphBuilder) -> None:
    built = g.checked()
    assert [item for item in built.diagnostics if item.severity == "error"] == []
    assert built.spec is not None
    text = g.to_yaml()
    read, found, _ = validate_text(text, "t.graph.yaml")
    assert [item for item in found if item.severity == "error"] == []
    assert read == built.spec
    assert read is not None
    assert GraphBuilder.of_spec(read).to_yaml() == text
    assert rebuilt(read).to_yaml() == text
    assert compile_spec(read, lambda _: None).hash == compile_spec(built.spec, lambda _: None).hash
