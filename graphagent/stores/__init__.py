"""Stores of sessions: `memory.MemoryStore` and `sqlite.SqliteStore`. Both pass `tests/contract/store.py`."""
