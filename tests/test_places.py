"""Test that shared results name no folder outside of the working directory."""

from pathlib import Path

import pytest

from babelgrid.runtime.places import public_path, public_paths, public_settings

HOME = "/home/alice_private"


@pytest.mark.parametrize(
    ("given", "public"),
    [
        (f"{HOME}/posts.csv", "posts.csv"),
        (f"{HOME}/{{language}}/*.csv", "*.csv"),
        ("~/base", "base"),
        ("../alice_private/base/", "base"),
        ("data/../../alice_private/x.csv", "x.csv"),
        ("data/posts.csv", "data/posts.csv"),
        ("posts.csv", "posts.csv"),
        ("~", "~"),
        (HOME, "~"),
        ("/Users/alice/", "~"),
    ],
)
def test_outside_path_keeps_only_its_last_part(given, public):
    assert public_path(given) == public


def test_inside_path_is_relative_to_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert public_path(tmp_path / "data/posts.csv") == "data/posts.csv"
    assert public_path(str(Path.cwd())) == "."


def test_files_with_the_same_name_stay_distinct():
    paths = [f"{HOME}/a/posts.csv", f"{HOME}/b/posts.csv", f"{HOME}/a/posts.csv"]
    assert public_paths(paths) == {paths[0]: "posts.csv", paths[1]: "posts.csv (2)"}


def test_settings_lose_folders_and_keep_texts():
    settings = {
        "posts": {"files": [f"{HOME}/a.csv", "data/b.csv"], "dataset": None},
        "base": {"folder": "~/llama", "hub": "meta-llama/Llama-3.2-1B"},
        "api": {"base_url": "https://api.example.org/v1"},
        "prompt": {"template": "/no_think {text}"},
        "labels": {"pro": {"answer": "/yes"}},
        "exposure": {"tables": ["llama2", f"{HOME}/own.csv"]},
        "seed": 1,
    }
    assert public_settings(settings) == {
        **settings,
        "posts": {"files": ["a.csv", "data/b.csv"], "dataset": None},
        "base": {"folder": "llama", "hub": "meta-llama/Llama-3.2-1B"},
        "exposure": {"tables": ["llama2", "own.csv"]},
    }
