"""Test uploads by the real `huggingface_hub`, in its own process, to a fake Hub on loopback."""

import os
import subprocess
import sys

import pytest

from babelgrid.release.push import describe_push
from babelgrid.runtime.files import read_json, sha256
from hub import COMMIT, standing_in

pytestmark = pytest.mark.slow

TOKEN = "planted-token-77"
PUSH = """
import sys
from pathlib import Path
from babelgrid.release.push import push_adapter
push_adapter(Path(sys.argv[1]), "team/small-en-seed0", sys.argv[2] == "private", Path(sys.argv[3]))
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "seed0"
    (made / "merged").mkdir(parents=True)
    (made / ".snakemake_timestamp").touch()
    (made / "README.md").write_text("---\nlicense: mit\n---\na card\n", encoding="utf-8")
    (made / "merged/model.safetensors").write_bytes(bytes(range(256)) * 40)
    return made


@pytest.fixture
def hub():
    with standing_in() as hub:
        yield hub


@pytest.fixture
def push(folder, tmp_path, hub):
    def run(visible="private", token=TOKEN):
        command = [sys.executable, "-c", PUSH, str(folder), visible, str(tmp_path / "pushed.json")]
        environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": token}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_push_uploads_all_files_privately_and_records_them(push, folder, hub, tmp_path):
    ended = push()
    assert ended.returncode == 0, ended.stderr
    assert hub.repositories == {"team/small-en-seed0": True}
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("[!.]*") if path.is_file()}
    assert hub.files["team/small-en-seed0"] == {name: path.read_bytes() for name, path in paths.items()}
    assert hub.tokens == {f"Bearer {TOKEN}"}
    record = read_json(tmp_path / "pushed.json")
    assert record["commit"] == COMMIT
    assert record["sha256"] == {name: sha256(path) for name, path in paths.items()}
    assert TOKEN not in (tmp_path / "pushed.json").read_text(encoding="utf-8") + ended.stdout + ended.stderr


def test_push_deletes_files_of_earlier_release(push, hub):
    hub.repositories["team/small-en-seed0"] = True
    hub.files["team/small-en-seed0"] = {"gguf/model.gguf": b"of another card", "README.md": b"old"}
    ended = push()
    assert ended.returncode == 0, ended.stderr
    assert set(hub.files["team/small-en-seed0"]) == {"README.md", "merged/model.safetensors"}


def test_unreachable_hub_is_one_error(push, hub, tmp_path):
    hub.address = "http://127.0.0.1:9"
    ended = push()
    assert "UserError: push: the Hub did not accept team/small-en-seed0" in ended.stderr
    assert not (tmp_path / "pushed.json").exists()


def test_existing_public_repository_is_refused_if_private_is_set(push, hub, tmp_path):
    hub.repositories["team/small-en-seed0"] = False
    ended = push()
    assert "push: team/small-en-seed0 already exists and is public" in ended.stderr
    assert hub.files == {}
    assert not (tmp_path / "pushed.json").exists()


def test_public_repository_is_created_only_on_request(push, hub):
    assert push("public").returncode == 0
    assert hub.repositories == {"team/small-en-seed0": False}


def test_push_without_token_makes_no_request(push, hub):
    assert "push: set the variable HF_TOKEN to a write token of 'team'" in push(token="").stderr
    assert hub.repositories == {}


def test_hub_refusal_is_reported_without_token(push, hub, tmp_path):
    hub.refuses = True
    ended = push()
    assert ended.returncode != 0
    assert "push: the Hub did not accept team/small-en-seed0" in ended.stderr
    assert TOKEN not in ended.stderr
    assert not (tmp_path / "pushed.json").exists()


def test_push_list_shows_files_sizes_and_visibility(folder):
    listed = describe_push({"team/small-en-seed0": folder}, private=True)
    assert listed.splitlines()[0] == "team/small-en-seed0 (private): 2 files, 0.0 MB"
    assert "10,240  merged/model.safetensors" in listed
    assert "Nothing was uploaded" in listed
    assert "(public)" in describe_push({"team/x": folder}, private=False)
