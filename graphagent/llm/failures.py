"""The one mapping from what a provider does wrong to `ModelError`. It is total: every failure has a kind.

    401 403 407                        auth
    408 504, an idle or a late stream  timeout
    429                                rate_limit; not retryable when the account has no credit left
    503 529                            unavailable (overloaded)
    any other 5xx                      unavailable (server_error)
    3xx, any other 4xx                 invalid_input
    too long a prompt                  context_overflow
    a filter or a refusal              content_filter
    no connection                      unavailable (connection)
    a stream that ends too early       unavailable (stream_broken)
    an answer that isn't one           unavailable (server_error)

Texts name the model and the address and never hold a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from graphagent.errors import ModelError
from graphagent.messages import Quota

MAX_TEXT = 300
MAX_RETRY_AFTER_S = 86_400.0

_OVERFLOW = re.compile(
    r"context[_ ]length|context[_ ](size|window)|maximum context|prompt is too long|too many (input )?tokens", re.I
)
_COUNTED = re.compile(
    r"([\d,]{1,12}) (?:tokens )?in (?:the |your )?(?:messages|prompt|input)"
    r"|(?:resulted in|prompt contains|you requested|is too long:|input length of|given|n_prompt_tokens\"?:)"
    r" ?(?:about )?([\d,]{1,12})(?![\d,]*\.\d)",
    re.I,
)
"""How providers say how long a prompt was. What stands in it alone is better than what the answer was added to."""
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_FILTER = re.compile(r"content[_ ](filter|policy|management)|responsible[_ ]ai|moderation", re.I)
_SECRET = re.compile(r"(?i)\bbearer\s+\S+|\b(?:sk|pk|key|gsk|xai)-[\w*.-]{4,}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who was asked: what error texts may say about it, and the secrets that they may not."""

    model: str
    base_url: str
    key_variable: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"model {self.model!r} at {shown_url(self.base_url)}"

    def clean(self, text: str) -> str:
        """One line of at most 300 characters without secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        text = " ".join(_SECRET.sub("***", text).split())
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def shown_url(url: str) -> str:
    """The URL without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that can't be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def from_response(who: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
    """The error of a response that isn't 200."""
    text, code = _problem(body)
    said = f": {who.clean(text)}" if text else ""
    wait = retry_after(headers)
    if 300 <= status < 400:
        place = shown_url(headers.get("location", "")) if headers.get("location") else "another address"
        return ModelError(
            f"{who} redirects ({status}) to {place}",
            kind="invalid_input",
            hint="redirects aren't followed, since they would take the key along: set base_url to the final address",
        )
    marks = f"{code} {text}"
    if 400 <= status < 500 and status != 429 and _OVERFLOW.search(marks):
        return too_long(who, said, f"{text} {body[:4096].decode('utf-8', 'replace')}", _status(status))
    if 400 <= status < 500 and _FILTER.search(code):
        return ModelError(f"{who} refused the content{said}", kind="content_filter", details=_status(status))
    if status in (401, 403, 407):
        return _denied(who, status, said)
    if status == 429:
        return _too_fast(who, code, said, _refill_s(headers) if wait is None else wait)
    if status in (408, 504):
        return ModelError(f"{who} took too long ({status}){said}", kind="timeout", details=_status(status))
    if status >= 500:
        cause = "overloaded" if status in (503, 529) else "server_error"
        return ModelError(f"{who} failed ({status}){said}", cause=cause, retry_after_s=wait, details=_status(status))
    if 200 <= status < 300 or status < 200:
        return garbage(who, f"the status {status}")
    hint = (
        f"does this server have {who.model!r}, and does base_url end as it should (often /v1)?"
        if status == 404
        else None
    )
    return ModelError(
        f"{who} refused the call ({status}){said}", kind="invalid_input", hint=hint, details=_status(status)
    )


def too_long(who: Endpoint, said: str, text: str, details: Mapping[str, Any]) -> ModelError:
    """The error of a prompt that is too long, with what the provider counted, if `text` says so: `counted`."""
    found = [m for m in _COUNTED.finditer(text) if (m[1] or m[2]).strip(",")]
    best = next((m for m in found if m[1]), found[0] if found else None)
    counted = int((best[1] or best[2]).replace(",", "")) if best is not None else 0
    return ModelError(
        f"the prompt is too long for {who}{said}", kind="context_overflow",
        details={**details, **({"counted": counted} if counted else {})},
    )  # fmt: skip


def from_stream(who: Endpoint, problem: Any) -> ModelError:
    """The error of an error object inside a stream; one without a status is the server's fault."""
    body = json.dumps({"error": problem}).encode()
    status = problem.get("code") if isinstance(problem, dict) else None
    if not isinstance(status, int) or isinstance(status, bool) or not 400 <= status < 600:
        text, code = _problem(body)
        marks = f"{code} {text}"
        status = 400 if _OVERFLOW.search(marks) or _FILTER.search(code) else 429 if "rate_limit" in code else 500
    return from_response(who, status, {}, body)


def garbage(who: Endpoint, what: str) -> ModelError:
    """An answer that isn't one: HTML, broken JSON, JSON of another shape."""
    return ModelError(
        f"{who} answered with {who.clean(what)} instead of a chat completion",
        cause="server_error",
        hint="does base_url point to an OpenAI-compatible API? it often ends in /v1",
    )


def no_connection(who: Endpoint, why: object) -> ModelError:
    """Nobody answered."""
    return ModelError(
        f"can't reach {who}: {who.clean(str(why) or type(why).__name__)}",
        cause="connection",
        hint="is the server running, and is base_url right?",
    )


def half_stream(who: Endpoint, why: object = "the stream ended before the answer did") -> ModelError:
    """The answer began and didn't end."""
    return ModelError(f"{who} broke off: {who.clean(str(why) or type(why).__name__)}", cause="stream_broken")


def too_late(who: Endpoint, seconds: float, *, idle: bool) -> ModelError:
    """One of the two deadlines has passed."""
    what = "sent nothing for" if idle else "didn't finish within"
    return ModelError(f"{who} {what} {seconds:g} s", kind="timeout", cause="idle" if idle else None)


def _denied(who: Endpoint, status: int, said: str) -> ModelError:
    hint = "check the model's `api_key`"
    if who.key_variable:
        hint = f"check {who.key_variable}" if who.secrets else f"set {who.key_variable}, or `api_key` beside `base_url`"
    return ModelError(f"{who} denied access ({status}){said}", kind="auth", hint=hint, details=_status(status))


def _too_fast(who: Endpoint, code: str, said: str, wait: float | None) -> ModelError:
    if "insufficient_quota" in code:
        return ModelError(
            f"the account has no credit left for {who}{said}",
            kind="rate_limit",
            cause="quota",
            retryable=False,
            details=_status(429),
        )
    return ModelError(
        f"{who} is asked too often (429){said}", kind="rate_limit", retry_after_s=wait, details=_status(429)
    )


def _status(status: int) -> dict[str, int]:
    return {"status": status}


def _problem(body: bytes) -> tuple[str, str]:
    """Message and machine-readable marks of an error body, as far as it has them."""
    text = body.decode("utf-8", "replace").strip()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ("an HTML page" if text[:1] == "<" else text), ""
    problem = data.get("error", data) if isinstance(data, dict) else data
    if isinstance(problem, dict):
        message = problem.get("message") or problem.get("detail") or data.get("message") or data.get("detail") or ""
        return str(message) or text, " ".join(str(problem[k]) for k in ("code", "type") if problem.get(k))
    return str(problem), ""


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds of a `Retry-After` header, given as seconds or as a date; None if there is none that makes sense."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if seconds == seconds else None


def quota(headers: Mapping[str, str]) -> Quota | None:
    """What a response says is left. Source: https://platform.openai.com/docs/guides/rate-limits"""
    found = Quota(
        _left(headers, "requests"),
        _left(headers, "tokens"),
        span_s(headers.get("x-ratelimit-reset-requests", "")),
        span_s(headers.get("x-ratelimit-reset-tokens", "")),
    )
    return None if found.requests is None and found.tokens is None else found


def _refill_s(headers: Mapping[str, str]) -> float | None:
    """How long what is used up takes to come back, if the provider says so."""
    left = quota(headers)
    if left is None:
        return None
    pairs = ((left.requests, left.requests_reset_s), (left.tokens, left.tokens_reset_s))
    return max((reset for n, reset in pairs if n == 0 and reset is not None), default=None)


def _left(headers: Mapping[str, str], what: str) -> int | None:
    value = headers.get(f"x-ratelimit-remaining-{what}", "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def span_s(text: str) -> float | None:
    """Seconds of `6m0s`, `1.5s`, `20ms` or `30`; None of anything else."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return min(float(text), MAX_RETRY_AFTER_S)
    if not re.fullmatch(r"(\d{1,9}(\.\d{1,9})?(h|ms|m|s))+", text):
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", text)
    return min(sum(float(n) * _UNIT_S[unit] for n, unit in parts), MAX_RETRY_AFTER_S)
