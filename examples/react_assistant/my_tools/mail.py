"""Sends mail; in this example into a file."""

from __future__ import annotations

from pathlib import Path


def send_email(to: str, subject: str, body: str) -> str:
    """Sends an email.

    Args:
        to: The address.
        subject: One line.
        body: The text.
    """
    with Path("outbox.txt").open("a", encoding="utf-8") as file:
        file.write(f"{to}: {subject}\n{body}\n")
    return "sent"
