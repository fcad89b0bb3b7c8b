"""Redaction of exports: what rules name is looked up in a session, and taken out of the file wherever it stands.

A rule finds texts and numbers: those that a channel has held at any time, or that stand below a key. They go by value,
out of every row, since what a channel holds stands in prompts, answers, results and events too. The channels themselves
go whole. Hashes of what is gone would tell it to whoever guesses, so a channel's entries go with their hashes; the
file's digests don't hold any more, and nobody can import it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from graphagent.channels.entries import AppendEntry, read_entry
from graphagent.channels.references import segments_of
from graphagent.codec import decode, encode, freeze
from graphagent.errors import InputInvalid, SecretMissing
from graphagent.graph.plan import REDACTED, Plan
from graphagent.graph.suggest import suggest
from graphagent.session.archive import Archive
from graphagent.session.secrets import SHORTEST
from graphagent.snapshot import Blob, SessionCopy

if TYPE_CHECKING:
    from graphagent.session.host import Host

KINDS: Final = ("secrets", "channel", "key", "text")
SMALLEST: Final = 1000
"""Smaller numbers stand everywhere, as texts of less than `SHORTEST` characters do: they go from their channel only."""
_BODIES: Final = {
    "deltas": ("items",), "effects": ("request", "outcome"), "events": ("body",), "inputs": ("body",),
    "interrupts": ("question", "answer"),
}  # fmt: skip
_TEXTS: Final = {
    "effects": ("name",), "inputs": ("principal", "message_id"), "interrupts": ("answered_by",), "artifacts": ("name",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes: the `secrets`, a `channel`, what stands below a `key`, or what in a text matches. `what` names it."""

    kind: str
    what: str = ""

    def __str__(self) -> str:
        """As it stands in the file: what a pattern says may be what has to go."""
        named = self.kind in ("channel", "key")
        return f"{self.kind}:{self.what}" if named else self.kind


def read_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Rules as people write them: `secrets`, `channel:NAME`, `key:PATTERN`, `text:REGEX`.

    Raises:
        InputInvalid: one isn't any of these.
    """
    return tuple(dict.fromkeys(_read_rule(text) for text in texts))


def _read_rule(text: str) -> Rule:
    kind, colon, what = text.partition(":")
    if kind not in KINDS or (kind == "secrets") == bool(colon) or (colon and not what):
        near = suggest(kind, KINDS)
        hint = "secrets, channel:NAME, key:PATTERN (key:*token*) or text:REGEX"
        hint = f"did you mean {near!r}? " + hint if near and near != kind else hint
        raise InputInvalid("--redact", f"{text!r} is no rule", hint=hint)
    if kind == "text":
        try:
            found = re.compile(what)
        except re.error as error:
            raise InputInvalid("--redact", f"{what!r} is no regular expression: {error}") from error
        if found.search("") is not None:
            raise InputInvalid("--redact", f"{what!r} matches an empty text, so it would match everywhere")
    return Rule(kind, what)


@dataclass(slots=True)
class Redaction:
    """What goes from a session's texts and numbers; `channels` go whole, by the hash of their plan."""

    rules: Sequence[Rule] = ()
    channels: dict[bytes, frozenset[str]] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    numbers: set[int | float] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)
    patterns: list[re.Pattern[str]] = field(default_factory=list)

    def find(self, value: Any, *, numbers: bool = True) -> None:
        """Note all texts in a value, and `numbers`."""
        if isinstance(value, str):
            if len(value) >= SHORTEST and value != REDACTED:
                self.texts.add(value)
        elif isinstance(value, bool) or value is None:
            return
        elif isinstance(value, int | float):
            if numbers and (abs(value) >= SMALLEST or value != int(value)):
                self.numbers.add(value)
        else:
            for item in value.values() if isinstance(value, dict) else value:
                self.find(item, numbers=numbers)

    def find_keys(self, value: Any) -> None:
        """Note the texts below the keys that go, at any depth; texts that hold JSON are gone into."""
        if isinstance(value, dict):
            for key, item in value.items():
                if self.goes(key):
                    self.find(item, numbers=False)
                else:
                    self.find_keys(item)
        elif isinstance(value, list | tuple):
            for item in value:
                self.find_keys(item)
        elif isinstance(value, str) and value[:1] in ("{", "["):
            try:
                self.find_keys(json.loads(value))
            except (ValueError, RecursionError):
                return

    def goes(self, key: str) -> bool:
        """Whether a key is one of those that go."""
        return any(fnmatchcase(key.lower(), pattern.lower()) for pattern in self.keys)

    def settle(self) -> None:
        """To be called when everything is found: texts, and how they are written inside of JSON."""
        forms = set()
        for text in self.texts:
            once, plain = json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]
            forms |= {text, once, plain, json.dumps(once, ensure_ascii=False)[1:-1], json.dumps(plain)[1:-1]}
        if forms:
            every = "|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
            self.patterns.append(re.compile(every))
        self.patterns += [re.compile(rule.what) for rule in self.rules if rule.kind == "text"]

    def text(self, text: str) -> str:
        """A text without what goes."""
        for pattern in self.patterns:
            text = pattern.sub(REDACTED, text)
        return text

    def tree(self, value: Any) -> Any:
        """A value without what goes, the values below keys that go whole."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(k): REDACTED if self.goes(k) else self.tree(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        gone = isinstance(value, int | float) and not isinstance(value, bool) and value in self.numbers
        return REDACTED if gone else value

    def body(self, data: bytes) -> bytes:
        """The canonical bytes of a body without what goes."""
        return encode(freeze(self.tree(decode(data))))


def redaction_of(host: Host, archive: Archive, rules: Sequence[Rule], plans: dict[bytes, Plan]) -> Redaction:
    """What these rules find in a session with all that it called.

    Args:
        plans: All plans that it ran, by hash.

    Raises:
        InputInvalid: no graph of them has such a channel.
    """
    wanted = {rule.what for rule in rules if rule.kind == "channel"}
    names = {c.name for plan in plans.values() for c in plan.graph.channels}
    for name in sorted(wanted - names):
        near = suggest(name, names)
        hint = f"did you mean {near!r}?" if near else f"channels are: {', '.join(sorted(names))}"
        raise InputInvalid("--redact", f"the session has no channel {name!r}", hint=hint)
    secret = any(rule.kind == "secrets" for rule in rules)
    out = Redaction(rules, keys=[rule.what for rule in rules if rule.kind == "key"])
    for hash, plan in plans.items():
        found = {c.name for c in plan.graph.channels if c.name in wanted or (secret and c.secret)}
        out.channels[hash] = frozenset(found)
        for name in plan.secrets if secret else ():
            try:
                out.find(host.models.secrets.get(name))
            except SecretMissing:
                continue  # what this machine doesn't have isn't in its store either
    blobs = {blob.hash: blob.data for blob in archive.blobs}
    for copy in archive.sessions:
        for value in _held(copy, out.channels, blobs):
            out.find(value)
    if out.keys:
        for data in _bodies(archive):
            out.find_keys(decode(data))
    out.settle()
    return out


def _held(copy: SessionCopy, channels: dict[bytes, frozenset[str]], blobs: dict[bytes, bytes]) -> Iterator[Any]:
    """What the channels that go have held in a session."""
    seen: set[bytes] = set()
    names: set[str] = set()
    for checkpoint in copy.checkpoints:
        names |= channels.get(checkpoint.plan, frozenset())
        for name, data in decode(checkpoint.manifest)["channels"].items():
            if name not in channels.get(checkpoint.plan, ()):
                continue
            entry = read_entry(data)
            if not isinstance(entry, AppendEntry):
                inline = entry.inline
                hashes = [entry.hash] if inline is None else []
                if inline is not None:
                    yield decode(inline)
            else:
                hashes = segments_of(blobs[entry.root], blobs.__getitem__) if entry.root else []
            for hash in hashes:
                if hash not in seen:
                    seen.add(hash)
                    yield decode(blobs[hash])
    for delta in copy.deltas:
        if delta.channel in names:
            yield decode(delta.items)


def _bodies(archive: Archive) -> Iterator[bytes]:
    """All bodies of an archive."""
    for blob in archive.blobs:
        yield blob.data
    for copy in archive.sessions:
        yield from (checkpoint.manifest for checkpoint in copy.checkpoints)
        for part, names in _BODIES.items():
            for row in getattr(copy, part):
                yield from (body for name in names if (body := getattr(row, name)) is not None)


def redacted(archive: Archive, redaction: Redaction) -> Archive:
    """The archive without what goes. The content of artifacts is left out: nobody can look into it."""
    whole = {hash for copy in archive.sessions for hash in _whole(copy, redaction.channels, archive)}
    gone = encode(REDACTED)
    blobs = [Blob(b.hash, gone if b.hash in whole else redaction.body(b.data)) for b in archive.blobs]
    copies = [_copy(copy, redaction) for copy in archive.sessions]
    return replace(archive, blobs=tuple(blobs), sessions=tuple(copies), redacted=tuple(map(str, redaction.rules)))


def _whole(copy: SessionCopy, channels: dict[bytes, frozenset[str]], archive: Archive) -> Iterator[bytes]:
    """The blobs that hold nothing but values of channels that go."""
    blobs = {blob.hash: blob.data for blob in archive.blobs}
    for checkpoint in copy.checkpoints:
        for name in channels.get(checkpoint.plan, ()):
            data = decode(checkpoint.manifest)["channels"].get(name)
            entry = None if data is None else read_entry(data)
            if isinstance(entry, AppendEntry):
                yield from segments_of(blobs[entry.root], blobs.__getitem__) if entry.root else ()
            elif entry is not None and entry.inline is None:
                yield entry.hash


def _copy(copy: SessionCopy, redaction: Redaction) -> SessionCopy:
    row = replace(
        copy.row, name=_maybe(copy.row.name, redaction.text), tags=tuple(redaction.text(tag) for tag in copy.row.tags)
    )
    names = frozenset().union(*(redaction.channels.get(c.plan, frozenset()) for c in copy.checkpoints))
    gone = encode([REDACTED])
    parts: dict[str, Any] = {"checkpoints": [_checkpoint(c, redaction) for c in copy.checkpoints]}
    for part in ("deltas", "effects", "events", "inputs", "interrupts", "artifacts"):
        rows = []
        for each in getattr(copy, part):
            changed = {name: _maybe(getattr(each, name), redaction.body) for name in _BODIES.get(part, ())}
            changed |= {name: _maybe(getattr(each, name), redaction.text) for name in _TEXTS.get(part, ())}
            if part == "deltas" and each.channel in names:
                changed["items"] = gone
            if part == "artifacts":
                changed["kept"] = False
            rows.append(replace(each, **changed))
        parts[part] = rows
    return replace(copy, row=row, **{part: tuple(rows) for part, rows in parts.items()})


def _checkpoint(checkpoint: Any, redaction: Redaction) -> Any:
    tree = decode(checkpoint.manifest)
    gone = redaction.channels.get(checkpoint.plan, frozenset())
    kept = {name: entry for name, entry in tree["channels"].items() if name not in gone}
    body = redaction.tree({**tree, "channels": kept})
    body["channels"] |= {name: REDACTED for name in tree["channels"] if name in gone}
    return replace(checkpoint, manifest=encode(freeze(body)))


def _maybe(value: Any, change: Callable[[Any], Any]) -> Any:
    return None if value is None else change(value)
