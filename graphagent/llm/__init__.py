"""Adapters of the model port.

    openai_compatible   chat/completions over HTTP with server-sent events; `chat` is its wire format
    litellm             every other provider, through the package of that name
    scripted            the shipped fake; `script_file` reads its turns from a file
    local               a small model in a child process
    emulation           tool calls of a model that has none; `tool_prompt` is what it reads
    typed               typed answers of a model that takes no schemas
    structured          schemas that constrain an answer, and the answer's way back to a value
    probe               what a model really does
    failures            from a provider's errors to ours
    capabilities        what the operator says of a model: abilities, rate limits, price
    guarded             what is around every try: `breaker`, then `limits`
    catalogue           `open_model("provider/model")`

Only the catalogue is imported here: an adapter costs its import when a graph uses it.
"""

from graphagent.llm.catalogue import open_model

__all__ = ["open_model"]
