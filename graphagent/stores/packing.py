"""How bodies are packed: zlib with a preset dictionary, since most bodies are short and look alike.

The dictionary is part of the stored form: zlib names it in every stream by its checksum, so a changed one couldn't
read what the old one wrote. What was packed without any is read all the same.
"""

from __future__ import annotations

import zlib

PLAIN_BYTES = 96
"""Shorter bodies stay as they are: packing saves less than it costs."""
SMALL_BYTES = 4096
"""Up to here a window of 4 KB will do. The usual one of 32 KB takes 0.05 ms to set up, more than all the rest."""
DICTIONARY = (
    b'"cancelled""failed""waiting""error":{"cause":"hint":"message":"node":"source":"attempt":"details":"answer":'
    b'"x.interrupt.opened",{"id":"itr_"x.limit.reached"RunPaused",{"interrupts":[],"timers":[]}]"RunError"'
    b'{"messages":[{"content":"","role":"user"}],"model":"","output":null,"params":{},"temperature":null}'
    b'{"finish":"stop","text":"","tool_calls":[]{"function":"","with":{'
    b'{"begin":[["RunStarted",{"graph":"","inputs_ref":{},"limits":{"cost_micro":null,"supersteps":null,"tokens":null},'
    b'"plan_hash":""}]],"dead":true,"run":"run_0"closing":[["RunCompleted",{"checkpoint":null,"cost":0.0,"outputs_ref":'
    b'{},"supersteps":1,"usage":{"cache_write_tokens":0,"cached_input_tokens":0,"cost_usd":0.0,"estimated":false,'
    b'"input_tokens":0,"model_calls":0,"output_tokens":0,"reasoning_tokens":0,"tool_calls":0}}]],"opening":[['
    b'{"events":[["x.model.completed",{"call":["",0,0],"model":"main","usage":{"cache_write_tokens":0,'
    b'"cached_input_tokens":0,"cost_micro":0,"estimated":true,"input_tokens":0,"output_tokens":0,"reasoning_tokens":0}}'
    b']],"scope":{"out":{"notes":[[0,"x.model.completed",{"call":["",0,0],"model":"'
    b'{"channels":{"":[1,"a",1,null,0,0,"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",0],"":[1,"b",'
    b'"",0],"":[1,"v",0],"":[0,"v",""]},"control":{"bounds":{},"due":[{"from":[""],"groups":[["",0,0]],"node":"",'
    b'"placed":1},{"from":["],"inputs":{},"joins":[],"run":1,"spent":[1,0,0,0,0,0,0,0,1],"steps":1,"visits":[1,0,1]},'
    b'"run":["run_01'
    b'{"at":[[0,0],[0,0]],"end":[],"run":"run_01","tasks":[["",0,"done",{"from":["@start"],"to":["end"],"writes":[""]},'
    b"[]]]}"
)


def _packer(size: int, dictionary: bytes) -> zlib._Compress:
    level = 1 if size > 65536 else 3
    bits, memory = (12, 5) if size <= SMALL_BYTES else (15, 8)
    return zlib.compressobj(level, zlib.DEFLATED, bits, memory, zlib.Z_DEFAULT_STRATEGY, dictionary)


_SMALL = _packer(0, DICTIONARY)
"""Copied for each small body, which is twice as quick as reading the dictionary anew."""


def pack(data: bytes, like: bytes = b"") -> tuple[int, bytes]:
    """(codec, stored bytes): 1 is packed, where that is shorter. What also stands in `like` costs nearly nothing."""
    if len(data) > PLAIN_BYTES:
        if not like and len(data) <= SMALL_BYTES:
            packer = _SMALL.copy()
        else:
            packer = _packer(len(data) + len(like), DICTIONARY + like)
        short = packer.compress(data) + packer.flush()
        if len(short) < len(data):
            return 1, short
    return 0, data


def unpack(codec: int, data: bytes, at_most: int = 0, like: bytes = b"") -> bytes:
    """The bytes that `pack` was given. `data` must have been verified, or `at_most` bound what comes of it.

    Raises:
        zlib.error: it isn't what `pack` gave.
    """
    return zlib.decompressobj(zdict=DICTIONARY + like).decompress(data, at_most) if codec else data
