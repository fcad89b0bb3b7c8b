"""What is derived from a call's place in its session: the key of a write, and the id of a child session."""

from __future__ import annotations

from graphagent.ids import SessionId, digest128


def write_key(session: SessionId, superstep: int, path: str, name: str, hashed: bytes, occurrence: int) -> bytes:
    """The key of a write that its peer gets: equal across retries and takeovers, another one in another session.

    Args:
        hashed: The hash of its request.
        occurrence: How many equal requests the attempt had made before.
    """
    return digest128(session, superstep, path, name, hashed, occurrence)


def child_id(caller: SessionId, superstep: int, path: str, attempt: int) -> SessionId:
    """The id of the child session of this call.

    Args:
        superstep: The one for which the calling token was placed, so that a parked caller finds its child again.
    """
    return SessionId.of(digest128(caller, superstep, path, attempt))
