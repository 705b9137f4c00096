"""Test that a job that was started again elsewhere publishes nothing more."""

import fcntl

import pytest

from babelgrid.errors import UserError
from babelgrid.runtime.files import write_folder, write_text
from babelgrid.runtime.job import is_running, job
from babelgrid.runtime.ownership import own


@pytest.fixture
def owner(tmp_path):
    return tmp_path / "logs/seed0.owner"


def test_owner_of_a_job_publishes_files_and_folders(tmp_path, owner):
    with own(owner):
        write_text(tmp_path / "table", "mine")
        write_folder(tmp_path / "adapter", lambda folder: write_text(folder / "weights", "mine"))
    assert (tmp_path / "table").read_text() == (tmp_path / "adapter/weights").read_text() == "mine"


def test_replaced_job_publishes_nothing(tmp_path, owner):
    write_text(tmp_path / "table", "the successor's")
    write_folder(tmp_path / "adapter", lambda folder: write_text(folder / "weights", "the successor's"))
    with own(owner):
        owner.write_text('{"host": "elsewhere"}')
        with pytest.raises(UserError, match="elsewhere"):
            write_text(tmp_path / "table", "the old one's")
        with pytest.raises(UserError, match="elsewhere"):
            write_folder(tmp_path / "adapter", lambda folder: (folder / "weights").write_text("the old one's"))
    assert (tmp_path / "table").read_text() == (tmp_path / "adapter/weights").read_text() == "the successor's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "logs", "table"]


def test_later_claim_wins(tmp_path, owner):
    with own(owner), own(owner):
        write_text(tmp_path / "table", "the later one's")


def test_deleted_owner_file_claims_nothing(tmp_path, owner):
    with own(owner):
        owner.unlink()
        write_text(tmp_path / "table", "mine")
    assert (tmp_path / "table").read_text() == "mine"


def test_successor_does_not_wait_for_predecessors_log(tmp_path):
    log = tmp_path / "seed0.log"
    with log.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with job(log):
            assert is_running(log)
    assert not is_running(log)
