"""Classes that graphs name as types."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class Score(BaseModel):
    name: str
    points: int = 0


class Dated(BaseModel):
    at: datetime


class Plain:
    name: str
