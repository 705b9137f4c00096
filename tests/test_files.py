"""Test that files appear complete or not at all, and record their provenance."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from babelgrid.errors import UserError
from babelgrid.runtime.files import (
    PROVENANCE_KEY,
    provenance,
    read_json,
    read_parquet,
    sha256,
    whole_file,
    write_csv,
    write_folder,
    write_parquet,
    write_text,
)


def test_failed_write_leaves_only_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")

    def fail():
        with whole_file(tmp_path / "a.txt") as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_folder_appears_complete_and_replaces_the_old_one(tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "stale").touch()
    write_folder(tmp_path / "adapter", lambda folder: (folder / "fresh").touch())
    assert [path.name for path in (tmp_path / "adapter").iterdir()] == ["fresh"]
    assert (tmp_path / "adapter" / "fresh").stat().st_mode & 0o777 == 0o644

    def fail(folder):
        (folder / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_folder(tmp_path / "other", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_parquet_carries_its_provenance(tmp_path):
    write_text(tmp_path / "input", "x")
    record = provenance({"rate": 1}, [tmp_path / "input"])
    write_parquet(tmp_path / "a.parquet", pd.DataFrame({"a": [1]}), record)
    found = json.loads(pq.read_schema(tmp_path / "a.parquet").metadata[PROVENANCE_KEY])
    assert found == record
    assert found["inputs"] == {"input": sha256(tmp_path / "input")}
    assert found["settings"] == {"rate": 1}


@pytest.mark.parametrize("place", range(4, 60, 7))
def test_changed_byte_of_parquet_is_detected(tmp_path, place):
    write_parquet(tmp_path / "a.parquet", pd.DataFrame({"number": range(100, 200)}))
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[place] ^= 1
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.parquet"):
        read_parquet(tmp_path / "a.parquet")


def test_next_write_removes_leftovers(tmp_path):
    leftovers = [tmp_path / ".a.k3j_x9qa.txt", tmp_path / ".b.k3j_x9qa" / "b"]
    leftovers[0].write_text("half")
    leftovers[1].mkdir(parents=True)
    (leftovers[1].parent / ".lock").touch()
    others = [tmp_path / ".a.b.k3j_x9qa.txt", tmp_path / ".a.short.txt", tmp_path / ".a.k3j_x9qa.csv"]
    for path in others:
        path.write_text("of another file")
    write_text(tmp_path / "a.txt", "whole")
    write_folder(tmp_path / "b", lambda folder: (folder / "fresh").touch())
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "a.txt", tmp_path / "b"])


@pytest.mark.slow
def test_leftovers_of_killed_process_are_removed(tmp_path):
    killed = (
        "import os, sys\n"
        "from babelgrid.runtime.files import whole_file, write_folder\n"
        "with whole_file(sys.argv[1] + '/a.txt') as path:\n"
        "    path.write_text('half')\n"
        "    write_folder(sys.argv[1] + '/b', lambda folder: os.kill(os.getpid(), 9))\n"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False).returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    write_text(tmp_path / "a.txt", "whole")
    write_folder(tmp_path / "b", lambda folder: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b"]


def test_temporary_file_of_running_process_stays(tmp_path):
    with whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("slow")
        write_text(tmp_path / "a.txt", "fast")
        assert temporary.exists()
    assert (tmp_path / "a.txt").read_text() == "slow"


def test_content_is_synced_before_the_rename(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(Path(f"/proc/self/fd/{handle}").readlink()), sync(handle))
    )
    monkeypatch.setattr(Path, "replace", lambda self, to: (done.append(f"-> {to}"), replace(self, to)))
    write_text(tmp_path / "a.txt", "x")
    temporary, named, folder = done
    assert temporary.name.startswith(".a.")
    assert (named, folder) == (f"-> {tmp_path / 'a.txt'}", tmp_path)
    done.clear()
    write_folder(tmp_path / "b", lambda made: (made / "weights").write_text("x"))
    assert [Path(path).name for path in done if not str(path).startswith("->")] == ["weights", "b", tmp_path.name]


def test_csv_numbers_are_short_and_stable(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"a": [0.1 + 0.2, 1.0, None], "b": [1, 2, 3]}))
    assert (tmp_path / "a.csv").read_text() == "a,b\n0.3,1\n1,2\n,3\n"


@pytest.mark.parametrize("read", [read_json, read_parquet])
def test_broken_file_is_named(tmp_path, read):
    (tmp_path / "broken").write_bytes(b"PAR1 not really \xff")
    with pytest.raises(UserError, match="broken"):
        read(tmp_path / "broken")
