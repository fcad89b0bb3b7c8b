"""A question that a server asks in the middle of a call, for which the call is broken off.

The call's effect ends with an error of cause `elicitation`, which a graph never sees: whoever made the call asks, and
makes it again with the answer. The server asks again then, and the answer is found by the question's digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphagent.codec import freeze, hash_value
from graphagent.errors import NodeError

CAUSE: Final = "elicitation"
ACTIONS: Final = ("accept", "decline", "cancel")
MESSAGE_LIMIT: Final = 4_000
"""Characters of a message that a person is shown."""


@dataclass(frozen=True, slots=True)
class Elicitation:
    """One question of a server. `digest` is that of the whole message and its schema."""

    message: str
    schema: Mapping[str, Any]
    digest: str

    @classmethod
    def of(cls, message: str, schema: Mapping[str, Any]) -> Elicitation:
        """The question with these words. Raises CodecError for a schema that is no plain data."""
        digest = hash_value(freeze({"message": message, "schema": dict(schema)})).hex()
        return cls(message[:MESSAGE_LIMIT], schema, digest)

    def error(self, key: str) -> NodeError:
        """How the call ends that was broken off; `key` is the idempotency key that it was made under."""
        data = {"message": self.message, "schema": dict(self.schema), "digest": self.digest, "key": key}
        return NodeError(
            f"the server asked: {self.message[:200]}", kind="tool_failed", cause=CAUSE, retryable=False, details=data
        )


def asked_by(error: NodeError) -> tuple[Elicitation, str] | None:
    """The question for which a call of a server was broken off, and its idempotency key; None for another error."""
    details = error.details
    if error.cause != CAUSE or not isinstance(details, Mapping):
        return None
    return Elicitation(details["message"], details["schema"], details["digest"]), details["key"]
