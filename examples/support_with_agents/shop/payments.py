"""Pays money back; in this example into a file, once for each key."""

from __future__ import annotations

from pathlib import Path


def refund(order_id: str, amount: float, idempotency_key: str = "") -> str:
    """Pays an amount back.

    Args:
        order_id: The order.
        amount: In euros.
    """
    book = Path("refunds.txt")
    line = f"{idempotency_key or order_id} {amount}\n"
    if not book.exists() or line not in book.read_text(encoding="utf-8"):
        with book.open("a", encoding="utf-8") as file:
            file.write(line)
    return "refunded"
