"""What the composition root gives to nodes: functions, models, prompts, bound kinds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphagent import registry
from graphagent.codec import digest, encode
from graphagent.errors import MissingExtra, ModelError, SecretMissing
from graphagent.graph.plan import GraphPlan, ModelPlan, NodePlan, Plan, Template
from graphagent.graph.shipped import FOLDERS, SHIPPED
from graphagent.graph.spec import CodeBody, OtherBody
from graphagent.hooks import HookStage
from graphagent.llm.capabilities import NOTHING_SAID
from graphagent.nodes.added import AddedNode
from graphagent.ports import Contexts, Hook, Model, Node, SharedRates, ToolSource
from graphagent.session.functions import Functions
from graphagent.session.hooks import Hooks
from graphagent.session.new import graph_name
from graphagent.session.reducers import bound
from graphagent.session.secrets import Secrets
from graphagent.session.settings import Settings
from graphagent.session.tools import Tools


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """See `ports.Clock`."""
        return time.time_ns() // 1000


class Models:
    """The models of a project, opened at their first call and shared by its sessions."""

    def __init__(self, settings: Settings, given: Mapping[str, Model], rates: SharedRates | None = None) -> None:
        self.settings, self.given, self.rates = settings, given, rates
        self.secrets = Secrets(settings.secrets, settings.root)
        self._open: dict[str, Model] = {}
        self._script: Any = None
        self._guards: Any = None
        self._workers = 1

    async def get(self, plan: Plan, name: str) -> Model:
        """The model that this plan calls `name`, after the project's overrides."""
        if name in self.given:
            return self.given[name]
        model = self.resolve(plan, name)
        key = repr(model)
        if key not in self._open:
            self._open[key] = self._make(name, model, plan.secrets)
        return self._open[key]

    def check(self) -> None:
        """Read the recorded answers, so that nothing begins with a file that can't be read.

        Raises:
            InputInvalid, NotFound: it is one.
        """
        if self._script is None and self.settings.scripted is not None:
            from graphagent.llm.script_file import load_script

            self._script = load_script(self.settings.scripted)

    def _make(self, name: str, model: ModelPlan, secrets: tuple[str, ...]) -> Model:
        from graphagent.llm import open_model
        from graphagent.llm.guarded import SharedGuards

        if self._guards is None:
            self._guards = SharedGuards(self.rates)
            self._guards.split(self._workers)

        self.check()
        try:
            base_url, api_key = (
                None if raw is None else self.secrets.fill(raw, secrets) for raw in (model.base_url, model.api_key)
            )
            return open_model(
                model.use, base_url=base_url, api_key=api_key, script=self._script, name=name,
                capabilities=self.settings.capabilities.get(model.use, NOTHING_SAID), guards=self._guards,
            )  # fmt: skip
        except SecretMissing as error:
            raise ModelError(error.message, kind="auth", retryable=False, hint=error.hint) from error
        except MissingExtra as error:
            raise ModelError(error.message, kind="invalid_input", retryable=False, hint=error.hint) from error

    def split(self, workers: int) -> None:
        """Keep to one of so many parts of the rate limits, where they aren't kept together."""
        self._workers = workers
        if self._guards is not None:
            self._guards.split(workers)

    def resolve(self, plan: Plan, name: str) -> ModelPlan:
        """The plan's model with the override for its name, or for all, applied."""
        model = plan.models.get(name)
        if model is None:
            raise ModelError(f"the graph has no model {name!r}", kind="invalid_input", retryable=False)
        use = self.settings.models.get(name) or self.settings.models.get("*")
        if use is None:
            return model
        provider, _, rest = use.partition("@")
        return replace(model, use=provider, base_url=rest or None, api_key=None)

    def identity(self, plan: Plan, name: str) -> list[str]:
        """What a name stands for here: results of other models aren't its results."""
        if name in self.given:
            model = self.given[name]
            return ["given", type(model).__qualname__, model.info.name]
        resolved = self.resolve(plan, name)
        return [resolved.use, str(resolved.base_url), str(self.settings.scripted)]

    async def aclose(self) -> None:
        """Close every model that was opened."""
        models, self._open = self._open, {}
        for model in models.values():
            await model.aclose()


class Services:
    """`ports.TaskServices` for the sessions of one plan."""

    def __init__(
        self, plan: Plan, models: Models, functions: Functions, contexts: Contexts | None = None,
        hooks: Hooks | None = None,
    ) -> None:  # fmt: skip
        self.contexts, self._hooks = contexts, hooks
        self.plan, self.models, self.functions = bound(plan, functions), models, functions
        self.tools = Tools(self.plan, functions, models.settings, models.secrets)
        self._kinds: dict[int, Node] = {}
        self._fingerprints: dict[str, bytes] = {}
        self._files = tuple(plan.templates.items())

    def function(self, reference: str) -> Callable[..., Any]:
        """See `ports.TaskServices`."""
        return self.functions.load(reference)

    def tool_source(self, name: str) -> ToolSource:
        """See `ports.TaskServices`."""
        return self.tools.source(name)

    async def model(self, name: str) -> Model:
        """See `ports.TaskServices`."""
        return await self.models.get(self.plan, name)

    def identity(self, node: NodePlan) -> bytes:
        """See `ports.TaskServices`."""
        nodes = [node] if node.item is None else [node, node.item]
        code = [(self.fingerprint(n) or b"").hex() for n in nodes]
        names = [n.model for n in nodes if n.model is not None]
        said: list[Any] = [code, [self.models.identity(self.plan, name) for name in names]]
        hooks = [] if self._hooks is None else self._hooks.fingerprint()
        return digest(encode([*said, hooks] if hooks else said))

    def hooks(self, stage: HookStage, node: str) -> Sequence[Hook]:
        """See `ports.TaskServices`."""
        return () if self._hooks is None else self._hooks.of(stage, graph_name(self.plan), node)

    @property
    def result_limit(self) -> int:
        """See `ports.TaskServices`."""
        return self.models.settings.result_limit

    def redact(self, value: Any) -> Any:
        """See `ports.TaskServices`."""
        return self.models.secrets.redact(value)

    def render(self, template: Template, variables: Mapping[str, Any]) -> str:
        """See `ports.TaskServices`."""
        from graphagent.prompts.render import render

        return render(template, variables, self._files)

    def read_answer(self, text: str, schema: Mapping[str, Any], finish: str) -> Any:
        """See `ports.TaskServices`."""
        from graphagent.llm.structured import parse

        return parse(text, schema, finish=finish)

    def kind(self, node: NodePlan, graph: GraphPlan, plan: Plan) -> Node:
        """See `ports.TaskServices`."""
        bound = self._kinds.get(id(node))
        if bound is None:
            kind = registry.load("nodes", node.kind)
            added = isinstance(node.body, OtherBody)
            bound = AddedNode(kind, node, graph, plan) if added else kind(node, graph, plan)
            self._kinds[id(node)] = bound
        return bound

    def kinds(self) -> tuple[Node, ...]:
        """The bound kinds of the plan's graph, by node index."""
        graph = self.plan.graph
        return tuple(self.kind(node, graph, self.plan) for node in graph.nodes)

    def fingerprint(self, node: NodePlan) -> bytes | None:
        """See `ports.TaskServices`."""
        reference = node.body.python if isinstance(node.body, CodeBody) else node.tool.python if node.tool else None
        document = node.tool.openapi if node.tool else None
        if not reference and not document:
            return None
        key = reference or str(document)
        if key not in self._fingerprints:
            found = self.functions.fingerprint(reference) if reference else self.tools.fingerprint(key)
            self._fingerprints[key] = found
        return self._fingerprints[key]


def code_roots(plan: Plan, root: Path) -> tuple[Path, ...]:
    """Where a plan's modules are looked for: beside its file, then in the project."""
    if not plan.file:
        return (root,)
    here = Path(plan.file).parent
    imported = [path for folder in plan.folders for path in (FOLDERS if folder == SHIPPED else (here / folder,))]
    return (here, *imported, root)
