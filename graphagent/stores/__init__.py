"""Stores of sessions: `memory.MemoryStore`, `sqlite.SqliteStore`, `postgres.PostgresStore`.

All of them pass `tests/contract/store.py`.
"""
