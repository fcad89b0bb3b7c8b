"""Writing a file that is there already so that it is never half written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from graphagent.errors import Conflict


def replace_file(path: Path, content: bytes, expected: bytes) -> None:
    """Put `content` in the place of a file, which keeps its mode; a link stays and its target is replaced.

    Whatever happens meanwhile, the file has its old content or the new one: the new one is durable under another name
    beside it first.

    Args:
        expected: What was in it when it was read.

    Raises:
        Conflict: it can't be written, or has another content by now; nothing changed.
    """
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o7777
        if not os.access(target, os.W_OK):
            raise PermissionError(None, "it is read-only")
        if target.read_bytes() != expected:
            hint = "run the command again"
            raise Conflict(f"can't write {path}: it was changed by somebody else in the meantime", hint=hint)
        _replace(target, content, mode)
    except OSError as error:
        hint = "check its permissions and the space on the disk; it is as it was"
        raise Conflict(f"can't write {path}: {error.strerror or error}", hint=hint) from error


def _replace(target: Path, content: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
