"""What is derived from a call's place in its session: the key of a write, and the ids of sessions."""

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


def background_id(starter: SessionId, superstep: int, key: str) -> SessionId:
    """The id of a session that was started in this superstep to run beside the starter.

    Args:
        key: Of the node, the graph and the inputs, so that a retry finds what was started before it.
    """
    return SessionId.of(digest128(starter, superstep, "background", key))
