"""From the tree of a document to its spec, with every finding about structure on the way (GA001 to GA006)."""

from __future__ import annotations

from typing import Any

from graphagent.graph import keys, spec
from graphagent.graph.declaration_reader import DeclarationReader
from graphagent.graph.document import Document, Mapping, Node, Scalar, plain_data
from graphagent.graph.versions import version_help

_SHAPES = {"Graph": keys.DOCUMENT, "Library": keys.LIBRARY}
_SECTIONS = ("imports", "types", "secrets", "models", "tools", "prompts", "graphs")


class Walker(DeclarationReader):
    """Reads a whole document. `spec` leaves broken parts out, so it can be checked further but not compiled."""

    def read_document(self) -> spec.Spec | None:
        root = self.document.root
        if root is None:
            if not self.document.diagnostics:
                self.report("GA005", "the file is empty", self.document.start, (), help="`graphagent init` writes one")
            return None
        if isinstance(root, Scalar) and root.value is None:
            self.report("GA005", "the file is empty", self.document.start, (), help="`graphagent init` writes one")
            return None
        if not isinstance(root, Mapping):
            self.wrong(root, (), "a graph, which is a mapping,")
            return None
        if not self.check_version(root):
            return None
        written = root.get("kind")
        kind: Any = "Library" if isinstance(written, Scalar) and written.value == "Library" else "Graph"
        shape = _SHAPES[kind]
        what = "document" if kind == "Graph" else "library"
        found = self.fields(root, (), shape, what, self.document.start) or self.partial(root, shape)
        body = {key: found[key] for key in keys.GRAPH if key in found}
        body.setdefault("start", ())
        body.setdefault("nodes", {})
        metadata = found.get("metadata") or spec.Metadata("broken")
        rest = {key: found[key] for key in _SECTIONS if key in found}
        return spec.Spec(metadata=metadata, graph=spec.GraphSpec(name="", **body), kind=kind, **rest)

    def partial(self, root: Mapping, shape: keys.Shape) -> dict[str, Any]:
        """What can be read of a document that lacks a required key; its findings are known already."""
        silent = type(self)(self.document)
        optional = {key: keys.Key(k.reader, k.option, False, k.field) for key, k in shape.items()}
        return silent.fields(root, (), optional, "document") or {}

    def check_version(self, root: Mapping) -> bool:
        """GA001 for `apiVersion` and `kind`: a document in another language isn't read any further."""
        version, kind = root.get("apiVersion"), root.get("kind")
        place = self.document.start
        if version is None:
            help = f"the first line of a graph is `apiVersion: {spec.API_VERSION}`"
            self.report("GA001", "`apiVersion` is missing", place, (), help=help)
        elif plain_data(version) != spec.API_VERSION:
            message = f"unknown `apiVersion`: {self.shown(version)}"
            help = version_help(version.text if isinstance(version, Scalar) else "")
            self.report("GA001", message, version.span, ("apiVersion",), help=help)
        elif kind is not None and plain_data(kind) not in ("Graph", "Library"):
            message, help = f"unknown `kind`: {self.shown(kind)}", "write `kind: Graph` or `kind: Library`"
            self.report("GA001", message, kind.span, ("kind",), help=help)
        else:
            return True
        return False

    def shown(self, node: Node) -> str:
        return f"`{node.text}`" if isinstance(node, Scalar) else "it must be text"


def read_spec(document: Document, *, linked: bool = False) -> tuple[spec.Spec | None, Walker]:
    """The spec of a document and the walker that has the findings.

    Args:
        linked: It is one that `link` made, so it declares names of imports.

    The spec is None if the document can't be read at all; where there are errors it is not complete.
    """
    walker = Walker(document)
    walker.linked = linked
    return walker.read_document(), walker
