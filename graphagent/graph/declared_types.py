"""The types that a document declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphagent.graph.class_types import NoClass
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.document import Scalar
from graphagent.graph.python_types import NoType
from graphagent.graph.reporter import Reporter
from graphagent.graph.spec import Path, TypeText
from graphagent.graph.type_model import ANY, PREDEFINED, Field, ObjectOf, Type
from graphagent.graph.types import TypeSyntaxError, parse_decl, parse_object, parse_type
from graphagent.snapshot import UNSET

_MAX_NESTING: Final = 40


@dataclass(frozen=True, slots=True)
class Declared:
    """A type with its default, UNSET if it has none."""

    type: Type
    default: Any = UNSET


class Types:
    """The types that a document declares. What is wrong with a declaration is in `findings`, once.

    `classes` are the fields of those that it names as `pkg.mod:Model`, by that name.
    """

    def __init__(self, whole: Reporter, imported: Mapping[str, Type]) -> None:
        self.whole = whole
        self.imported = imported
        self.findings: list[Diagnostic] = []
        self.wrong: set[Path] = set()
        self.classes: dict[str, Mapping[str, str]] = {}
        self._known: dict[Path, Declared] = {}
        self._open: list[str] = []
        self._named: dict[str, Type] = {}

    def named(self) -> Mapping[str, Type]:
        """The built-in types and those under `types`."""
        for name in self.whole.spec.types:
            self._resolve(name)
        return {**PREDEFINED, **self.imported, **self._named}

    def lost(self, name: str) -> bool:
        """Whether it is a name of an import that couldn't be read, which was said there."""
        at, dot, _ = name.partition(".")
        return bool(dot) and at in self.whole.spec.imports and not any(n.startswith(f"{at}.") for n in self.imported)

    def offered(self) -> Mapping[str, Type]:
        """The types that an importer may use."""
        self.named()
        return {**self.imported, **self._named}

    def declared(self, text: TypeText, path: Path) -> Declared:
        """The type and default that stand at `path`; `any` where they are wrong."""
        if path not in self._known:
            self._known[path] = self._read(text, path, _Names(self))
        return self._known[path]

    def plain(self, text: str, path: Path) -> Type:
        """A type without a default."""
        if path not in self._known:
            try:
                self._known[path] = Declared(parse_type(text, _Names(self)))
            except TypeSyntaxError as error:
                self._report(error, path, _Names(self))
                self._known[path] = Declared(ANY)
                self.wrong.add(path)
        return self._known[path].type

    def _resolve(self, name: str) -> Type:
        """A type under `types`; one that refers to itself is an error, since values are trees of known depth."""
        if name in self._named:
            return self._named[name]
        if name in self._open:
            message = f"the type `{name}` contains itself"
            help = "use `any` or `dict[str, any]` for what may be nested to any depth"
            self.findings.append(self.whole.at_key("GA103", message, ("types", name), help=help))
            self._named[name] = ANY
            return ANY
        if len(self._open) > _MAX_NESTING:
            message = f"the type `{name}` is nested deeper than {_MAX_NESTING} types"
            self.findings.append(self.whole.at_key("GA006", message, ("types", name)))
            return ANY
        self._open.append(name)
        found = self._object(self.whole.spec.types[name], ("types", name), _Names(self), name)
        self._open.pop()
        return self._named.setdefault(name, found)

    def of_class(self, reference: str) -> Type:
        """The type of a `pkg.mod:Model`; `any` where nobody said where modules are. Raises TypeSyntaxError."""
        project = self.whole.project
        if project is None or reference in self._named:
            return self._named.get(reference, ANY)
        if reference in self._open:
            help = "use `Any` for what may be nested to any depth"
            raise _no_class(NoType(f"the class `{reference}` contains itself", hint=help))
        self._open.append(reference)
        try:
            if reference not in self.classes:
                self.classes |= project.classes(reference)
            made = parse_object(self.classes[reference], _Names(self), reference)
        except NoType as error:
            raise _no_class(error) from None
        except TypeSyntaxError as error:
            message = f"{reference.rpartition(':')[2]}.{'.'.join(error.field)}: " if error.field else ""
            raise TypeSyntaxError(message + error.message, 0, 0, hint=error.hint, finding=error.finding) from None
        finally:
            self._open.pop()
        return self._named.setdefault(reference, made)

    def _object(self, fields: Mapping[str, Any], path: Path, names: Mapping[str, Type], name: str | None) -> ObjectOf:
        out = []
        for field, text in fields.items():
            declared = self._read(text, (*path, field), names)
            out.append(Field(field, declared.type, declared.default))
        made = ObjectOf(tuple(out), name)
        try:
            parse_type("Made", {"Made": made})  # refuses what has grown too large to be walked
        except TypeSyntaxError as error:
            self.findings.append(self.whole.at_key("GA006", error.message, path, help=error.hint))
            return ObjectOf((), name)
        return made

    def _read(self, text: TypeText, path: Path, names: Mapping[str, Type]) -> Declared:
        if not isinstance(text, str):
            return Declared(self._object(text, path, names, None))
        try:
            found, default = parse_decl(text, names)
        except TypeSyntaxError as error:
            self._report(error, path, names)
            self.wrong.add(path)
            return Declared(ANY)
        return Declared(found, default)

    def _report(self, error: TypeSyntaxError, path: Path, names: Mapping[str, Type]) -> None:
        scalar = self.whole.scalar(path)
        span = self.whole.document.locate(scalar, error.start, error.end) if isinstance(scalar, Scalar) else None
        if error.unknown is not None:
            known = [*PREDEFINED, "list", "dict", "Literal", *self.imported, *self.whole.spec.types]
            declared = ", ".join(self.whole.spec.types)
            otherwise = f"types: {declared}" if declared else "declare it under `types`"
            guess = self.whole.guess(error.unknown, known, span, otherwise)
            self.findings.append(self.whole.finding("GA103", f"unknown type `{error.unknown}`", path, span, **guess))
            return
        self.findings.append(self.whole.finding(error.finding, error.message, path, span, help=error.hint))


def _no_class(error: NoType) -> TypeSyntaxError:
    code = "GA108" if isinstance(error, NoClass) else "GA308"
    return TypeSyntaxError(error.message, 0, 0, hint=error.hint, finding=code)


class _Names(Mapping[str, Type]):
    """The names of types, resolved when they are asked for: types may stand in any order."""

    def __init__(self, types: Types) -> None:
        self._types = types

    def __getitem__(self, name: str) -> Type:
        if name in PREDEFINED:
            return PREDEFINED[name]
        if name in self._types.imported:
            return self._types.imported[name]
        if self._types.lost(name):
            return ANY
        if ":" in name:
            return self._types.of_class(name)
        if name not in self._types.whole.spec.types:
            raise KeyError(name)
        return self._types._resolve(name)

    def __iter__(self) -> Any:
        return iter({**PREDEFINED, **self._types.imported, **self._types.whole.spec.types})

    def __len__(self) -> int:
        return len({**PREDEFINED, **self._types.imported, **self._types.whole.spec.types})
