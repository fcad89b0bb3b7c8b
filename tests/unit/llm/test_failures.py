from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphagent.errors import ERROR_KINDS, ModelError
from graphagent.llm.failures import Endpoint, from_response, from_stream, quota, retry_after, shown_url, span_s
from graphagent.messages import Quota

WHO = Endpoint("m-1", "https://user:pw@host.example/v1?token=abc", "SOME_KEY", ("very-secret",))


def respond(status: int, error: object = None, **headers: str) -> ModelError:
    body = b"" if error is None else json.dumps({"error": error}).encode()
    return from_response(WHO, status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        (301, "invalid_input", None),
        (307, "invalid_input", None),
        (400, "invalid_input", None),
        (401, "auth", None),
        (403, "auth", None),
        (404, "invalid_input", None),
        (407, "auth", None),
        (408, "timeout", None),
        (418, "invalid_input", None),
        (422, "invalid_input", None),
        (429, "rate_limit", None),
        (500, "unavailable", "server_error"),
        (502, "unavailable", "server_error"),
        (503, "unavailable", "overloaded"),
        (504, "timeout", None),
        (529, "unavailable", "overloaded"),
        (599, "unavailable", "server_error"),
        (204, "unavailable", "server_error"),
    ],
)
def test_each_status_has_a_kind(status: int, kind: str, cause: str | None) -> None:
    error = respond(status, {"message": "no"})
    assert (error.kind, error.cause) == (kind, cause)
    assert error.retryable == (kind in ("timeout", "rate_limit", "unavailable"))
    assert "'m-1' at https://host.example/v1" in error.message


@given(st.integers(100, 999), st.binary(max_size=60), st.dictionaries(st.text(max_size=5), st.text(max_size=9)))
def test_the_mapping_is_total(status: int, body: bytes, headers: dict[str, str]) -> None:
    error = from_response(WHO, status, headers | {"retry-after": "soon", "location": "http://["}, body)
    assert error.kind in ERROR_KINDS
    assert len(error.message) < 500


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.dictionaries(st.sampled_from(["code", "message", "type", "error", "detail"]), inner),
    )
)
def test_any_error_object_in_a_stream_has_a_kind(problem: object) -> None:
    assert from_stream(WHO, problem).kind in ERROR_KINDS
    assert from_response(WHO, 500, {}, json.dumps(problem).encode()).kind == "unavailable"


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"},
        {
            "message": "request (9 tokens) exceeds the available context size (5 tokens)",
            "type": "exceed_context_size_error",
        },
        {"message": "prompt is too long: 200001 tokens > 200000 maximum"},
    ],
)
def test_a_prompt_that_is_too_long(error: dict[str, str]) -> None:
    assert respond(400, error).kind == "context_overflow"
    assert from_stream(WHO, error).kind == "context_overflow"


@pytest.mark.parametrize(
    ("message", "counted"),
    [
        ("This model's maximum context length is 4097 tokens. However, your messages resulted in 5012 tokens.", 5012),
        ("maximum context length is 4096 tokens. However, you requested 5000 tokens (4800 in the messages, 200 in the"
         " completion).", 4800),
        ("prompt is too long: 208,310 tokens > 200000 maximum", 208310),
        ("This model's maximum context length is 8192 tokens.", None),
        ("maximum context exceeded: you requested , tokens", None),
    ],
)  # fmt: skip
def test_how_long_a_prompt_was_is_read(message: str, counted: int | None) -> None:
    assert respond(400, {"message": message}).details.get("counted") == counted
    assert from_stream(WHO, {"code": 400, "message": message}).details.get("counted") == counted


def test_a_count_beside_the_message_is_read() -> None:
    body = b'{"error":{"message":"exceeds the available context size","n_prompt_tokens":1027,"n_ctx":512}}'
    assert from_response(WHO, 400, {}, body).details["counted"] == 1027


def test_a_content_filter() -> None:
    assert respond(400, {"message": "no", "code": "content_filter"}).kind == "content_filter"
    assert respond(403, {"message": "flagged", "code": "content_policy_violation"}).kind == "content_filter"
    assert respond(400, {"message": "unknown key content_filter"}).kind == "invalid_input"


def test_no_credit_left_is_not_retried() -> None:
    error = respond(429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}, retry_after="5")
    assert (error.kind, error.cause, error.retryable) == ("rate_limit", "quota", False)


def test_a_number_or_a_name_tells_the_kind_of_an_error_in_a_stream() -> None:
    assert from_stream(WHO, {"code": 429, "message": "slow"}).kind == "rate_limit"
    assert from_stream(WHO, {"code": "rate_limit_exceeded"}).kind == "rate_limit"
    assert from_stream(WHO, {"code": True}).kind == "unavailable"
    assert from_stream(WHO, "boom").cause == "server_error"


def test_no_secret_is_told() -> None:
    said = "Incorrect API key provided: sk-abcd*****wxyz; Authorization: Bearer very-secret of very-secret"
    error = respond(401, {"message": said})
    for secret in ("very-secret", "wxyz", "pw", "token", "user"):
        assert secret not in str(error)
    assert error.hint == "check SOME_KEY"
    assert "very-secret" not in repr(WHO)


def test_a_missing_key_is_named() -> None:
    error = from_response(Endpoint("m", "http://h/v1", "SOME_KEY"), 401, {}, b"")
    assert error.hint == "set SOME_KEY, or `api_key` beside `base_url`"


def test_a_redirect_names_the_address_but_not_its_query() -> None:
    error = respond(302, None, location="https://else.example/v2?sig=123")
    assert "https://else.example/v2" in error.message
    assert "123" not in error.message
    assert "base_url" in str(error.hint)


def test_a_web_page_isnt_quoted() -> None:
    error = from_response(WHO, 502, {}, b"<html>" + b"x" * 5000)
    assert error.message.endswith("(502): an HTML page")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("Wed, 21 Oct 2026 07:28:10 GMT", 10.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", 86_400.0),
        ("1e300", 86_400.0),
        ("Wed, 99 Foo 2026 07:28:10", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    now = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)
    assert retry_after({"retry-after": value}, now) == seconds


def test_an_address_that_cant_be_read_is_not_shown() -> None:
    assert shown_url("http://[") == "an address that can't be read"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("1.5s", 1.5), ("20ms", 0.02), ("30", 30), ("1h2m", 3720), ("", None), ("soon", None), ("1d", None),
     ("9" * 400, None), ("-1", None)],
)  # fmt: skip
def test_spans(text: str, seconds: float | None) -> None:
    assert span_s(text) == seconds


def test_a_quota_that_is_used_up_says_when_to_come_back() -> None:
    headers = {
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "7s",
        "x-ratelimit-remaining-requests": "4",
    }
    assert quota(headers) == Quota(4, 0, None, 7)
    assert from_response(Endpoint("m", "http://x/v1"), 429, headers, b"").retry_after_s == 7
    assert quota({"x-ratelimit-remaining-tokens": "many"}) is None
