"""Classes of pydantic as types, read from a module's text without importing it.

A class becomes the object type of its fields. What Python alone knows of it, such as validators and constraints, stays
in Python: values are held to the types of the fields.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from graphagent.graph.python_types import NoType, literal
from graphagent.graph.suggest import suggest

Fields = dict[str, str]
"""Declarations by field, as authors write them under `types`."""

_ATOMS: Final = {
    "str": "str", "int": "int", "float": "float", "bool": "bool", "None": "None", "Any": "any", "object": "any",
    "list": "list[any]", "List": "list[any]", "Sequence": "list[any]", "dict": "dict[str, any]",
    "Dict": "dict[str, any]", "Mapping": "dict[str, any]",
}  # fmt: skip
_LISTS: Final = frozenset({"list", "List", "Sequence"})
_DICTS: Final = frozenset({"dict", "Dict", "Mapping"})
_ENUMS: Final = frozenset({"Enum", "StrEnum", "IntEnum"})


class NoClass(NoType):
    """There is no such class."""


class Classes:
    """Reads classes of the modules that a project has.

    Args:
        module: The text of a module by its name, None where the project has no such module.
    """

    def __init__(self, module: Callable[[str], str | None]) -> None:
        self._module = module

    def read(self, reference: str) -> dict[str, Fields]:
        """The fields of `pkg.mod:Model` and of every class that they refer to, by reference; its own come first.

        Raises:
            NoClass: there is no such class.
            NoType: a field is of no type of the language.
        """
        out: dict[str, Fields] = {}
        left = [reference]
        while left:
            name = left.pop()
            if name not in out:
                home, _, cls = name.partition(":")
                reading = _Reading(self, home)
                try:
                    out[name] = reading.fields(reading.model(cls))
                except RecursionError:
                    raise NoType(f"`{cls}` is nested too deeply") from None
                left += reading.referred
        return out

    def statements(self, module: str) -> dict[str, ast.stmt]:
        """What gives each name of a module its meaning: a class, an import or an assignment. Raises NoClass."""
        text = self._module(module)
        if text is None:
            help = f"the project folder needs `{module.replace('.', '/')}.py`, or the host allows it by `allow_modules`"
            raise NoClass(f"no module `{module}` in the project", hint=help)
        return _statements(text)


@lru_cache(maxsize=64)
def _statements(text: str) -> dict[str, ast.stmt]:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NoClass(f"the module is no Python text: {getattr(error, 'msg', error)}") from None
    out: dict[str, ast.stmt] = {}
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            out[statement.name] = statement
        elif isinstance(statement, ast.ImportFrom | ast.Import):
            out.update({alias.asname or alias.name: statement for alias in statement.names})
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            out[statement.targets[0].id] = statement
    return out


class _Reading:
    """One class of a module; `referred` are the classes that its fields are of."""

    def __init__(self, classes: Classes, module: str) -> None:
        self.classes, self.module = classes, module
        self.names = classes.statements(module)
        self.referred: list[str] = []

    def model(self, name: str) -> ast.ClassDef:
        """The class of that name, which has to be a model. Raises NoClass."""
        found = self.names.get(name)
        if not isinstance(found, ast.ClassDef):
            meant = suggest(name, [n for n, s in self.names.items() if isinstance(s, ast.ClassDef)])
            raise NoClass(f"`{self.module}` has no class `{name}`", hint=f"did you mean `{meant}`?" if meant else None)
        if not self.is_model(found):
            raise NoClass(f"`{name}` is no class of pydantic", hint=f"write `class {name}(BaseModel):`")
        return found

    def is_model(self, found: ast.ClassDef, depth: int = 0) -> bool:
        """Whether one of its bases leads to `BaseModel`."""
        if depth > 20:
            return False
        for base in found.bases:
            name = _last(base)
            home, other = self.home(name)
            if name == "BaseModel" or (isinstance(other, ast.ClassDef) and home.is_model(other, depth + 1)):
                return True
        return False

    def home(self, name: str) -> tuple[_Reading, ast.stmt | None]:
        """Where a name is defined: here, or in the module of the project that it is imported from."""
        found = self.names.get(name)
        for _ in range(20):
            if not isinstance(found, ast.ImportFrom) or found.level > 1:
                break
            source = self.module.rpartition(".")[0] if found.level else ""
            module = ".".join(filter(None, (source, found.module)))
            alias = next((a for a in found.names if (a.asname or a.name) == name), None)
            if alias is None:
                break
            try:
                return _Reading(self.classes, module).home(alias.name)
            except NoClass:
                break
        return self, found

    def fields(self, model: ast.ClassDef, depth: int = 0) -> Fields:
        """The fields, those of its bases first. Raises NoType."""
        out: Fields = {}
        for base in model.bases:
            home, found = self.home(_last(base))
            if isinstance(found, ast.ClassDef) and depth < 20:
                out |= home.fields(found, depth + 1)
                self.referred += home.referred if home is not self else []
        for name, annotation, value in _declared(model):
            try:
                out[name] = self.type(annotation) + self.default(value)
            except NoType as error:
                raise NoType(f"{model.name}.{name}: {error.message}", hint=error.hint) from None
        return out

    def type(self, found: ast.expr) -> str:
        """The type that an annotation names. Raises NoType."""
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            return self.type(_expression(found.value))
        if isinstance(found, ast.Constant) and found.value is None:
            return "None"
        if isinstance(found, ast.BinOp) and isinstance(found.op, ast.BitOr):
            return f"{self.type(found.left)} | {self.type(found.right)}"
        if isinstance(found, ast.Subscript):
            return self.generic(_last(found.value), _parts(found.slice))
        if isinstance(found, ast.Name | ast.Attribute):
            return self.named(_last(found))
        raise _unknown(found)

    def generic(self, name: str, parts: list[ast.expr]) -> str:
        if name == "Literal":
            return f"Literal[{', '.join(literal(_value(part)) for part in parts)}]"
        if name == "Annotated":
            return self.type(parts[0])
        inner = [self.type(part) for part in parts]
        if name == "Optional":
            return f"{inner[0]} | None"
        if name == "Union":
            return " | ".join(inner)
        if name in _LISTS and len(inner) == 1:
            return f"list[{inner[0]}]"
        if name in _DICTS and len(inner) == 2 and inner[0] == "str":
            return f"dict[str, {inner[1]}]"
        raise NoType(f"`{name}[{', '.join(map(ast.unparse, parts))}]` is not a type of the language")

    def named(self, name: str) -> str:
        home, found = self.home(name)
        if isinstance(found, ast.ClassDef):
            if any(_last(base) in _ENUMS for base in found.bases):
                return f"Literal[{', '.join(literal(value) for _, value in _members(found))}]"
            reference = f"{home.module}:{home.model(found.name).name}"
            self.referred.append(reference)
            return reference
        if isinstance(found, ast.Assign) and name not in _ATOMS:
            return home.type(found.value)
        if name not in _ATOMS:
            raise NoType(f"`{name}` is not a type of the language", hint=_MEANT.get(name))
        return _ATOMS[name]

    def default(self, value: ast.expr | None) -> str:
        """` = literal`, or nothing for a field that has to be given. Raises NoType."""
        if isinstance(value, ast.Call) and _last(value.func) == "Field":
            return self.field(value)
        if value is None or (isinstance(value, ast.Constant) and value.value is ...):
            return ""
        return f" = {literal(self.value(value))}"

    def value(self, found: ast.expr) -> Any:
        """A literal, a member of an enum, or a name that stands for one of these. Raises NoType."""
        if isinstance(found, ast.Attribute) and isinstance(found.value, ast.Name):
            _, enum = self.home(found.value.id)
            if isinstance(enum, ast.ClassDef) and found.attr in (members := dict(_members(enum))):
                return members[found.attr]
        if isinstance(found, ast.Name):
            _, constant = self.home(found.id)
            if isinstance(constant, ast.Assign):
                return _value(constant.value)
        return _value(found)

    def field(self, call: ast.Call) -> str:
        given: dict[str | None, ast.expr] = {keyword.arg: keyword.value for keyword in call.keywords}
        alias = next((key for key in ("alias", "validation_alias", "serialization_alias") if key in given), None)
        if alias is not None:
            raise NoType(f"`{alias}` gives it a second name", hint="name the field as the data does")
        factory = given.get("default_factory")
        if factory is not None:
            made = {"list": "[]", "dict": "{}"}.get(_last(factory))
            if made is None:
                raise NoType("its default is only known when Python runs", hint="a default is a literal")
            return f" = {made}"
        return self.default(call.args[0] if call.args else given.get("default"))


_MEANT: Final = {
    **dict.fromkeys(("datetime", "date", "time", "timedelta"), "write `str`: times are ISO 8601 text"),
    **dict.fromkeys(("tuple", "set", "frozenset"), "write `list[...]`"),
    **dict.fromkeys(("UUID", "Path", "Decimal"), "write `str`"),
    "bytes": "bytes travel as `Artifact`",
}


def _declared(model: ast.ClassDef) -> Iterator[tuple[str, ast.expr, ast.expr | None]]:
    """Name, annotation and default of each field."""
    for statement in model.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            annotation, name = statement.annotation, statement.target.id
            class_wide = _last(annotation.value if isinstance(annotation, ast.Subscript) else annotation) == "ClassVar"
            if not name.startswith("_") and name != "model_config" and not class_wide:
                yield name, annotation, statement.value


def _members(enum: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for statement in enum.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, _value(statement.value)


def _last(found: ast.expr) -> str:
    """`Model` of `pkg.Model`; "" for anything that has no name."""
    return found.attr if isinstance(found, ast.Attribute) else getattr(found, "id", "")


def _parts(found: ast.expr) -> list[ast.expr]:
    return found.elts if isinstance(found, ast.Tuple) else [found]


def _value(found: ast.expr) -> Any:
    try:
        return ast.literal_eval(found)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise NoType(f"`{ast.unparse(found)[:60]}` is no literal", hint="a default is a literal") from None


def _expression(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NoType(f"{text[:60]!r} is no type") from None


def _unknown(found: ast.expr) -> NoType:
    return NoType(f"`{ast.unparse(found)[:60]}` is not a type of the language")
