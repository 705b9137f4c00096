"""Test that a damaged ledger is never treated as a new one, so that the budget never starts over silently."""

import json
import math
import multiprocessing
import shutil
import sqlite3
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babelgrid.api.ledger import Answer, Ledger, OverBudgetError
from babelgrid.errors import UserError

ANSWER = Answer("pro", [-0.1, -2.4], 10, 1, 0.5, 0.01)
START_OVER = "delete the folder"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "api/ledger.sqlite"


def spend(path, calls, budget=1.0, dollars=0.01):
    """Make paid calls, each with an answer; return the dollars spent."""
    ledger = Ledger(path, budget)
    for number in range(calls):
        ledger.settle(ledger.reserve(2 * dollars), dollars)
        ledger.keep(f"{path}-{number}", ANSWER)
    spent = ledger.spent()
    ledger.close()
    return spent


def by_sql(path, *statements):
    with sqlite3.connect(path) as file:
        for statement in statements:
            file.execute(statement)
    file.close()


def test_ledger_continues_after_reopening(path):
    assert spend(path, 5) == pytest.approx(0.05)
    assert spend(path, 3) == pytest.approx(0.08)
    assert Ledger(path, 1.0).find(f"{path}-1") == ANSWER


LOSSES = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "cut to a page": lambda path: path.write_bytes(path.read_bytes()[:4096]),
    "no database": lambda path: path.write_bytes(b"once upon a time " * 500),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a new file of the same kind": lambda path: (path.unlink(), sqlite3.connect(path).close()),
    "calls deleted": lambda path: by_sql(path, "DELETE FROM calls"),
    "some calls deleted": lambda path: by_sql(path, "DELETE FROM calls WHERE number = 2"),
    "the last calls deleted": lambda path: by_sql(path, "DELETE FROM calls WHERE number > 3"),
    "dollars set to zero": lambda path: by_sql(path, "UPDATE calls SET dollars = 0"),
    "dollars below zero": lambda path: by_sql(path, "UPDATE calls SET dollars = -1 WHERE number = 1"),
    "dollars that are text": lambda path: by_sql(path, "UPDATE calls SET dollars = NULL WHERE number = 1"),
    "table dropped": lambda path: by_sql(path, "DROP TABLE calls"),
    "its own count dropped": lambda path: by_sql(path, "DROP TABLE count"),
}


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_damaged_ledger_is_refused_with_advice(path, loss):
    spend(path, 6)
    LOSSES[loss](path)
    for _ in range(2):  # the refusal itself must not create a file that looks like a complete ledger
        with pytest.raises(UserError, match=START_OVER) as error:
            Ledger(path, 1.0)
        assert str(path) in str(error.value)
    shutil.rmtree(path.parent)
    assert spend(path, 1) == pytest.approx(0.01)


def test_old_copy_of_ledger_is_refused(path, tmp_path):
    spend(path, 3)
    shutil.copyfile(path, tmp_path / "copy")
    spend(path, 1)
    shutil.copyfile(tmp_path / "copy", path)
    with pytest.raises(UserError, match="has 3 of 4 calls"):
        Ledger(path, 1.0)


def test_ledger_of_another_experiment_is_refused(path, tmp_path):
    spend(path, 2)
    other = tmp_path / "other/ledger.sqlite"
    spend(other, 9)
    shutil.copyfile(other, path)
    with pytest.raises(UserError, match="not the ledger that this experiment started with"):
        Ledger(path, 1.0)


def test_lost_ledger_is_detected_by_paid_answers(path):
    details = path.parent / "api-0shot/seed0.json"
    details.parent.mkdir(parents=True)
    details.write_text(json.dumps({"posts": 20, "dollars": 0.3}), encoding="utf-8")
    with pytest.raises(UserError, match="files beside it contain answers"):
        Ledger(path, 1.0)
    details.write_text(json.dumps({"posts": 0, "dollars": 0}), encoding="utf-8")
    assert Ledger(path, 1.0).spent() == 0


def test_ledger_without_calls_may_be_lost(path):
    Ledger(path, 1.0).close()
    path.write_bytes(b"")
    assert Ledger(path, 1.0).spent() == 0
    path.unlink()
    assert Ledger(path, 1.0).spent() == 0


def test_unreadable_count_is_an_error_and_lost_count_is_rebuilt(path):
    spend(path, 4)
    spend(path, 0)
    count = path.with_suffix(".json")
    whole = count.read_bytes()
    for content in (b"", whole[:-9], b"[]", b'{"calls": 1}'):
        count.write_bytes(content)
        with pytest.raises(UserError, match=r"ledger\.json: cannot be read"):
            Ledger(path, 1.0)
    count.unlink()
    assert spend(path, 0) == pytest.approx(0.04)
    assert count.read_bytes() == whole


def test_ledger_of_older_version_keeps_its_spending(path):
    spend(path, 4)
    by_sql(path, "DROP TABLE count")
    path.with_suffix(".json").unlink()
    assert spend(path, 1) == pytest.approx(0.05)
    path.unlink()
    with pytest.raises(UserError, match="has 0 of 5 calls"):
        Ledger(path, 1.0)


def test_damaged_answer_is_an_error(path):
    spend(path, 1)
    by_sql(path, "UPDATE answers SET answer = '{\"label\":'")
    with pytest.raises(UserError, match="an answer cannot be read"):
        Ledger(path, 1.0).find(f"{path}-0")


@pytest.mark.parametrize("dollars", [math.nan, math.inf, -1.0])
def test_invalid_amounts_do_not_change_the_budget(path, dollars):
    ledger = Ledger(path, 1.0)
    number = ledger.reserve(0.75)
    with pytest.raises(OverBudgetError):
        ledger.reserve(dollars)
    ledger.settle(number, dollars)
    assert ledger.spent() == 0.75


def _spend_all(path):
    ledger, calls = Ledger(path, 1.25), 0  # 20 calls, with costs that are exact in binary
    try:
        while True:
            ledger.settle(ledger.reserve(0.0625), 0.0625)
            calls += 1
    except OverBudgetError:
        return calls


@pytest.mark.slow
def test_parallel_processes_share_budget_and_count(path):
    with multiprocessing.get_context("fork").Pool(3) as pool:
        made = pool.map(_spend_all, [path] * 3)
    assert sum(made) == 20
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["calls"] == 20
    assert Ledger(path, 1.25).spent() == 1.25


def test_locked_ledger_is_an_error_after_waiting(path, monkeypatch):
    spend(path, 1)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda place, **options: connect(place, **{**options, "timeout": 0.01}))
    holder = connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(UserError, match="in use by another process"):
        Ledger(path, 1.0)
    holder.close()


def test_ledger_deleted_during_use_stops_calls(path):
    ledger = Ledger(path, 1.0)
    ledger.settle(ledger.reserve(0.02), 0.01)
    path.unlink()
    with pytest.raises(UserError, match="moved or deleted while it was in use"):
        ledger.reserve(0.02)


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("place", ["babelgrid.api.ledger.write_json", "babelgrid.runtime.files.publishing"])
def test_kill_between_ledger_and_count_is_recovered(path, monkeypatch, place):
    spend(path, 2)
    ledger = Ledger(path, 1.0)
    with monkeypatch.context() as patch:

        def end(*_):
            raise Interrupted

        patch.setattr(place, end)
        with pytest.raises(Interrupted):
            ledger.reserve(0.5)
    ledger.close()
    assert Ledger(path, 1.0).spent() == pytest.approx(0.52)  # the reservation may have been charged


def test_full_disk_stops_calls_and_refunds_nothing(mounted):
    small = mounted("size=64k")
    path = small / "api/ledger.sqlite"
    ledger, made = Ledger(path, 100.0), []
    (small / "filler").write_bytes(bytes(shutil.disk_usage(small).free - 8192))

    def ask_on():
        while len(made) < 10_000:
            number = ledger.reserve(0.01)
            made.append(number)
            ledger.keep(f"{number}" * 50, ANSWER)
            ledger.settle(number, 0.005)

    with pytest.raises(UserError, match=r"No space left on device.*free some space, and run again"):
        ask_on()
    ledger.close()
    (small / "filler").unlink()
    assert not [found for found in path.parent.iterdir() if found.name.startswith(".")]
    assert 0.005 * (len(made) - 1) <= Ledger(path, 100.0).spent() <= 0.01 * (len(made) + 1)


def test_read_only_ledger_is_one_error(mounted):
    fixed = mounted("size=1m")
    path = fixed / "api/ledger.sqlite"
    spend(path, 1)
    subprocess.run(["mount", "-o", "remount,ro", str(fixed)], check=True)
    with pytest.raises(UserError, match="permission to read and write it, and run again"):
        Ledger(path, 1.0)


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 1), st.booleans()), max_size=6))
def test_budget_holds_for_any_call_costs(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    paid = 0.0
    for most, share, is_settled in steps:
        ledger = Ledger(path, 1.0)
        try:
            number = ledger.reserve(most)
        except OverBudgetError:
            assert paid + most > 1.0
            continue
        finally:
            assert ledger.spent() <= 1.0
        if is_settled:
            ledger.settle(number, most * share)
        paid += most * share if is_settled else most
        ledger.close()
        assert Ledger(path, 1.0).spent() == pytest.approx(paid)
