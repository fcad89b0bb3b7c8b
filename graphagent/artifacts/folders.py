"""Folders that are opened step by step from a root, so that no link is ever followed below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""What is opened for reading; a pipe that somebody put there doesn't hold us up."""
WRITTEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def folder(name: str, inside: int, *, create: bool = False) -> Iterator[int]:
    """The descriptor of the folder `name` inside of another one. Raises FileNotFoundError, or another OSError."""
    made = False
    if create:
        try:
            os.mkdir(name, 0o700, dir_fd=inside)
            made = True
        except FileExistsError:
            pass
    descriptor = os.open(name, FOLDER, dir_fd=inside)
    try:
        if made:
            os.fsync(inside)
        yield descriptor
    finally:
        os.close(descriptor)


def make_root(path: str) -> None:
    """Make the root and what is missing above it, all of it durable."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    make_root(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def root_folder(path: str) -> Iterator[int]:
    """The descriptor of the root, which may be a link: whoever runs the program says where it is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
