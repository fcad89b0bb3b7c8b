"""How a task ends that has no result yet."""

from __future__ import annotations


class Held(BaseException):
    """The task waits inside its superstep for an answer; it runs again when that is there.

    Not an Exception, so that an author's `except Exception` around a call doesn't swallow it.
    """


class Limited(BaseException):
    """A limit keeps the task from a model call, so it ends here without a result. Not an Exception, as `Held`."""
