from __future__ import annotations

from dataclasses import replace

import pytest

from graphagent.snapshot import Blob, CachedResult, EffectState
from graphagent.stores.postgres_rows import commit_values, effects_values, events_row, input_row
from graphagent.stores.rows import Damage, events_values, input_values
from tests.contract.store import batch, effect_row, interrupt_row, next_commit, run_input, session_row

ROW = session_row()


def test_rows_of_one_key_are_folded_as_a_store_would() -> None:
    intent = effect_row(state=EffectState.INTENT, outcome=None)
    done = replace(intent, state=EffectState.DONE, outcome=b"1")
    for given in ([intent, done], [done, intent], [done, replace(done, outcome=b"2")]):
        assert effects_values(ROW.session, given)["outcome_"] == [b"1"]
    assert effects_values(ROW.session, [effect_row(0, 2), effect_row(0, 1)])["ord_"] == [1, 2]
    assert effects_values(ROW.session, [])["path_"] == []


def test_what_a_commit_asks_and_closes_is_one_row() -> None:
    asked = [interrupt_row(ROW, "a"), interrupt_row(ROW, "b"), interrupt_row(ROW, "a", question=b"again")]
    closed = [(asked[1].interrupt, "cancelled"), (interrupt_row(ROW, "c").interrupt, "expired")]
    _, values = commit_values([next_commit(ROW, None, interrupts=asked, closed=closed)])
    assert (values["q_question"][0], values["q_status"]) == (b"again", ["open", "cancelled"])
    assert (values["closed_iid"], values["closed_status"]) == ([closed[1][0].raw], ["expired"])


def test_what_one_commit_asks_and_the_next_one_closes_is_one_row() -> None:
    asked = [interrupt_row(ROW, "a"), interrupt_row(ROW, "b")]
    commits = [
        next_commit(ROW, 0, interrupts=asked),
        next_commit(ROW, 1, closed=[(asked[0].interrupt, "cancelled")]),
        next_commit(ROW, 2, interrupts=asked, closed=[(asked[0].interrupt, "expired")]),
    ]
    _, values = commit_values(commits)
    assert (values["q_status"], values["closed_iid"]) == (["cancelled", "open"], [])


def test_events_of_several_commits_are_numbered_in_their_order() -> None:
    commits = [next_commit(ROW, k, events=events) for k, events in ((0, batch(0, 2)), (1, None), (2, batch(2, 3)))]
    _, values = commit_values(commits)
    assert (values["event_before"], values["event_count"], values["event_total"]) == ([0, 2], [2, 3], 5)


def test_equal_blobs_and_results_go_once() -> None:
    cached = [CachedResult(b"k", b"1"), CachedResult(b"k", b"2")]
    _, values = commit_values([next_commit(ROW, 0, blobs=[Blob(b"h", b"x"), Blob(b"h", b"x")], cached=cached)])
    assert (values["blob_hash"], values["cache_data"]) == ([b"h"], [b"2"])


def test_numbers_are_outside_the_seal_and_all_else_is_inside() -> None:
    _, superstep, _, *rest = events_values(ROW.session, batch(3), 0)
    assert events_row(ROW.session, (superstep, 41, *rest)) == replace(batch(3), first=41)
    with pytest.raises(Damage):
        events_row(ROW.session, (superstep + 1, 41, *rest))
    sid, _, *more = input_values(ROW.session, run_input(), 0, 5)
    assert input_row((sid, 7, *more, None, b"content")).n == 7
    with pytest.raises(Damage):
        input_row((sid, 7, *more[:-2], 6, more[-1], None, b"content"))
