from __future__ import annotations

import itertools
import re

from graphagent.snapshot import Commit, SessionRow
from graphagent.stores.postgres_rows import commit_values, effects_values, input_values, inputs_values, session_values
from graphagent.stores.postgres_statements import SQL, Statement
from tests.contract.store import batch, checkpoint_row, effect_row, next_commit, run_input, session_row


def test_names_become_numbers() -> None:
    found = Statement.parse("select :b::int[], :a, x.y::text, :b where t = ':a'::text and :a_b_")
    assert found.text == "select $1::int[], $2, x.y::text, $1 where t = '$2'::text and $3"
    assert found.names == ("b", "a", "a_b_")
    assert found.values({"a": 1, "a_b_": 2, "b": 3, "c": 4}) == [3, 1, 2]


def test_every_value_of_a_write_has_its_parameter() -> None:
    row = session_row()
    written = {
        **dict(commit_values(commits) for commits in _commits(row)),
        "append": {"sid", "epoch"} | effects_values(row.session, [effect_row()]).keys(),
        "insert_session": session_values(row, checkpoint_row(row, -1), (), (), 0).keys() - {"i_sid"},
        "accept": {"sid"} | input_values(row.session, run_input(), 0).keys(),
        "take_over": {"sid", "worker", "again"} | input_values(row.session, None, 0).keys(),
    }
    assert {name for name in SQL if name.startswith("commit")} <= written.keys()
    for name, values in written.items():
        assert set(SQL[name].names) == set(values), name
    assert set(SQL["answer"].names) > inputs_values([(row.session, run_input())], 0).keys() - {"i_n", "i_at"}


def _commits(row: SessionRow) -> list[list[Commit]]:
    """Commits of each kind, so that each statement is used."""
    kinds = itertools.product((batch(0), None), ((), [effect_row()]), (False, True))
    return [[next_commit(row, 0, events=events, effects=effects, takes=takes)] for events, effects, takes in kinds]


def test_no_statement_holds_what_could_be_given() -> None:
    """Values are parameters; the only texts in a statement are states and names of settings."""
    texts = {text for s in SQL.values() for text in re.findall(r"'([^']*)'", s.text)}
    assert texts <= {"open", "running", "poisoned", "corrupt", "1 day", "store_id", "synchronous_commit", "off", "on"}
