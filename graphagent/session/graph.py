"""A graph to run: loaded from YAML, or built in Python."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from graphagent import concurrency
from graphagent.errors import GraphInvalid, NotFound
from graphagent.graph.builder import GraphBuilder
from graphagent.graph.compile import compile_spec
from graphagent.graph.diagnostics import Diagnostic, render
from graphagent.graph.overriding import Given, with_prompts
from graphagent.graph.plan import Plan
from graphagent.graph.validate import Checked, check_text, validate_text
from graphagent.session import operations
from graphagent.session.classes import project_files
from graphagent.session.graph_file import find_graph, shown_name
from graphagent.session.operations import DEFAULTS, Options
from graphagent.session.project import Project, default_project
from graphagent.session.session import Result, result_of
from graphagent.session.stream import Stream

if TYPE_CHECKING:
    from networkx import MultiDiGraph

    from graphagent.drawing import Drawing


class Graph(GraphBuilder):
    """A graph: the builder's methods, and the ways to run it.

    `Graph("name", inputs=..., outputs=...)` starts a new one; `load`, `loads` and `Graph.from_yaml` read one.
    """

    _plan: Plan | None = None
    _compiled = -1
    _prompts: Given = MappingProxyType({})

    @classmethod
    def from_yaml(cls, text: str, *, name: str = "<string>", project: Project | None = None) -> Graph:
        """The graph of a YAML text. Raises GraphInvalid with all findings."""
        return cls._read(text, name, None, project)

    @classmethod
    def _read(cls, text: str | bytes, file: str, path: Path | None, project: Project | None) -> Graph:
        folder = path.parent if path is not None else Path.cwd()
        root = project.root if project is not None else folder
        files = project_files(root, folder, None if project is None else project.settings.allow_modules)
        checked = check_text(text, file, files, str(path or ""))
        if checked.spec is None:
            raise GraphInvalid(checked.diagnostics, render(checked.diagnostics, checked.texts))
        graph = cls.of_spec(checked.spec)
        graph.diagnostics = checked.diagnostics
        graph.source = path
        graph._freeze(checked)
        return graph

    def compile(self) -> Plan:
        """The plan. Raises GraphInvalid with all findings of a graph that was built."""
        if self._plan is None or self._compiled != self.edits:
            files = project_files(Path.cwd(), self.folder)
            checked = self.checked(files)
            self.diagnostics = checked.diagnostics
            if checked.spec is None:
                raise GraphInvalid(self.diagnostics, render(self.diagnostics, checked.texts))
            return self._freeze(checked)
        return self._plan

    def _freeze(self, checked: Checked) -> Plan:
        if checked.linked is None or checked.linked.kind == "Library":
            raise NotFound("there is no graph to run in a library", hint="import it, and run that graph")
        where = str(self.source) if self.source is not None else None
        plan = compile_spec(checked.linked, checked.template, checked.positions, where, checked.folders, checked.skills)
        plan = with_prompts(plan, self._prompts)
        self._plan, self._compiled = plan, self.edits
        return plan

    def with_prompts(self, prompts: Given) -> Graph:
        """This graph with other texts for some of its prompts: whole ones, or `{"blocks": {"tone": "Be brief."}}`.

        Raises:
            InputInvalid: there is no such prompt or block.
            GraphInvalid: a text uses a variable that a node doesn't give; the finding names the place in the text.
        """
        other = copy(self)
        other._prompts = {**self._prompts, **prompts}
        other._plan, other._compiled = with_prompts(self.compile(), prompts), self.edits
        return other

    @property
    def hash(self) -> str:
        """The plan's hash, as it is shown."""
        from graphagent.codec import show_digest

        return show_digest(self.compile().hash)

    def draw(self, **options: Any) -> Drawing:
        """The drawing; see `graphagent.drawing`."""
        from graphagent.drawing import draw_plan

        return draw_plan(self.compile(), **options)

    def to_networkx(self) -> MultiDiGraph[str]:
        """The main graph for `networkx`; see `graphagent.graph.network`."""
        from graphagent.graph.network import network

        return network(self.compile().graph)

    async def arun(
        self, inputs: Mapping[str, Any] | None = None, /, *, project: Project | None = None,
        options: Options = DEFAULTS, **named: Any,
    ) -> Result:  # fmt: skip
        """A new session, and its first run."""
        return await concurrency.in_trio(self._run, {**(inputs or {}), **named}, default_project(project), options)

    run = concurrency.blocking(arun)

    async def _run(self, inputs: Mapping[str, Any], project: Project, options: Options) -> Result:
        host = await project.host()
        return await result_of(project, await operations.start(host, self.compile(), inputs, options))

    def stream(
        self, inputs: Mapping[str, Any] | None = None, /, *, project: Project | None = None,
        options: Options = DEFAULTS, **named: Any,
    ) -> Stream:  # fmt: skip
        """A new session's first run as a stream of events."""
        given, where = {**(inputs or {}), **named}, default_project(project)

        async def produce(observer: Any, chosen: Options) -> Result:
            host = await where.host()
            return await result_of(where, await operations.start(host, self.compile(), given, chosen, observer))

        return Stream(produce, options)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.draw()._repr_mimebundle_(include, exclude)


def load(path: str | Path, *, project: Project | None = None) -> Graph:
    """The graph of a YAML file, or of a ready-made one: `graphagent:summarize.graph.yaml`.

    Raises:
        GraphInvalid: it has errors; all of them are in `diagnostics`.
        NotFound: there is no such file.
    """
    file = find_graph(path)
    shown = shown_name(file, project.root if project else None)
    return Graph._read(file.read_bytes(), shown, file, project)


def loads(text: str, *, name: str = "<string>", project: Project | None = None) -> Graph:
    """The graph of a YAML text."""
    return Graph.from_yaml(text, name=name, project=project)


def validate(source: str | Path, *, project: Project | None = None) -> list[Diagnostic]:
    """All findings of a YAML file; never raises for findings. Raises NotFound if there is no such file."""
    file = find_graph(source)
    allowed = None if project is None else project.settings.allow_modules
    files = project_files(project.root if project else file.parent, file.parent, allowed)
    return validate_text(file.read_bytes(), str(source), files)[1]
