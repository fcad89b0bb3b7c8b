"""From `provider/model`, as a graph has it under `use`, to a model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphagent.errors import InputInvalid, ModelError, NotFound
from graphagent.llm.capabilities import NOTHING_SAID, Capabilities
from graphagent.messages import Model, ModelInfo

if TYPE_CHECKING:
    from graphagent.llm.guarded import SharedGuards
    from graphagent.llm.script_file import Script


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider's models are by default, and which environment variables say otherwise."""

    base_url: str
    url_variable: str | None = None
    key_variable: str | None = None
    needs_key: bool = False


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider("https://api.openai.com/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY", needs_key=True),
    "vllm": Provider("http://127.0.0.1:8000/v1", "VLLM_BASE_URL", "VLLM_API_KEY"),
    "ollama": Provider("http://127.0.0.1:11434/v1", "OLLAMA_HOST", "OLLAMA_API_KEY"),
}
LOCAL_NAMES = ("smollm2",)
MAX_REPLY = 4_000
LOCAL_REPLY = 200
"""Characters of an answer that a model gives in place of a tool call; a small one doesn't end it by itself."""


def open_model(
    use: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    script: Script | str | os.PathLike[str] | None = None,
    name: str | None = None,
    environ: Mapping[str, str] | None = None,
    capabilities: Capabilities = NOTHING_SAID,
    guards: SharedGuards | None = None,
) -> Model:
    """The model that `use` names, ready to be called; nothing is asked of it yet.

    A key from the environment goes only to the address that the environment or this catalogue gives: a `base_url`
    in a graph comes with its own `api_key`, or a graph from anywhere could send the host's key anywhere.

    Args:
        use: `openai/NAME`, `vllm/NAME`, `ollama/NAME`, `local/smollm2`, `scripted/NAME`, or with `base_url` anything.
            Every other provider goes through litellm, if the extra `providers` is installed.
        base_url: The address of an OpenAI-compatible API.
        api_key: Its key.
        script: The turns of `scripted/NAME`. Models that share turns need one `Script`: a file is read anew each time.
        name: What the graph calls the model; a script may have turns for it.
        environ: The environment variables, if not the process's.
        capabilities: What the operator knows of the model. One that is said to lack tools calls them as
            `EmulatedTools` does.
        guards: Breakers and rate limiters of this worker; without them a model is asked as it is.

    Raises:
        ModelError: there is no such model, or its key, address, script or weights are missing.
        MissingExtra: a package is missing.
    """
    provider, slash, model = use.partition("/")
    if not slash or not provider or not model:
        raise ModelError(f"{use!r} is not a model: write it as provider/model", kind="invalid_input")
    if provider == "scripted":
        return _scripted(model, script, name)
    if provider == "local" and base_url is None:
        return _completed(_local(model), capabilities, LOCAL_REPLY)
    known = PROVIDERS.get(provider)
    info = capabilities.of(ModelInfo(model, provider))
    env = os.environ if environ is None else environ
    if base_url is None and known is None:
        from graphagent.llm.litellm import LiteLLMModel

        url, key = "", api_key
        opened: Model = LiteLLMModel(info, api_key=api_key, bounded=not info.tools)
    else:
        known = known or Provider("")
        url, key = _place(info, known, base_url, api_key, env)
        opened = _compatible(info, known, url, key)
    if guards is not None:
        opened = guards.around(opened, url, key or "", capabilities.rates)
    return _completed(opened, capabilities)


def _completed(model: Model, capabilities: Capabilities, max_reply: int = MAX_REPLY) -> Model:
    """The model, or one over it that does with what it has: calls by typed answers, or typed answers by a call."""
    if not model.info.json_schema:
        from graphagent.llm.typed import TypedAnswers

        return TypedAnswers(model)
    if model.info.tools:
        return model
    from graphagent.llm.emulation import EmulatedTools

    return EmulatedTools(model, capabilities.emulation, max_reply=max_reply)


def _scripted(model: str, script: Script | str | os.PathLike[str] | None, name: str | None) -> Model:
    if script is not None:
        from graphagent.llm.script_file import Script, load_script

        try:
            turns = script if isinstance(script, Script) else load_script(script)
        except (InputInvalid, NotFound) as error:
            raise ModelError(error.message, kind="invalid_input", hint=error.hint) from error
        return turns.model(*([model, name] if name else [model]))
    if model == "echo":
        from graphagent.llm.scripted import EchoModel

        return EchoModel()
    raise ModelError(
        f"scripted/{model} has no script",
        kind="invalid_input",
        hint="give one with --scripted FILE, or use scripted/echo, which needs none",
    )


def _local(model: str) -> Model:
    if model not in LOCAL_NAMES:
        raise ModelError(
            f"there is no local model {model!r}",
            kind="invalid_input",
            hint=f"use local/{LOCAL_NAMES[0]}, or set `base_url` to the server that has it",
        )
    from graphagent.llm.local.model import LocalModel

    return LocalModel(name=model)


def _place(
    info: ModelInfo, known: Provider, url: str | None, key: str | None, environ: Mapping[str, str]
) -> tuple[str, str | None]:
    """Where the model is, and the key for it."""
    provider, use = info.provider, f"{info.provider}/{info.name}"
    of_host = environ.get(known.url_variable, "").strip() if known.url_variable else ""
    if of_host and provider == "ollama":
        of_host = _ollama_address(of_host)
    host_url = of_host or known.base_url
    if key is None and known.key_variable and url in (None, host_url):
        key = environ.get(known.key_variable)
    if not key and known.needs_key and (url or host_url) == known.base_url:
        raise ModelError(
            f"{use} needs an API key",
            kind="auth",
            hint=f"set {known.key_variable}, or `base_url` to a server of your own; local/smollm2 needs no key",
        )
    return url or host_url, key


def _compatible(info: ModelInfo, known: Provider, url: str, key: str | None) -> Model:
    from graphagent.llm.openai_compatible import OpenAICompatibleModel

    return OpenAICompatibleModel(info, url, api_key=key, key_variable=known.key_variable, bounded=not info.tools)


def _ollama_address(host: str) -> str:
    """`OLLAMA_HOST` is `host`, `host:port` or a URL, and often what the server binds to."""
    scheme, _, rest = host.rpartition("://")
    name, _, port = rest.rstrip("/").partition(":")
    name = "127.0.0.1" if name in ("", "0.0.0.0") else name
    return f"{scheme or 'http'}://{name}:{port or 11434}/v1"
