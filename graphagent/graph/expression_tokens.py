"""The words of an expression, checked before Python's parser sees them.

Only what the language has gets through, so the parser meets no construct with surprises of its own: no string
prefixes, no line breaks, no unbalanced or deep brackets, nothing that makes it warn. And the messages are ours,
the same for every version of Python.
"""

from __future__ import annotations

import keyword
import re
from typing import NamedTuple, NoReturn

from graphagent.graph.expression_errors import ExpressionError

MAX_LENGTH = 2_000
MAX_DEPTH = 32

_OPERATORS = frozenset({"and", "or", "not", "in", "is", "if", "else", "for"})
LITERAL_NAMES: dict[str, bool | None] = {
    "true": True, "false": False, "null": None, "True": True, "False": False, "None": None,
}  # fmt: skip
KEYWORDS = frozenset(keyword.kwlist) - set(LITERAL_NAMES)
"""Words that Python's parser never takes as a name."""

_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = (
    rf"(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+"
    rf"|(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?)(?![A-Za-z0-9_.])"
)
_SYMBOL = r"===|!==|\*\*|//|<<|>>|==|!=|<=|>=|:=|=>|->|&&|\|\||\.\.\.|\$\{|[-+*/%<>()\[\]{},:.=!&|^~@;?#$`\\]"
_TOKEN = re.compile(
    rf"[ \t\r\n]*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>{_NUMBER})|(?P<quote>['\"])"
    rf"|(?P<symbol>{_SYMBOL})|(?P<other>[^ \t\r\n])|$)"
)
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_ESCAPE = re.compile(
    r"""\\(?:[\\'"abfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3]?[0-7]{1,2}|N\{[A-Za-z0-9 -]+\})"""
)
_ALLOWED = frozenset((*"+-*/%<>()[]{},:.", "//", "==", "!=", "<=", ">="))
_CLOSES = {")": "(", "]": "[", "}": "{"}
_BRACKETS = frozenset("()[]{}")
_QUOTES = frozenset("'\"")
_LEADING_ZERO = re.compile(r"0[0-9_]*[1-9][0-9_]*")

_PREFIXES = {"f": "an f-string", "b": "bytes", "u": "a `u` string", "t": "a template string"}
_REFUSED = {  # what the language doesn't have: by name, with what to write instead
    "lambda": ("a lambda", None), "await": ("`await`", None), "yield": ("`yield`", None), "async": ("`async`", None),
    "**": ("`**`", None), ":=": ("an assignment with `:=`", None), "...": ("`...`", None),
    "@": ("`@`", None), "&": ("`&`", "write `and`"), "|": ("`|`", "write `or`"), "^": ("`^`", None),
    "~": ("`~`", "write `not`"), "<<": ("`<<`", None), ">>": ("`>>`", None),
}  # fmt: skip
_MEANT = {
    "=": "`==` compares", "===": "`==` compares", "!==": "`!=` compares", "=>": "write `>=`", "&&": "write `and`",
    "||": "write `or`", "!": "write `not`", "?": "write `a if test else b`", "`": "put text in single quotes",
    "#": "put text in quotes; an expression has no comments", ";": "an expression is one value",
}  # fmt: skip

_WORDS = KEYWORDS | frozenset(LITERAL_NAMES)


class Token(NamedTuple):
    """A word; `kind` is `name`, `number`, `string` or `symbol`."""

    kind: str
    text: str
    start: int
    end: int


_START = Token("symbol", "", 0, 0)


def scan(text: str) -> list[Token]:
    """All words of an expression.

    Raises:
        ExpressionError: GA201, GA202 or GA207.
    """
    if len(text) > MAX_LENGTH:
        _fail(f"the expression has {len(text):,} characters, {MAX_LENGTH:,} are allowed", MAX_LENGTH, len(text))
    tokens: list[Token] = []
    brackets: list[Token] = []
    before = _START
    after_value = False
    at = 0
    while (token := _next(text, at, before)) is not None:
        kind, word, start, at = token
        if kind == "symbol":
            if word in _BRACKETS:
                _check_bracket(token, brackets)
            begins, ends = word == "{", word in _CLOSES
        else:
            begins = ends = kind != "name" or word not in _OPERATORS
        if begins and after_value and not before.kind == kind == "string":
            # Neighbouring texts are one, as in Python; the rest of the grammar is the parser's.
            _fail(f"unexpected `{_short(word)}`", start, at, "an operator is missing, or a comma")
        tokens.append(token)
        before, after_value = token, ends
    if brackets:
        _fail(f"`{brackets[-1].text}` is never closed", brackets[-1].start, brackets[-1].end)
    if not tokens:
        _fail("the expression is empty", 0, len(text))
    if not after_value:
        _fail(f"the expression ends after `{before.text}`", before.start, before.end)
    return tokens


def _next(text: str, at: int, before: Token) -> Token | None:
    """The word that begins at `at` or behind the space there; None at the end."""
    match = _TOKEN.match(text, at)
    kind = match.lastgroup if match is not None else None
    if match is None or kind is None:
        return None
    word, end = match[kind], match.end()
    at = end - len(word)
    if kind == "name":
        return _name(text, word, at, before)
    if kind == "symbol":
        if word not in _ALLOWED:
            _bad_symbol(text, word, at)
    elif kind == "quote":
        return _string(text, at, at, raw=False)
    elif kind == "number":
        if word[0] == "0" and _LEADING_ZERO.fullmatch(word):
            _fail(f"the number {word} begins with 0", at, end, "put it in quotes if it is text")
    elif word in "0123456789":
        _bad_number(text, at)
    else:
        _bad_character(text, at)
    return Token(kind, word, at, end)


_REMOVE = "remove `${ }`: this field is an expression already"


def _whole(text: str, at: int) -> int:
    """The end of the text if it closes the `${` at its beginning, else that of the `${`."""
    stripped = text.rstrip()
    return len(stripped) if not text[:at].strip() and stripped.endswith("}") else at + 2


def _name(text: str, name: str, at: int, before: Token) -> Token:
    end = at + len(name)
    if name[0] == "_":
        _fail(f"`{name}`: names don't begin with `_`", at, end, f"write `['{name}']` for a key", code="GA202")
    if text[end : end + 1] in _QUOTES and name not in _OPERATORS:
        return _prefixed(text, name, at)
    if name in _WORDS:
        if before.text == ".":
            _fail(f"`.{name}`: `{name}` is a word of the language", at, end, f"write `['{name}']` for this key")
        if name in _REFUSED:
            _refuse(name, at)
        if name in KEYWORDS and name not in _OPERATORS:
            _fail(f"`{name}` is not a name", at, end, "it is a reserved word of Python")
    return Token("name", name, at, end)


def _prefixed(text: str, name: str, at: int) -> Token:
    """A string with a prefix: only `r` is one here."""
    if name not in ("r", "R"):
        _bad_prefix(name, at)
    return _string(text, at, at + len(name), raw=True)


def _bad_prefix(name: str, at: int) -> NoReturn:
    end = at + len(name)
    letter = next((c for c in name.lower() if c != "r"), "")
    if len(name) <= 2 and letter in _PREFIXES:
        _fail(f"{_PREFIXES[letter]} is not allowed", at, end + 1, "put text in plain quotes", code="GA202")
    _fail(f"unexpected quote after `{_short(name)}`", end, end + 1, "an operator is missing, or a comma")


def _string(text: str, at: int, quote: int, *, raw: bool) -> Token:
    if text[quote : quote + 3] in ("'''", '"""'):
        _fail("triple quotes are not allowed", at, quote + 3, "use single quotes", code="GA202")
    match = _STRING.match(text, quote)
    if match is None:
        _fail("this quote is never closed", quote, quote + 1)
    body = match.group()
    if any(c in body for c in "\n\r\0"):
        hint = "in YAML, put the value in single quotes or use `>-`, so that `\\n` stays as it is"
        _fail("a line break inside of quoted text", at, match.end(), hint)
    escape = 0 if raw else body.find("\\")
    while not raw and escape >= 0:
        found = _ESCAPE.match(body, escape)
        if found is None:
            where = quote + escape
            _fail(f"unknown escape `{body[escape : escape + 2]}`", where, where + 2, "write `\\\\` for a backslash")
        escape = body.find("\\", found.end())
    return Token("string", text[at : match.end()], at, match.end())


def _check_bracket(token: Token, brackets: list[Token]) -> None:
    if token.text not in _CLOSES:
        brackets.append(token)
        if len(brackets) > MAX_DEPTH:
            _fail(f"brackets are nested deeper than {MAX_DEPTH}", token.start, token.end)
        return
    if not brackets:
        _fail(f"`{token.text}` closes nothing", token.start, token.end)
    opened = brackets.pop()
    if opened.text != _CLOSES[token.text]:
        _fail(f"`{token.text}` doesn't close `{opened.text}`", token.start, token.end)


def _bad_number(text: str, at: int) -> NoReturn:
    match = re.compile(r"[0-9A-Za-z_.]+").match(text, at)
    found = match.group() if match else text[at]
    end = at + len(found)
    if re.fullmatch(r"[0-9_.]+([eE]?[0-9_]+)?[jJ]", found):
        _fail(f"the complex number {_short(found)} is not allowed", at, end, code="GA202")
    _fail(f"`{_short(found)}` is not a number", at, end, "a name begins with a letter")


def _bad_character(text: str, at: int) -> NoReturn:
    c = text[at]
    if c in "\u2018\u2019\u201c\u201d\u00ab\u00bb":
        _fail(f"`{c}` is not a quote of the language", at, at + 1, "use plain quotes: '")
    if c.isidentifier() or c.isdigit():
        hint = "write `['...']` for a key with other letters"
        _fail(f"`{c}`: names have ASCII letters only", at, at + 1, hint, code="GA202")
    _fail(f"unexpected character {c!a}", at, at + 1)


def _bad_symbol(text: str, symbol: str, at: int) -> NoReturn:
    if symbol == "${":
        _fail("`${ }` inside an expression", at, _whole(text, at), _REMOVE, code="GA207")
    if symbol in _REFUSED:
        _refuse(symbol, at)
    _fail(f"unexpected `{symbol}`", at, at + len(symbol), _MEANT.get(symbol))


def _refuse(word: str, at: int) -> NoReturn:
    what, hint = _REFUSED[word]
    _fail(f"{what} is not allowed", at, at + len(word), hint, code="GA202")


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:27] + "..."


def _fail(message: str, start: int, end: int, hint: str | None = None, *, code: str = "GA201") -> NoReturn:
    raise ExpressionError(code, message, start, end, hint)
