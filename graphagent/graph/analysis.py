"""What the rules look at: a spec with its document, and what has been found out about it, made when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from graphagent.graph.declared_types import Types
from graphagent.graph.document import Document
from graphagent.graph.environment import Environment
from graphagent.graph.expression_tree import Node as Tree
from graphagent.graph.expressions import Expression, ExpressionError, parse
from graphagent.graph.flow import Flow
from graphagent.graph.guards import Guards
from graphagent.graph.occurrences import Inferred, Occurrence, declared, infer_occurrence, occurrences
from graphagent.graph.project import Project
from graphagent.graph.reporter import Reporter
from graphagent.graph.spec import GraphSpec, ModelSpec, NodeSpec, Path, Prompt, Spec, ToolSpec
from graphagent.graph.tokens import Tokens
from graphagent.graph.type_model import Type

T = TypeVar("T")


class Analysis(Reporter):
    """One document.

    Args:
        spec: What was read; where `broken` names paths, it is not complete.
        document: Where it was read from.
        project: Where prompts and functions are looked up; None skips the rules that need it.
        broken: The paths of errors that were found while reading.
        imports: What is known of each file that it imports, by the import's name.
    """

    def __init__(
        self, spec: Spec, document: Document, project: Project | None, broken: Iterable[Path] = (),
        imports: Mapping[str, Analysis] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(spec, document, project)
        self.broken = tuple(broken)
        self.imports = imports or {}
        self.types = Types(self, self._offered(lambda other: other.types.offered()))
        self.graphs = tuple(GraphAnalysis(self, graph) for graph in (spec.graph, *spec.graphs.values()))

    @property
    def models(self) -> Mapping[str, ModelSpec]:
        """All models that nodes may name, by the name that they use."""
        return {**self.spec.models, **self._offered(lambda other: other.models)}

    @property
    def tools(self) -> Mapping[str, ToolSpec]:
        """All tools that nodes may name."""
        return {**self.spec.tools, **self._offered(lambda other: other.tools)}

    @property
    def prompts(self) -> Mapping[str, Prompt]:
        """All prompts that nodes may name."""
        return {**self.spec.prompts, **self._offered(lambda other: other.prompts)}

    @property
    def graph_names(self) -> tuple[str, ...]:
        """All graphs that nodes may call, but for `self`."""
        main = [name for name, other in self.imports.items() if other.spec.kind == "Graph"]
        return (*self.spec.graphs, *main, *self._offered(lambda other: dict.fromkeys(other.graph_names)))

    def _offered(self, names: Callable[[Analysis], Mapping[str, T]]) -> dict[str, T]:
        """What the imports offer, by the names that are used here."""
        return {f"{at}.{n}": found for at, other in self.imports.items() for n, found in names(other).items()}

    def environment_of(self, name: str) -> Environment | None:
        """What the graph of that name has to do with types; None if there is no such graph."""
        at, _, inner = name.partition(".")
        if at in self.imports:
            other = self.imports[at]
            return other.environment_of(inner) if inner or other.spec.kind == "Graph" else None
        return next((graph.environment for graph in self.graphs if graph.graph.name == name), None)

    def foreign(self, name: str) -> tuple[Environment, str] | None:
        """Where a name of an import is known: an environment of its file, and the name there."""
        at, _, inner = name.partition(".")
        return (self.imports[at].graphs[0].environment, inner) if inner and at in self.imports else None


class GraphAnalysis:
    """One graph of a document."""

    def __init__(self, whole: Analysis, graph: GraphSpec) -> None:
        self.whole = whole
        self.graph = graph
        self.flow = Flow(graph)
        self.tokens = Tokens(self.flow)
        self.environment = Environment(
            whole, whole.types, graph, self.flow, self.type_of, whole.environment_of, whole.foreign
        )
        self.branches: dict[tuple[str, str], set[str]] = {}
        self.templates: dict[Path, Any] = {}
        self.whole_is_known = False
        self._inferred: dict[Path, Inferred | None] = {}

    @cached_property
    def occurrences(self) -> dict[Path, Occurrence]:
        """Every expression and value of this graph by its path; the main one has those of models and tools too."""
        found = {occurrence.path: occurrence for occurrence in occurrences(self.graph, self.environment)}
        if not self.graph.name:
            found.update((occurrence.path, occurrence) for occurrence in declared(self.whole.spec))
        return found

    def inferred(self, path: Path) -> Inferred | None:
        """What is known of the occurrence at a path; None if there is none, or while it is being found out."""
        if path not in self._inferred:
            self._inferred[path] = None  # what refers to itself is of no known type
            occurrence = self.occurrences.get(path)
            if occurrence is not None:
                self._inferred[path] = infer_occurrence(occurrence)
        return self._inferred[path]

    @cached_property
    def all_inferred(self) -> tuple[Inferred, ...]:
        return tuple(found for path in self.occurrences if (found := self.inferred(path)) is not None)

    def type_of(self, path: Path) -> Type | None:
        """The type of the occurrence at a path."""
        found = self.inferred(path)
        return None if found is None else found.type

    def expression(self, text: str | None) -> Expression | None:
        """A parsed guard, None for an else and for what can't be parsed."""
        if text is None:
            return None
        try:
            return parse(text)
        except ExpressionError:
            return None

    def guards(self, node: NodeSpec) -> Guards | None:
        """The guards of a node's `next`; None if one of them is broken."""
        trees: list[tuple[str, Tree] | None] = []
        for route in node.next:
            expression = self.expression(route.when)
            found = self.inferred((*route.path, "when")) if route.when is not None else None
            if route.when is not None and (expression is None or found is None or not found.sound):
                return None
            trees.append(None if expression is None else (expression.text, expression.tree))
        return Guards(trees, self.environment.after(node))

    @cached_property
    def broken(self) -> bool:
        """Whether something in this graph couldn't be read, so that what is missing may not be missing."""
        if any(found.severity == "error" for found in self.whole.document.diagnostics):
            return True
        own = ("graphs", self.graph.name) if self.graph.name else ()
        return any(at[: len(own)] == own and (own or at[:1] != ("graphs",)) for at in self.whole.broken)

    @cached_property
    def order(self) -> dict[str, int]:
        """The place of each node in the file."""
        return {name: i for i, name in enumerate(self.graph.nodes)}

    @cached_property
    def tasks(self) -> tuple[tuple[NodeSpec, NodeSpec | None], ...]:
        """Each node with None, and each node under a `do` with the map or agent it belongs to."""
        out: list[tuple[NodeSpec, NodeSpec | None]] = []
        for node in self.graph.nodes.values():
            out.append((node, None))
            out += [(item, node) for item in node.inner()]
        return tuple(out)
