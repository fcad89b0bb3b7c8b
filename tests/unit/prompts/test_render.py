"""What templates write, and that what they may not do ends as one error of kind `expression`."""

from __future__ import annotations

from typing import Any

import pytest

from graphagent.errors import NodeError
from graphagent.graph.plan import Template
from graphagent.prompts.render import render as render_template


def render(text: str, data: dict[str, Any], files: tuple[tuple[str, str], ...] = (), **blocks: str) -> str:
    return render_template(Template(text, tuple(blocks.items())), data, files)


DATA: dict[str, Any] = {
    "xs": [1, 2, 3], "s": "abc", "d": {"a": {"b": [1, 2]}, "items": "I"}, "null": None, "yes": True,
    "docs": [{"id": "b", "n": 2}, {"id": "a", "n": 1}], "log": "line\n" * 300_000,
}  # fmt: skip
WRITTEN = {
    "{{ s }} {{ d.a.b[0] }} {{ d['items'] }} {{ d.items }}": "abc 1 I I",
    "{{ xs | map('string') | join(', ') }}": "1, 2, 3",
    "{% for x in xs %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% else %}none{% endfor %}": "1/3,2/3,3/3",  # noqa: E501
    "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}": "aba",
    "{% for k, v in d.a | items %}{{ k }}={{ v }}{% endfor %}": "b=[1, 2]",
    "{% for k, v in d | dictsort %}{{ k }};{% endfor %}": "a;items;",
    "{% macro m(a, b=2) %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(3, b=4) }}": "[12][34]",
    "{% set t = xs | sum %}{{ t + 1 }} {{ 7 % 4 }} {{ 2 * 3 }} {{ 3 / 2 }} {{ 'a' ~ 1 ~ xs }} {{ 'a' + 'b' }}": "7 3 6 1.5 a1[1, 2, 3] ab",  # noqa: E501
    "{% filter upper %}abc{{ s }}{% endfilter %}{% set q %}<{{ s }}>{% endset %}{{ q }}": "ABCABC<abc>",
    "{% with a = 1 %}{{ a }}{% endwith %}{% block tone %}Be brief.{% endblock %}": "1Be brief.",
    "{{ d.no is defined }} {{ d.no | default('-') }} {{ no | default('-') }}": "False - -",
    "{{ xs[1:] }} {{ s[::-1] }} {{ (1, 2) }} {{ {'a': 1}.a }}": "[2, 3] cba [1, 2] 1",
    "{{ docs | sort(attribute='n') | map(attribute='id') | join }} {{ docs | sum(attribute='n') }}": "ab 3",
    "{{ docs | selectattr('n', 'gt', 1) | map(attribute='id') | list }}": "['b']",
    "{{ xs | select('odd') }} {{ xs | reject('odd') | list }}": "[1, 3] [2]",
    "{{ d | tojson }} {{ '<a & b>' | tojson }}": '{"a": {"b": [1, 2]}, "items": "I"} "<a & b>"',
    "{{ '<a>' | e }} {{ s | replace('a', 'x') | title }} {{ 'a\nb' | indent(2) }}": "&lt;a&gt; Xbc a\n  b",
    "{{ log | truncate(9) | length }} {{ log | wordcount }}": "9 300000",
    "{% raw %}{{ s }}{% endraw %}{# never shown #}": "{{ s }}",
    "{{ '{{ s }}' }}": "{{ s }}",
}
FILES = (
    ("base.j2", "Base: {% block tone %}calm{% endblock %} {{ s }}"),
    ("child.j2", "{% extends 'base.j2' %}{% block tone %}{{ super() }}, not loud{% endblock %}"),
    ("macros.j2", "{% macro quote(x) %}'{{ x }}'{% endmacro %}"),
    ("loop.j2", "{% include 'loop.j2' %}"),
)


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_written(text: str) -> None:
    assert render(text, DATA) == WRITTEN[text]


def test_templates_include_only_the_files_that_they_are_given() -> None:
    assert render("{% include 'child.j2' %}", DATA, FILES) == "Base: calm, not loud abc"
    assert render("{% extends 'base.j2' %}{% block tone %}{{ xs[0] }}{% endblock %}", DATA, FILES) == "Base: 1 abc"
    assert render("{% from 'macros.j2' import quote %}{{ quote(s) }}", DATA, FILES) == "'abc'"
    assert render("{% import 'macros.j2' as m %}{{ m.quote(s) }}", DATA, FILES) == "'abc'"
    assert render("{% include 'no.j2' ignore missing %}.", DATA, FILES) == "."
    for text in ("{% include 'child.j2' %}", "{% include 'no.j2' %}"):
        with pytest.raises(NodeError, match="can't be rendered at line 1"):
            render(text, DATA)
    with pytest.raises(NodeError):
        render("{% include 'loop.j2' %}", DATA, FILES)


def test_blocks_can_be_replaced() -> None:
    text = "{% block tone %}calm{% endblock %} {{ s }}{% block more %}{% endblock %}"
    assert render(text, DATA, tone="{{ super() }} and brief") == "calm and brief abc"
    assert render(text, DATA, FILES, more=" {% include 'child.j2' %}") == "calm abc Base: calm, not loud abc"


def test_an_imported_file_includes_files_of_its_own_project() -> None:
    files = (("part.j2", "mine"), ("imp:part.j2", "theirs"), ("imp:all.j2", "{% include 'part.j2' %}"))
    assert render_template(Template("{% include 'part.j2' %}"), {}, files) == "mine"
    assert render_template(Template("{% include 'part.j2' %}", (), "imp:top.j2"), {}, files) == "theirs"
    text = "{% include 'all.j2' %}{% block b %}{% endblock %}"
    assert render_template(Template(text, (("b", "!"),), "imp:top.j2"), {}, files) == "theirs!"


def test_an_error_names_the_line_and_what_is_missing() -> None:
    with pytest.raises(NodeError, match=r"at line 3 of its template.*'no'") as caught:
        render("{% for x in xs %}\n\n{{ d.no }}{% endfor %}", DATA)
    assert caught.value.kind == "expression"
    with pytest.raises(NodeError, match=r"at line 2 of its template.*`__class__`"):
        render("\n{{ s.__class__ }}", DATA)


def test_every_rendering_has_a_budget_of_its_own() -> None:
    text = "{% for x in xs %}{% endfor %}"
    for _ in range(3):
        assert render(text, {"xs": [0] * 10_000}) == ""
        with pytest.raises(NodeError, match="10,000 loop steps"):
            render(text, {"xs": [0] * 10_001})
    assert len(render("{{ a }}", {"a": "x" * (1 << 20)})) == 1 << 20
    with pytest.raises(NodeError, match="1,048,576"):
        render("{{ a }}.", {"a": "x" * (1 << 20)})
