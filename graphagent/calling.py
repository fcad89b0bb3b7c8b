"""Calling the author's functions, and what their exceptions are to the engine."""

from __future__ import annotations

import inspect
import linecache
import traceback
from collections.abc import AsyncIterable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from outcome import Outcome

from graphagent import concurrency
from graphagent.errors import GraphAgentError, NodeError
from graphagent.marks import TRIO_MARK
from graphagent.ports import ArtifactAccess, Content, EffectCall, Late

GRACE_S = 5.0
"""A function on asyncio that goes on for so long after its cancellation is abandoned."""
_PACKAGE = str(Path(__file__).parent)


async def call(function: Callable[..., Any], kwargs: dict[str, Any], effect: EffectCall | None = None) -> Any:
    """Call it the way it is written: `def` in a worker thread, `async def` on asyncio, or marked as trio's, inline.

    Args:
        effect: The effect that this call is: it is told how a thread ended that it had abandoned.
    """
    try:
        if getattr(function, TRIO_MARK, False):
            return await function(**kwargs)
        if inspect.iscoroutinefunction(function):
            return await concurrency.aio(_call_async, function, kwargs, grace_s=GRACE_S)
        late = None if effect is None or effect.late is None else partial(_late, effect.late)
        return await concurrency.in_thread(_call_sync, function, kwargs, late=late)
    except Exception as error:
        raise failure(error) from error
    except SystemExit as error:  # it ends the call, and nothing else
        raise code_failed(error) from error


async def _call_async(function: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """Run on the host loop. A cancellation that the function raises by itself is its failure, nobody's cancellation."""
    import asyncio

    try:
        return await function(**kwargs)
    except SystemExit as error:  # asyncio would end its loop with it
        raise code_failed(error) from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise NodeError("CancelledError: raised by the function itself", kind="code_failed") from None


def _late(tell: Late, ended: Outcome[Any]) -> None:
    try:
        result = ended.unwrap()
    except SystemExit as error:
        tell(None, code_failed(error))
    except Exception as error:
        failed = failure(error)
        tell(None, failed if isinstance(failed, NodeError) else code_failed(error))
    except BaseException:
        return  # the thread was told to end: nothing is known
    else:
        tell(result, None)


def _call_sync(function: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    return function(**kwargs)


def failure(error: Exception) -> Exception:
    """What the author's exception is to the engine: our own errors as they are, any other as `code_failed`."""
    if isinstance(error, NodeError):
        error.trace = error.trace or frames(error)
        return error
    return error if isinstance(error, GraphAgentError) else code_failed(error)


def code_failed(error: Exception | SystemExit) -> NodeError:
    """An exception as a failure, with where it came from."""
    failed = NodeError(f"{type(error).__name__}: {error}".removesuffix(": "), kind="code_failed")
    failed.trace = frames(error)
    return failed


def frames(error: BaseException) -> list[dict[str, Any]]:
    """The author's own frames, innermost last; those of this package and of the library are left out."""
    out = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if frame.filename.startswith((_PACKAGE, "<")) or "site-packages" in path.parts or "lib" in path.parts[-3:-1]:
            continue
        text = linecache.getline(frame.filename, frame.lineno or 0).strip()
        out.append({"file": path.name, "line": frame.lineno, "function": frame.name, "text": text})
    return out[-5:]


async def put_artifact(
    access: ArtifactAccess, data: Content | str, media_type: str, name: str | None
) -> dict[str, Any]:
    """Put what an author's function gives: text too, and pieces that come from asyncio. Awaited from either library."""
    content = data.encode() if isinstance(data, str) else data
    if not isinstance(content, AsyncIterable) or concurrency.current_library() != "asyncio":
        return await concurrency.in_trio(access.put_artifact, content, media_type, name)

    async def put(pieces: AsyncIterable[bytes]) -> dict[str, Any]:
        async with concurrency.AsyncioItems(pieces) as items:
            return await access.put_artifact(items, media_type, name)

    return await concurrency.in_trio(put, content)
