"""The form of a `.gasession` file: one session and all that it called, as bytes that depend on nothing else.

Magic and version; then records of a four-letter type, a length and a body; last a record `hash` with SHA-256 over all
before it. Bodies are canonical JSON, those of blobs their bytes. The order is fixed: `meta`, blobs by hash, then the
sessions by id, each with its rows by key. Owners, commit tokens and anything of one store are left out, so all stores
give the same bytes. Nothing is compressed. The content of artifacts comes last, by hash; it may be left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, get_args

from graphagent.codec import decode, digest, encode, freeze
from graphagent.errors import ArchiveInvalid, CodecError
from graphagent.ids import ArtifactId, CheckpointId, InterruptId, SessionId
from graphagent.snapshot import (
    ArtifactRow,
    Blob,
    CheckpointRow,
    Delta,
    EffectClass,
    EffectRow,
    EffectState,
    EventBatch,
    InputRow,
    InterruptRow,
    InterruptStatus,
    Mode,
    Past,
    SessionCopy,
    SessionRow,
    Status,
    SuperstepKind,
    Writer,
)

T = TypeVar("T")
MAGIC: Final = b"\x89GAS\r\n\x1a\n"
"""As in PNG: whoever changes line ends or strips the eighth bit is noticed at once."""
VERSION: Final = 1
_HEAD: Final = MAGIC + VERSION.to_bytes(4, "big")
_HASH: Final = 4 + 8 + 32


@dataclass(frozen=True, slots=True)
class Archive:
    """A session with all that it called, and the blobs that they need.

    Attributes:
        contents: Of a file that was read: the content of artifacts by hash.
        redacted: The rules by which something was taken out, so that its digests don't hold any more.
    """

    root: SessionId
    sessions: tuple[SessionCopy, ...]
    blobs: tuple[Blob, ...]
    contents: Mapping[bytes, memoryview] = field(default_factory=dict)
    redacted: tuple[str, ...] = ()

    @property
    def artifacts(self) -> dict[bytes, ArtifactRow]:
        """The artifacts of all sessions by the hash of their content."""
        return {row.hash: row for copy in self.sessions for row in copy.artifacts}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written to a file. `sessions`, `secret_channels` and `artifacts` are those of a `.gasession` file;
    `redacted` are the rules by which something was taken out of it."""

    size: int
    digest: bytes
    sessions: int = 1
    secret_channels: tuple[str, ...] = ()
    artifacts: int = 0
    redacted: tuple[str, ...] = ()


# ---- fields ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    """How one attribute is written, and what is accepted when it is read."""

    name: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    optional: bool = False


def _is(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is no {kind.__name__}")
        return value

    return read


def _number(value: Any) -> int:
    if type(value) is not int or not -1 <= value < 1 << 62:
        raise ValueError(f"{value!r} is no number of a row")
    return value


def _one_of(kind: Any) -> Callable[[Any], Any]:
    allowed = get_args(kind)

    def read(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
        return value

    return read


def canonical(text: Any) -> bytes:
    """The bytes of a body. Raises ValueError or CodecError if it isn't canonical plain data."""
    data: bytes = _is(str)(text).encode()
    if encode(freeze(decode(data))) != data:
        raise ValueError("a body isn't in its canonical form")
    return data


def _list_of(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    return lambda value: tuple(read(item) for item in _is(list)(value))


def _number_field(name: str, *, optional: bool = False) -> _Field:
    return _Field(name, int, _number, optional)


def _text_field(name: str, *, optional: bool = False) -> _Field:
    return _Field(name, str, _is(str), optional)


def _hex_field(name: str, *, optional: bool = False) -> _Field:
    return _Field(name, bytes.hex, lambda value: bytes.fromhex(_is(str)(value)), optional)


def _body_field(name: str, *, optional: bool = False) -> _Field:
    return _Field(name, bytes.decode, canonical, optional)


def _id_field(name: str, kind: Callable[[str], Any], *, optional: bool = False) -> _Field:
    return _Field(name, str, lambda value: kind(_is(str)(value)), optional)


def _choice_field(name: str, kind: Any) -> _Field:
    return _Field(name, str, _one_of(kind))


def _write_past(past: Past) -> list[Any]:
    return [past.forked_at, past.inputs, [[w.until, str(w.session), w.seed.hex(), w.shift] for w in past.writers]]


def _read_past(value: Any) -> Past:
    forked_at, inputs, writers = _is(list)(value)
    read = [
        Writer(_number(n), SessionId(s), bytes.fromhex(seed), _number(shift))
        for n, s, seed, shift in _is(list)(writers)
    ]
    return Past(tuple(read), None if forked_at is None else _number(forked_at), _number(inputs))


_SESSION: Final = (
    _id_field("session", SessionId), _hex_field("plan"), _text_field("graph"), _hex_field("seed"),
    _choice_field("mode", Mode), _choice_field("status", Status), _text_field("reason", optional=True),
    _text_field("name", optional=True), _Field("tags", list, _list_of(_is(str))),
    _id_field("origin", SessionId, optional=True), _id_field("origin_checkpoint", CheckpointId, optional=True),
    _id_field("caller", SessionId, optional=True), _number_field("caller_superstep", optional=True),
    _text_field("caller_path", optional=True), _number_field("epoch"), _number_field("commit_n"),
    _id_field("head", CheckpointId), _number_field("head_superstep"), _hex_field("head_digest"),
    _number_field("event_n"), _number_field("input_n"), _number_field("taken_n"), _number_field("created_at"),
    _number_field("updated_at"), _text_field("graph_version", optional=True), _text_field("graph_file", optional=True),
    _Field("past", _write_past, _read_past, optional=True), _number_field("floor_superstep"),
)  # fmt: skip
_CHECKPOINT: Final = (
    _id_field("checkpoint", CheckpointId), _number_field("superstep"), _choice_field("kind", SuperstepKind),
    _id_field("parent", CheckpointId, optional=True), _hex_field("plan"), _body_field("manifest"),
    _hex_field("digest"), _number_field("opened_at"), _number_field("committed_at"),
)  # fmt: skip
_DELTA: Final = (_text_field("channel"), _number_field("superstep"), _body_field("items"))
_EFFECT: Final = (
    _number_field("superstep"), _text_field("path"), _number_field("attempt"), _number_field("ordinal"),
    _text_field("kind"), _text_field("name"), _choice_field("effect_class", EffectClass),
    _Field("state", int, lambda value: EffectState(_number(value))), _hex_field("request_hash"),
    _body_field("request", optional=True), _body_field("outcome", optional=True),
    _hex_field("write_key", optional=True), _number_field("tries"), _body_field("cost", optional=True),
    _hex_field("fingerprint", optional=True), _number_field("started_at"), _number_field("ended_at", optional=True),
)  # fmt: skip
_EVENTS: Final = (
    _number_field("superstep"), _number_field("count"), _body_field("body"), _number_field("at"),
    _number_field("first"),
)  # fmt: skip
_INPUT: Final = (
    _text_field("kind"), _text_field("message_id"), _body_field("body"), _text_field("principal", optional=True),
    _Field("n", int, _is(int)), _number_field("accepted_at"), _number_field("taken_by", optional=True),
)  # fmt: skip
_INTERRUPT: Final = (
    _id_field("interrupt", InterruptId), _id_field("session", SessionId), _number_field("superstep"),
    _text_field("path"), _text_field("node"), _text_field("kind"), _body_field("question"),
    _choice_field("status", InterruptStatus), _number_field("opened_at"), _number_field("expires_at", optional=True),
    _body_field("answer", optional=True), _text_field("answered_by", optional=True),
    _number_field("answered_at", optional=True),
)  # fmt: skip
_ARTIFACT: Final = (
    _id_field("artifact", ArtifactId), _id_field("session", SessionId), _number_field("superstep"),
    _text_field("name", optional=True), _text_field("media_type"), _number_field("size"), _hex_field("hash"),
    _Field("kept", bool, _is(bool)),
)  # fmt: skip
_ROWS: Final[dict[bytes, tuple[str, tuple[_Field, ...], Callable[..., Any]]]] = {
    b"ckpt": ("checkpoints", _CHECKPOINT, CheckpointRow), b"delt": ("deltas", _DELTA, Delta),
    b"efct": ("effects", _EFFECT, EffectRow), b"evnt": ("events", _EVENTS, EventBatch),
    b"inpt": ("inputs", _INPUT, InputRow), b"intr": ("interrupts", _INTERRUPT, InterruptRow),
    b"artf": ("artifacts", _ARTIFACT, ArtifactRow),
}  # fmt: skip
"""Type of record: attribute of `SessionCopy`, fields, class. In this order they follow their session."""


def _write(row: Any, fields: Sequence[_Field]) -> bytes:
    values = ((field, getattr(row, field.name)) for field in fields)
    return encode([None if value is None else field.write(value) for field, value in values])


def _read(data: bytes, fields: Sequence[_Field]) -> dict[str, Any]:
    values = _is(list)(decode(canonical(data.decode())))
    if len(values) != len(fields):
        raise ValueError(f"a row has {len(values)} fields, {len(fields)} are expected")
    found = {}
    for column, value in zip(fields, values, strict=True):
        if value is None and not column.optional:
            raise ValueError(f"{column.name} is missing")
        found[column.name] = None if value is None else column.read(value)
    return found


# ---- writing ---------------------------------------------------------------------------------------------------------


class ArchiveWriter:
    """Writes the file piece by piece: `head`, then the `content` of artifacts by hash, then the `end`."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.size = archive, 0
        self._hash = hashlib.sha256()

    def head(self) -> Iterator[bytes]:
        """All but the content of artifacts."""
        return self._counted(_pieces(self.archive))

    def content(self, pieces: Iterable[bytes], size: int | None = None) -> Iterator[bytes]:
        """The content of one artifact, or a part of it; `size` is that of all of it, where it begins."""
        if size is not None:
            yield from self._counted([b"cont" + size.to_bytes(8, "big")])
        yield from self._counted(pieces)

    def end(self) -> bytes:
        """The checksum."""
        (last,) = self._counted([_record(b"hash", self._hash.digest())])
        return last

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._hash.update(piece)
            self.size += len(piece)
            yield piece

    @property
    def digest(self) -> bytes:
        """SHA-256 of everything that was written."""
        return self._hash.digest()


def _pieces(archive: Archive) -> Iterator[bytes]:
    yield _HEAD
    counts: dict[str, Any] = {"root": str(archive.root), "sessions": len(archive.sessions), "blobs": len(archive.blobs)}
    if archive.artifacts:
        counts["contents"] = sum(row.kept for row in archive.artifacts.values())
    if archive.redacted:
        counts["redacted"] = list(archive.redacted)
    yield _record(b"meta", encode(counts))
    for blob in sorted(archive.blobs, key=lambda b: b.hash):
        yield _record(b"blob", blob.data)
    for copy in sorted(archive.sessions, key=lambda c: c.row.session):
        yield _record(b"sess", _write(copy.row, _SESSION))
        for kind, (name, fields, _) in _ROWS.items():
            for row in getattr(copy, name):
                yield _record(kind, _write(row, fields))


def _record(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(8, "big") + body


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_archive(data: bytes, name: str) -> Archive:
    """The archive of a whole file.

    Args:
        name: The file, for messages.

    Raises:
        ArchiveInvalid: it is no export, isn't whole, or says what no export says.
    """
    if not data.startswith(MAGIC):
        raise ArchiveInvalid(f"{name} is no exported session", hint="`graphagent export S -o x.gasession` makes one")
    version = int.from_bytes(data[len(MAGIC) : len(_HEAD)], "big")
    if version != VERSION:
        what = f"{name} has version {version} of the form of exports, this release reads {VERSION}"
        raise ArchiveInvalid(what, hint="import it with a newer release" if version > VERSION else None)
    end = len(data) - _HASH
    if end < len(_HEAD) or data[end:] != _record(b"hash", digest(memoryview(data)[:end])):
        raise ArchiveInvalid(f"{name} is damaged or cut off: its checksum doesn't fit", hint="copy or export it again")
    try:
        return _Reader(data, end, name).archive()
    except (ValueError, TypeError, KeyError, RecursionError, CodecError) as error:
        raise ArchiveInvalid(f"{name} is no export that graphagent wrote: {error}") from error


class _Reader:
    """The records between head and checksum."""

    def __init__(self, data: bytes, end: int, name: str) -> None:
        self._data, self._end, self._at, self._size = memoryview(data), end, len(_HEAD), 0
        self._name = name

    def archive(self) -> Archive:
        kind, body = self._next()
        meta = decode(canonical(body.decode())) if kind == b"meta" else None
        if isinstance(meta, dict) and "redacted" in meta:
            rules = ", ".join(_list_of(_is(str))(meta["redacted"]))
            what = f"{self._name} was redacted when it was exported ({rules}): its digests don't hold any more"
            hint = "it can be read, not imported or replayed; export the session without --redact"
            raise ArchiveInvalid(what, hint=hint)
        if not isinstance(meta, dict) or meta.keys() - {"contents"} != {"root", "sessions", "blobs"}:
            raise ValueError("it doesn't begin with what is in it")
        blobs, copies = [], []
        kind, body = self._next()
        while kind == b"blob":
            blobs.append(Blob(digest(body), body))
            kind, body = self._next()
        root = SessionId(_is(str)(meta["root"]))
        while kind == b"sess":
            row = SessionRow(**{"family": root, **_read(body, _SESSION)})
            kind, body, parts = self._parts()
            copies.append(SessionCopy(row, **parts))
        contents: dict[bytes, memoryview] = {}
        while kind == b"cont":
            part = self._data[self._at - self._size : self._at]
            contents[hashlib.sha256(part).digest()] = part
            kind, body = self._next()
        if kind or (meta["sessions"], meta["blobs"]) != (len(copies), len(blobs)):
            raise ValueError(f"record {kind.decode(errors='replace')!r} stands in the wrong place")
        archive = Archive(root, tuple(copies), tuple(blobs), contents)
        self._check_contents(archive, meta.get("contents", 0))
        return archive

    def _check_contents(self, archive: Archive, count: int) -> None:
        """There must be exactly the content that the rows of artifacts say."""
        rows = archive.artifacts
        wanted = {hash: row.size for hash, row in rows.items() if row.kept}
        if wanted != {hash: len(content) for hash, content in archive.contents.items()} or count != len(wanted):
            raise ValueError("the content of its artifacts isn't what its rows say")
        if any(row.artifact != ArtifactId.of(hash[:16]) for hash, row in rows.items()):
            raise ValueError("an artifact has the id of another one")

    def _parts(self) -> tuple[bytes, bytes, dict[str, tuple[Any, ...]]]:
        """The rows of a session, and the record after them."""
        kind, body = self._next()
        parts: dict[str, tuple[Any, ...]] = {}
        for wanted, (name, fields, build) in _ROWS.items():
            rows = []
            while kind == wanted:
                rows.append(build(**_read(body, fields)))
                kind, body = self._next()
            parts[name] = tuple(rows)
        return kind, body, parts

    def _next(self) -> tuple[bytes, bytes]:
        """Type and body of the next record; both empty behind the last one."""
        if self._at == self._end:
            return b"", b""
        body = self._at + 12
        size = int.from_bytes(self._data[self._at + 4 : body], "big")
        if body > self._end or size > self._end - body:
            raise ValueError("a record is longer than what is left of the file")
        kind = bytes(self._data[self._at : self._at + 4])
        self._at, self._size = body + size, size
        return kind, b"" if kind == b"cont" else bytes(self._data[body : self._at])
