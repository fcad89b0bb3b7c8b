"""How wide text is, from a shipped table: a drawing is the same on every machine.

Widths are in thousandths of the font size, for the printable ASCII characters from space to tilde. Each is
the wider of Helvetica's and DejaVu Sans's, so a label fits its box in whichever font the viewer has.

Source: the AFM files of the PostScript core fonts and the `hmtx` tables of DejaVu Sans 2.37.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_REGULAR = (
    "318 401 460 838 636 950 780 275 390 390 500 838 318 361 318 337 636 636 636 636 636 636 636 636 636 636 337 337 "
    "838 838 838 556 1015 684 686 722 770 667 611 778 752 295 500 667 557 863 748 787 667 787 722 667 611 732 684 989 "
    "685 667 685 390 337 390 838 556 500 613 635 550 635 615 352 635 634 278 278 579 278 974 634 612 635 635 411 521 "
    "392 634 592 818 592 592 525 636 337 636 838"
)
_BOLD = (
    "348 456 521 838 696 1002 872 306 457 457 523 838 380 415 380 365 696 696 696 696 696 696 696 696 696 696 400 400 "
    "838 838 838 611 1000 774 762 734 830 683 683 821 837 372 556 775 637 995 837 850 733 850 770 720 682 812 774 1103 "
    "771 724 725 457 365 457 838 556 500 675 716 593 716 678 435 716 712 343 343 665 343 1042 712 687 716 716 493 595 "
    "478 712 652 924 645 652 582 712 365 712 838"
)
_OTHER = 640  # Latin with accents, Greek, Cyrillic, Hebrew, Arabic: about as wide as a digit
_SYMBOL = 900  # arrows, check marks, geometric shapes
_FULL = 1000  # CJK and emoji fill the em square


def _table(widths: str) -> dict[str, int]:
    return {chr(32 + i): int(width) for i, width in enumerate(widths.split())}


_WIDTHS = {False: _table(_REGULAR), True: _table(_BOLD)}


def _class_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.east_asian_width(char) in ("W", "F"):
        return _FULL
    return _SYMBOL if unicodedata.category(char)[0] == "S" else _OTHER


@lru_cache(maxsize=4096)
def pixel_width(text: str, size: int, bold: bool = False) -> int:
    """Width in pixels of one line of text in the drawing's sans-serif font, rounded up."""
    table = _WIDTHS[bold]
    total = 0
    for char in text:
        width = table.get(char)
        if width is None:
            width = table[char] = _class_width(char)
        total += width
    return -(-total * size // 1000)


def char_cells(char: str) -> int:
    """How many terminal cells a character takes: 0, 1 or 2."""
    if char < "\u0300":
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


@lru_cache(maxsize=4096)
def cell_width(text: str) -> int:
    """How many terminal cells one line of text takes."""
    return len(text) if text.isascii() else sum(map(char_cells, text))
