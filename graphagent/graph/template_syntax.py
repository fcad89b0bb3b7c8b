"""Templates as trees whose nodes know their place, with everything refused that a prompt may not hold.

Jinja2's own parser does the work. It keeps line numbers only, so ours is given offsets in their place: `lineno` of a
node is the offset of its first word, plus 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final, NoReturn

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Lexer
from jinja2.parser import Parser

from graphagent.graph.suggest import suggest
from graphagent.graph.template_words import BY_FILTER, FILTERS, INSTEAD, LOOP_CALLS, OTHER_TAGS, TAGS, TESTS

MAX_LENGTH: Final = 256 * 1024
MAX_WORDS: Final = 3_000
MAX_TAGS_DEEP: Final = 16
MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 19
MAX_TREE_DEPTH: Final = 100

_NEWLINE = re.compile(r"\r\n|\r|\n")
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_NO_METHODS: Final = "templates call no methods"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a template that isn't allowed: the characters `start` to `end`. `meant` is the right word."""

    code: str
    message: str
    start: int
    end: int
    hint: str | None = None
    meant: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read; `tree` is None if it can't be."""

    text: str
    tree: nodes.Template | None
    problems: tuple[Problem, ...] = field(default=())


@lru_cache(maxsize=128)
def parse_template(text: str) -> Template:
    """Reads a template. It never raises: what is wrong is in `problems`."""
    if len(text) > MAX_LENGTH:
        message = f"the template has {len(text):,} characters, {MAX_LENGTH:,} are allowed"
        return Template(text[:80], None, (Problem("GA501", message, 0, 0, "give long texts in `with`"),))
    try:
        tree = _Parser(_SYNTAX, text).parse()
    except _Refused as refused:
        return Template(text, None, (refused.problem,))
    except TemplateSyntaxError as error:
        start = min(max(error.lineno - 1, 0), len(text))
        message = f"the template can't be read: {(error.message or '').rstrip('.')}"
        return Template(text, None, (Problem("GA501", message, start, _word_end(text, start)),))
    return Template(text, tree, tuple(_Check(text).problems_of(tree)))


def included(text: str) -> list[str]:
    """The names of the templates that a template extends, includes or imports."""
    if "{%" not in text or (tree := parse_template(text).tree) is None:
        return []
    found = tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport))
    names = [getattr(node, "template", None) for node in found]
    return [name.value for name in names if isinstance(name, nodes.Const) and isinstance(name.value, str)]


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _refuse(
    code: str, message: str, start: int, end: int, hint: str | None = None, meant: str | None = None
) -> NoReturn:
    raise _Refused(Problem(code, message, start, end, hint, meant))


class _Lexer(Lexer):
    def tokeniter(self, source: str, name: Any, filename: Any = None, state: Any = None) -> Iterator[Any]:
        """The words of Jinja2's own scanner, with offsets for lines."""
        text = _NEWLINE.sub("\n", source)
        words = super().tokeniter(source, name, filename, state)
        at = count = 0
        while True:
            try:
                _, kind, value = next(words)
            except StopIteration:
                return
            except TemplateSyntaxError as error:
                error.lineno = at + 1
                raise
            found = text.find(value, at)
            start = at if found < 0 else found
            at = start + len(value)
            count += kind != "whitespace"
            if count > MAX_WORDS:
                _refuse("GA501", f"the template has more than {MAX_WORDS:,} words", start, at, "split it")
            if kind in ("integer", "float") and len(value) > MAX_DIGITS:
                _refuse("GA501", f"the number `{value[:20]}...` is too long", start, at)
            if kind == "name" and not value.isascii():
                _refuse("GA505", "names have ASCII letters only", start, at, "write `['...']` for a key")
            yield start + 1, kind, value


class _Syntax(Environment):
    @cached_property
    def lexer(self) -> Lexer:
        return _Lexer(self)


_SYNTAX: Final = _Syntax(autoescape=False, keep_trailing_newline=True)


class _Parser(Parser):
    """Refuses tags that aren't on the list, and what is nested too deeply to be walked."""

    def __init__(self, environment: Environment, text: str) -> None:
        super().__init__(environment, text)
        self._tags = self._deep = 0

    def parse_statement(self) -> Any:
        token = self.stream.current
        start = token.lineno - 1
        if token.type == "name" and token.value not in TAGS:
            self._check_tag(token.value, start)
        self._tags += 1
        if self._tags > MAX_TAGS_DEEP:
            _refuse("GA501", f"tags are nested deeper than {MAX_TAGS_DEEP}", start, start + len(str(token.value)))
        out = super().parse_statement()
        self._tags -= 1
        return out

    def _check_tag(self, name: str, start: int) -> None:
        closing = name in ("else", "elif") or (name.startswith("end") and name[3:] in TAGS)
        if closing or (name.startswith("end") and name[3:] in OTHER_TAGS):
            return  # Jinja2 says best what is open here
        meant = None if name in OTHER_TAGS else suggest(name, TAGS)
        hint = INSTEAD.get(name) or f"tags: {', '.join(sorted(TAGS))}"
        _refuse("GA505", f"the tag `{name}` is not allowed", start, start + len(name), hint, meant)

    def parse_unary(self, with_filter: bool = True) -> nodes.Expr:
        return self._nested(super().parse_unary, with_filter)

    def parse_not(self) -> nodes.Expr:
        return self._nested(super().parse_not)

    def parse_condexpr(self) -> nodes.Expr:
        return self._nested(super().parse_condexpr)

    def _nested(self, parse: Any, *arguments: Any) -> nodes.Expr:
        self._deep += 1
        if self._deep > 3 * MAX_DEPTH:  # a bracket counts three times: once for each of the methods above
            at = self.stream.current.lineno - 1
            _refuse("GA501", f"nested deeper than {MAX_DEPTH} levels", at, at + 1)
        out: nodes.Expr = parse(*arguments)
        self._deep -= 1
        return out


class _Check:
    """One walk over a tree, without recursion, since nothing bounds its depth before."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []

    def problems_of(self, tree: nodes.Template) -> list[Problem]:
        stack: list[tuple[nodes.Node, int]] = [(tree, 0)]
        while stack:
            node, depth = stack.pop()
            if depth > MAX_TREE_DEPTH:
                at = node.lineno - 1
                return [Problem("GA501", f"nested deeper than {MAX_TREE_DEPTH} steps", at, _word_end(self.text, at))]
            check = getattr(self, f"on_{type(node).__name__.lower()}", None)
            if check is not None:
                check(node)
            stack += [(child, depth + 1) for child in node.iter_child_nodes()]
        return sorted(self.problems, key=lambda problem: problem.start)

    def report(
        self, node: nodes.Node, word: str, message: str, hint: str | None = None, meant: str | None = None,
        code: str = "GA505",
    ) -> None:  # fmt: skip
        """A problem at `word`, which stands at the beginning of the node or a little behind it."""
        start = node.lineno - 1
        found = self.text.find(word, start) if word else start
        start = start if found < 0 else found
        self.problems.append(Problem(code, message, start, start + max(len(word), 1), hint, meant))

    # --- names and words

    def on_name(self, node: nodes.Name) -> None:
        if node.name.startswith("_"):  # such names are the renderer's own
            code = "GA505" if node.ctx == "store" else "GA501"
            self.report(node, node.name, f"`{node.name}`: names don't begin with `_`", code=code)

    def on_macro(self, node: nodes.Macro) -> None:
        if node.name.startswith("_"):
            self.report(node, node.name, f"`{node.name}`: names don't begin with `_`")

    def on_fromimport(self, node: nodes.FromImport) -> None:
        self.constant(node.template)
        for name in node.names:
            for word in name if isinstance(name, tuple) else (name,):
                if word.startswith("_"):
                    self.report(node, word, f"`{word}`: names don't begin with `_`")

    def on_import(self, node: nodes.Import) -> None:
        self.constant(node.template)
        if node.target.startswith("_"):
            self.report(node, node.target, f"`{node.target}`: names don't begin with `_`")

    def on_nsref(self, node: nodes.NSRef) -> None:
        self.report(node, node.name, "only whole variables can be set", INSTEAD["namespace"])

    def on_getattr(self, node: nodes.Getattr) -> None:
        if node.attr.startswith("_"):
            hint = f"write `['{node.attr}']` for a key"
            self.report(node, node.attr, f"`{node.attr}`: names don't begin with `_`", hint)

    def on_filter(self, node: nodes.Filter) -> None:
        self.word(node, node.name, "filter", FILTERS)
        kind = BY_FILTER.get(node.name)
        if kind is not None:
            position = 1 if node.name.endswith("attr") else 0
            if len(node.args) > position:
                name = node.args[position]
                if isinstance(name, nodes.Const) and isinstance(name.value, str):
                    self.word(name, name.value, kind, FILTERS if kind == "filter" else TESTS)
                else:
                    self.report(node, node.name, f"`{node.name}` takes the name of a {kind}, in quotes")
        self.spread(node)

    def on_test(self, node: nodes.Test) -> None:
        self.word(node, node.name, "test", TESTS)
        self.spread(node)

    def word(self, node: nodes.Node, name: str, kind: str, known: frozenset[str]) -> None:
        if name not in known:
            listed = sorted(word for word in known if _NAME.fullmatch(word))
            meant = suggest(name, listed)
            hint = INSTEAD.get(name) or f"{kind}s: {', '.join(listed)}"
            self.report(node, name, f"the {kind} `{name}` is not allowed", hint, meant)

    # --- calls and operators

    def on_call(self, node: nodes.Call) -> None:
        called = node.node
        self.spread(node)
        if isinstance(called, nodes.Name):
            return
        if isinstance(called, nodes.Getattr):
            owner = called.node
            if isinstance(owner, nodes.Name) and (owner.name != "loop" or called.attr in LOOP_CALLS):
                if owner.name != "loop" and called.attr in FILTERS | set(INSTEAD):
                    self.method(called)
                return  # of an imported template, perhaps: see `template_scope`
            self.method(called)
            return
        self.report(node, "", "only macros can be called")

    def method(self, called: nodes.Getattr) -> None:
        hint = INSTEAD.get(called.attr)
        if called.attr in FILTERS:
            hint = f"write `x | {called.attr}`"
        self.report(called, called.attr, f"`{called.attr}()`: {_NO_METHODS}", hint)

    def spread(self, node: nodes.Call | nodes.Filter | nodes.Test) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self.report(node, "*", "arguments can't be spread with `*`")

    def on_pow(self, node: nodes.Pow) -> None:
        self.report(node, "**", "`**` is not allowed")

    def on_mul(self, node: nodes.Mul) -> None:
        self.numbers(node, "*")

    def on_mod(self, node: nodes.Mod) -> None:
        self.numbers(node, "%")

    def numbers(self, node: nodes.BinExpr, sign: str) -> None:
        if any(_is_text(side) for side in (node.left, node.right)):
            self.report(node, sign, f"`{sign}` is only for numbers", "build text with `~`")

    def on_const(self, node: nodes.Const) -> None:
        if isinstance(node.value, str) and any("\ud800" <= c <= "\udfff" for c in node.value):
            self.report(node, "", "half a surrogate pair is no character", code="GA501")

    # --- tags

    def on_for(self, node: nodes.For) -> None:
        if node.recursive:
            self.report(node, "recursive", "recursive loops are not allowed")

    def on_include(self, node: nodes.Include) -> None:
        self.constant(node.template)

    on_extends = on_include

    def constant(self, name: nodes.Expr) -> None:
        if not isinstance(name, nodes.Const) or not isinstance(name.value, str):
            help = "so that all texts are known before the first run"
            self.report(name, "", "the name of a template must be a text in quotes", help, code="GA503")


def _is_text(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.List | nodes.Tuple) or (isinstance(node, nodes.Const) and isinstance(node.value, str))


def _word_end(text: str, start: int) -> int:
    found = re.compile(r"\w+|\S", re.ASCII).match(text, start)
    return found.end() if found else min(start + 1, len(text))
