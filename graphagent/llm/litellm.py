"""Every other provider, through litellm.

The package is imported with the first call, in a worker thread: it takes seconds and 170 MB. It speaks asyncio, so
calls go over the bridge to the host loop. Its own retries, callbacks and reports home are off.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from graphagent.concurrency import AsyncioItems, aio, in_thread
from graphagent.errors import GraphAgentError, MissingExtra, ModelError
from graphagent.llm import failures
from graphagent.llm.chat import Answer, body
from graphagent.llm.failures import Endpoint
from graphagent.llm.openai_compatible import Deadline
from graphagent.messages import ModelInfo, ModelPart, ModelRequest

EXTRA, PACKAGE = "providers", "litellm"
_IMPORT = threading.Lock()

_BY_NAME: Final[Mapping[str, tuple[str, str | None]]] = {
    "ContextWindowExceededError": ("context_overflow", None),
    "ContentPolicyViolationError": ("content_filter", None),
    "GuardrailRaisedException": ("content_filter", None),
    "BlockedPiiEntityError": ("content_filter", None),
    "ModifyResponseException": ("content_filter", None),
    "SensitiveDataRouteException": ("content_filter", None),
    "BudgetExceededError": ("limit", None),
    "MidStreamFallbackError": ("unavailable", "stream_broken"),
    "APIResponseValidationError": ("unavailable", "server_error"),
    "Timeout": ("timeout", None),
    "APITimeoutError": ("timeout", None),
    "TimeoutError": ("timeout", None),
    "APIConnectionError": ("unavailable", "connection"),
    "ConnectionError": ("unavailable", "connection"),
    "ModelNotMappedError": ("invalid_input", None),
}
"""Kind and cause by the name of an exception's class or of one above it; the first that is found holds. All others have
a status, or are the fault of the server."""


class LiteLLMModel:
    """A model of a provider that litellm knows.

    Args:
        info: `provider` and `name` are what litellm calls them.
        api_base: Where the provider is, if not where litellm thinks.
        api_key: Its key, if not the one that the provider's variable of the environment holds.
        idle_s: Longest time between two pieces of an answer.
        total_s: Longest time for one call; a request's own deadline may shorten it.
        bounded: Bound free strings and lists in schemas, for small models.

    Raises:
        MissingExtra: the package isn't installed.
    """

    def __init__(
        self,
        info: ModelInfo,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        idle_s: float = 60.0,
        total_s: float = 600.0,
        bounded: bool = False,
    ) -> None:
        if importlib.util.find_spec(PACKAGE) is None:
            raise MissingExtra(EXTRA, PACKAGE)
        self.info = info
        self._where = {"api_base": api_base, "api_key": api_key}
        self._who = Endpoint(info.name, api_base or f"litellm://{info.provider}", None, (api_key,) if api_key else ())
        self._times = idle_s, total_s
        self._bounded, self._used = bounded, False

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer, `Done` last.

        Raises:
            ModelError: the call failed; nothing else is raised.
        """
        idle_s, total_s = self._times
        answer, begun = Answer(self._who, request), False
        try:
            # Waited for, also when cancelled: a program that ends while a thread imports hangs at the next import.
            litellm = await in_thread(_imported, abandon_on_cancel=False)
            self._used = True
            deadline = Deadline(self._who, idle_s, min(request.deadline_s or total_s, total_s))
            async with AsyncioItems(self._chunks(litellm, request)) as chunks:
                while (chunk := await deadline.wait(anext(chunks, None))) is not None:
                    deadline.progress()
                    begun = True
                    for part in answer.whole(chunk, "delta"):
                        yield part
        except ModelError:
            raise
        except GraphAgentError as error:  # no asyncio here, or its loop has ended
            raise ModelError(error.message, kind="invalid_input", retryable=False, hint=error.hint) from error
        except Exception as error:
            raise mapped(self._who, error, begun=begun) from error
        if not answer.complete:
            raise failures.half_stream(self._who)
        yield answer.done()

    async def aclose(self) -> None:
        """Close the connections that litellm keeps for this loop."""
        if self._used:
            self._used = False
            await aio(importlib.import_module(PACKAGE).close_litellm_async_clients)

    async def _chunks(self, litellm: Any, request: ModelRequest) -> AsyncGenerator[dict[str, Any], None]:
        name = f"{self.info.provider}/{self.info.name}"
        wanted = body(request, name, bounded=self._bounded, parallel=self.info.parallel_tools)
        where = {key: value for key, value in self._where.items() if value}
        response = await litellm.acompletion(**wanted, **where, num_retries=0, max_retries=0, caching=False)
        try:
            async for chunk in response:
                yield chunk.model_dump(exclude_none=True)
            if response.received_finish_reason is None:  # it makes one up for a stream that ends too early
                raise failures.half_stream(self._who)
        finally:
            await response.aclose()


def _imported() -> Any:
    """The package, set up before and after its first import. It would fetch a price list otherwise."""
    with _IMPORT:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        litellm: Any = importlib.import_module(PACKAGE)
        litellm.telemetry = False
        litellm.suppress_debug_info = True
        litellm.disable_aiohttp_transport = True
        litellm.callbacks, litellm.success_callback, litellm.failure_callback = [], [], []
        return litellm


def mapped(who: Endpoint, error: BaseException, *, begun: bool = False) -> ModelError:
    """Whatever litellm raises, as ours. `begun`: pieces of the answer had come."""
    said = who.clean(_said(error))
    known = next((_BY_NAME[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in _BY_NAME), None)
    status = getattr(error, "status_code", None)
    headers = getattr(error, "litellm_response_headers", None) or {}
    if known is None and isinstance(status, int) and 400 <= status < 600 and not (begun and status >= 500):
        found = failures.from_response(who, status, headers, said.encode())
        return _with_hint(found, said)
    if begun and (known is None or known[0] == "unavailable"):
        return failures.half_stream(who, said)
    if known == ("unavailable", "connection"):
        return failures.no_connection(who, said)
    kind, cause = known or ("unavailable", "server_error")
    if kind == "context_overflow":
        return failures.too_long(who, f": {said}", said, {})
    return ModelError(f"{who} failed: {said}", kind=kind, cause=cause)


def _said(error: BaseException) -> str:
    try:
        return str(getattr(error, "message", "") or error) or type(error).__name__
    except Exception:  # its text needs fields that it wasn't given
        return type(error).__name__


def _with_hint(error: ModelError, said: str) -> ModelError:
    if error.kind == "invalid_input" and "provider" in said.lower():
        error.hint = "set `base_url` to an OpenAI-compatible API, or use a provider that litellm knows"
    return error
