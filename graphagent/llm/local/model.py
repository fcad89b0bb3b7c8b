"""The model port over the local server."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import trio

from graphagent.errors import MissingExtra, ModelError
from graphagent.llm.local.install import locate
from graphagent.llm.local.server import CONTEXT, SERVER, SLOTS, LocalServer, Running, broken
from graphagent.llm.openai_compatible import OpenAICompatibleModel
from graphagent.messages import ModelInfo, ModelPart, ModelRequest, Price, Sampling

SEED = 1
MAX_OUTPUT = 512
MAX_STRUCTURED = 1024
"""An answer in a grammar is bounded by it, and must not be cut before its last brace."""

IDLE_S = 180.0
"""A long prompt on a busy machine takes a minute; a server that dies is noticed by its connection."""


class LocalModel:
    """SmolLM2 on this machine, free of charge. Without other wishes it answers at temperature 0 with a fixed seed.

    Args:
        server: The server to use; all models of a process share one.
        weights: The file, if not the installed one.

    Raises:
        MissingExtra: the server's package isn't installed.
        ModelError: the weights aren't.
    """

    def __init__(
        self,
        *,
        name: str = "smollm2",
        server: LocalServer = SERVER,
        weights: Path | None = None,
        idle_s: float = IDLE_S,
        total_s: float = 600.0,
    ) -> None:
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtra("local", "xllamacpp")
        found = weights or locate()
        if found is None:
            raise ModelError(
                f"the weights of local/{name} are not installed", kind="invalid_input", hint="graphagent local install"
            )
        self.info = ModelInfo(
            name,
            "local",
            context_window=CONTEXT // SLOTS,
            max_output=MAX_STRUCTURED,
            tools=False,
            parallel_tools=False,
            price=Price(0, 0),
        )
        self._weights = found
        self._server = server
        self._times = (idle_s, total_s)
        # a call that waits for a slot must not spend its idle time there
        self._slots = trio.Semaphore(SLOTS)
        self._spoken: tuple[Running, OpenAICompatibleModel] | None = None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer, `Done` last. The first call starts the server.

        Raises:
            ModelError: the call failed; nothing else is raised.
        """
        async with self._slots:
            try:
                # not shielded: a start that nobody waits for any more still serves the next call
                running = await trio.to_thread.run_sync(self._server.ensure, self._weights, abandon_on_cancel=True)
            except OSError as error:
                raise broken(f"can't start it: {error}") from error
            model = await self._speaking_to(running)
            try:
                async with aclosing(model.stream(self._settled(request))) as parts:
                    async for part in parts:
                        yield part
            except ModelError as error:
                if error.cause in ("connection", "stream_broken"):
                    await trio.to_thread.run_sync(self._server.settle, running)
                raise

    async def aclose(self) -> None:
        """Close the connections. The server goes on for other models of this process, until it ends."""
        if self._spoken is not None:
            spoken, self._spoken = self._spoken, None
            await spoken[1].aclose()

    async def _speaking_to(self, running: Running) -> OpenAICompatibleModel:
        old = self._spoken
        if old is not None and old[0] == running:
            return old[1]
        idle_s, total_s = self._times
        model = OpenAICompatibleModel(
            self.info, running.base_url, api_key=running.key, idle_s=idle_s, total_s=total_s, bounded=True
        )
        self._spoken = running, model
        if old is not None:
            await old[1].aclose()
        return model

    def _settled(self, request: ModelRequest) -> ModelRequest:
        wanted = request.sampling
        limit = MAX_STRUCTURED if request.output is not None else MAX_OUTPUT
        sampling = Sampling(
            temperature=0.0 if wanted.temperature is None else wanted.temperature,
            top_p=wanted.top_p,
            seed=SEED if wanted.seed is None else wanted.seed,
            stop=wanted.stop,
            max_output=wanted.max_output or limit,
        )
        return replace(request, sampling=sampling)
