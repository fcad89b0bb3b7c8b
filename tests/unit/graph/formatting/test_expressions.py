from __future__ import annotations

import pytest

from graphagent.graph.expressions import parse
from graphagent.graph.formatting.expressions import write_expressions
from graphagent.graph.source import parse_yaml

HEAD = "apiVersion: graphagent/v1\nkind: Graph\nmetadata: { name: t }\nstart: a\nnodes:\n"


def written(nodes: str) -> str:
    text = write_expressions(parse_yaml(HEAD + nodes, "t"))
    assert text.startswith(HEAD)
    return text.removeprefix(HEAD)


def node(rest: str) -> str:
    return "  a: { kind: set, " + rest + ", next: end }\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"${ True }"', '"${ true }"'),
        ("'${ x == \"a\" }'", "'${ x == ''a'' }'"),
        ('"${ x == \\"a\\" }"', "\"${ x == 'a' }\""),
        ("'${ x == \"it''s\" }'", "'${ x == \"it''s\" }'"),
        ('"$${ True } ${ None }"', '"$${ True } ${ null }"'),
        ("True", "True"),
        ('"True"', '"True"'),
        ("'${ Trueish + \"None\" }'", "'${ Trueish + ''None'' }'"),
        ('"${ True"', '"${ True"'),
        ('"${ True ** 2 }"', '"${ True ** 2 }"'),
        ("['${ False }', { b: '${ None }' }]", "['${ false }', { b: '${ null }' }]"),
    ],
)
def test_values(before: str, after: str) -> None:
    assert written(node(f"writes: {{ x: {before} }}")) == node(f"writes: {{ x: {after} }}")


def test_bare_fields_in_every_style() -> None:
    before = """  a:
    kind: router
    next:
      - { when: x == True, to: a }
      - when: >-
          x == True and
          y != None
        to: a
      - when: x ==
          "a"
        to: a
"""
    after = before.replace("True", "true").replace("None", "null").replace('"a"', "'a'")
    assert written(before) == after


@pytest.mark.parametrize(
    "rest",
    [
        "description: '${ True }'",
        "writes: { True x: 1 }",
        "kind2: '${ True }'",
        "on_error: [{ to: a, label: '${ None }' }]",
    ],
)
def test_what_is_no_expression_stays(rest: str) -> None:
    assert written(node(rest)) == node(rest)


def test_a_prompt_is_no_expression() -> None:
    text = "  a: { kind: llm, prompt: '${ True } {{ None }}', with: { x: '${ y }' }, next: end }\n"
    assert written(text) == text


def test_a_scalar_with_two_uses_stays() -> None:
    both = "  a: { kind: set, description: &x '${ True }', writes: { x: *x }, next: end }\n"
    assert written(both) == both
    one = "  a: { kind: set, writes: { y: &x '${ True }', x: *x }, next: end }\n"
    assert written(one) == one.replace("True", "true")


def test_the_meaning_stays() -> None:
    for text in ('x == "a" and True', "[None, False]", "{\"k\": 'v'}", 'default(a.b, "") != "x y"'):
        changed = written(node(f"writes: {{ x: '${{ {text.replace(chr(39), chr(39) * 2)} }}' }}"))
        value = parse_yaml(HEAD + changed, "t").data()["nodes"]["a"]["writes"]["x"]
        env = {"x": "a", "a": {"b": "z"}}
        assert parse(value[2:-1]).evaluate(env) == parse(text).evaluate(env)
