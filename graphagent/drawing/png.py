"""SVG to PNG by resvg, with the font in this package, so that labels are never blank."""

from __future__ import annotations

import re
from pathlib import Path

from graphagent.errors import MissingExtra

FAMILY = "DejaVu Sans"
FONTS = tuple(Path(__file__).with_name("fonts") / name for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"))

MOST_PIXELS = 40_000_000
"""A larger picture is drawn at a smaller scale: it would need more than 300 MB while it is made."""

# What FONTS have glyphs for. Anything else (Chinese, emoji, ...) is looked for among the fonts of the machine.
_SHIPPED = re.compile(
    "[\0-\u024f\u0259\u02b0-\u052f\u0531-\u06ff\u1e00-\u20bf\u2100-\u23ff\u2500-\u27ef\ufb00-\ufdff\ufe70-\ufeff\ufffd]*"
)


def to_png(svg: str, width: int, height: int, *, scale: float = 2.0) -> bytes:
    """The picture of an `<svg>` element with plain colours whose text is set in `FAMILY`.

    Args:
        width, height: Of the SVG, in its own pixels.
        scale: Pixels of the picture for each of those; less if it would be larger than `MOST_PIXELS`.

    Raises:
        MissingExtra: resvg-py isn't installed.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise MissingExtra("png", "resvg-py") from error
    picture: bytes = svg_to_bytes(
        svg_string=svg,
        zoom=min(scale, (MOST_PIXELS / (width * height)) ** 0.5),
        font_files=[str(path) for path in FONTS],
        font_family=FAMILY,
        sans_serif_family=FAMILY,
        skip_system_fonts=_SHIPPED.fullmatch(svg) is not None,
    )
    return picture
