"""How many examples a property test tries: all of them in `make test`, a few in `make check`."""

from __future__ import annotations

from hypothesis import settings

QUICK = "quick"


def examples(count: int) -> int:
    """`count`, or a tenth of it under `--hypothesis-profile quick`."""
    return max(count // 10, 5) if settings.get_current_profile_name() == QUICK else count
