"""A training job that is killed and restarted writes the same bytes as an uninterrupted one."""

import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from babelgrid.errors import UserError
from babelgrid.model.checkpoints import MANIFEST, Checkpoints
from babelgrid.model.trainer import AdapterTrainer
from babelgrid.runtime.files import sha256
from babelgrid.runtime.ownership import own
from training import SETTINGS, train, write_posts

pytestmark = pytest.mark.grid

EACH_STEP = SETTINGS.model_copy(update={"checkpoint_steps": 1})
# Two micro-batches per step, an epoch that is no multiple of the step, a changing learning rate: all resumable state.
UNEVEN = {"batch_size": 10, "micro_batch_size": 5, "scheduler": "cosine", "warmup": 0.2, "epochs": 4}
FILES = ("adapter_model.safetensors", "training.csv", "adapter_config.json")


class Killed(BaseException):
    """End a job immediately: no code in the library may catch this exception."""


@pytest.fixture(autouse=True)
def one_thread():
    """Use one thread, as the tests' jobs in separate processes do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, random_base):
    """Return a function from settings to the digests of an adapter trained without interruption, once per settings."""
    made = {}

    def bytes_of(settings):
        key = settings.model_dump_json(exclude={"checkpoint_steps", "checkpoint_minutes"})
        if key not in made:
            folder = tmp_path_factory.mktemp("whole")
            plain = settings.model_copy(update={"checkpoint_steps": None})
            made[key] = digests(train(write_posts(folder), random_base(), folder / "adapter", plain))
        return made[key]

    return bytes_of


def digests(adapter):
    return {name: sha256(adapter / name) for name in FILES}


def kill_at(monkeypatch, owner, name, call):
    """Raise `Killed` at call number `call` (from 1) of `owner.name`."""
    original, calls = getattr(owner, name), []

    def deadly(*arguments, **keywords):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return original(*arguments, **keywords)

    monkeypatch.setattr(owner, name, deadly)


@pytest.mark.parametrize("seed", range(4))
def test_training_killed_at_any_step_gives_the_same_bytes(
    posts, random_base, tmp_path, whole, monkeypatch, caplog, seed
):
    caplog.set_level(logging.INFO)
    chance = random.Random(seed)
    changes = UNEVEN if seed % 2 else {}
    every = chance.choice([1, 2])
    settings = SETTINGS.model_copy(update={**changes, "checkpoint_steps": every})
    state = tmp_path / "state"
    for first, last in ((5, 7), (2, 5)):
        with monkeypatch.context() as patch:
            kill_at(patch, AdapterTrainer, "training_step", chance.randint(first, last))
            with pytest.raises(Killed):
                train(posts, random_base(), tmp_path / "adapter", settings, checkpoints=state)
        assert not (tmp_path / "adapter").exists()
        assert len(list(state.glob("checkpoint-*"))) <= 1
    assert digests(train(posts, random_base(), tmp_path / "adapter", settings, checkpoints=state)) == whole(settings)
    assert caplog.text.count("resuming from") == 2
    assert not state.exists()


@pytest.mark.parametrize(
    ("owner", "name", "call"), [(os, "fsync", 3), (os, "fsync", 40), (Path, "replace", 4), (shutil, "rmtree", 6)]
)
def test_training_killed_while_writing_gives_the_same_bytes(
    posts, random_base, tmp_path, whole, monkeypatch, owner, name, call
):
    state = tmp_path / "state"
    with monkeypatch.context() as patch:
        kill_at(patch, owner, name, call)
        with pytest.raises(Killed):
            train(posts, random_base(), tmp_path / "adapter", EACH_STEP, checkpoints=state)
    assert digests(train(posts, random_base(), tmp_path / "adapter", EACH_STEP, checkpoints=state)) == whole(EACH_STEP)


def die_after(posts, base, folder, monkeypatch, step, settings=EACH_STEP):
    """Run a job that is killed after a step; return the folder of its state."""
    with monkeypatch.context() as patch:
        kill_at(patch, AdapterTrainer, "training_step", step + 1)
        with pytest.raises(Killed):
            train(posts, base, folder / "adapter", settings, checkpoints=folder / "state")
    return folder / "state"


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "manifest"])
def test_damaged_checkpoint_is_logged_and_removed(posts, random_base, tmp_path, whole, monkeypatch, caplog, damage):
    state = die_after(posts, random_base(), tmp_path, monkeypatch, 3)
    file = state / "checkpoint-3" / (MANIFEST if damage == "manifest" else "optimizer.pt")
    content = file.read_bytes()
    if damage == "remove":
        file.unlink()
    elif damage == "flip":
        file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    else:
        file.write_bytes(content[: len(content) // 2])
    adapter = train(posts, random_base(), tmp_path / "adapter", EACH_STEP, checkpoints=state)
    assert digests(adapter) == whole(EACH_STEP)
    assert "checkpoint-3 cannot be used and is removed: " in caplog.text
    assert "damaged" in caplog.text


def test_previous_checkpoint_is_used_if_the_newest_is_damaged(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path / "state", {"data": "1"})
    save(checkpoints, 1)
    before = (tmp_path / "state/checkpoint-1").rename(tmp_path / "aside")
    save(checkpoints, 2)
    before.rename(tmp_path / "state/checkpoint-1")
    (tmp_path / "state/checkpoint-2/weights").write_text("half", encoding="utf-8")
    assert checkpoints.last() == tmp_path / "state/checkpoint-1"
    assert "checkpoint-2 cannot be used and is removed: weights is damaged" in caplog.text
    assert not (tmp_path / "state/checkpoint-2").exists()


def save(checkpoints, step):
    def write():
        made = checkpoints.writing / f"checkpoint-{step}"
        made.mkdir(parents=True)
        (made / "weights").write_text(f"of step {step}", encoding="utf-8")

    checkpoints.save(step, write)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("config", {"settings": EACH_STEP.model_copy(update={"learning_rate": 1e-3})}),
        ("code", {"code": "another"}),
    ],
)
def test_checkpoint_of_another_run_is_removed(posts, random_base, tmp_path, monkeypatch, caplog, kind, change):
    state = die_after(posts, random_base(), tmp_path, monkeypatch, 2)
    adapter = train(posts, random_base(), tmp_path / "adapter", **{"settings": EACH_STEP, **change}, checkpoints=state)
    fresh = train(posts, random_base(), tmp_path / "fresh", **{"settings": EACH_STEP, **change})
    assert digests(adapter) == digests(fresh)
    assert f"it differs from this run in: {kind}" in caplog.text
    assert "resuming from" not in caplog.text


def test_checkpoint_of_other_posts_is_removed(posts, random_base, tmp_path, monkeypatch, caplog):
    state = die_after(posts, random_base(), tmp_path, monkeypatch, 2)
    posts["es"].write_bytes(posts["en"].read_bytes())
    train(posts, random_base(), tmp_path / "adapter", EACH_STEP, checkpoints=state)
    assert "it differs from this run in: data" in caplog.text


def test_checkpoint_interval_may_change_between_runs(posts, random_base, tmp_path, monkeypatch, caplog):
    state = die_after(posts, random_base(), tmp_path, monkeypatch, 2)
    rarely = EACH_STEP.model_copy(update={"checkpoint_steps": None, "checkpoint_minutes": 60})
    with caplog.at_level(logging.INFO):
        train(posts, random_base(), tmp_path / "adapter", rarely, checkpoints=state)
    assert "resuming from" in caplog.text


def test_job_writes_nothing_after_another_took_over(posts, random_base, tmp_path, monkeypatch):
    state, owner = tmp_path / "state", tmp_path / "seed0.owner"
    step = AdapterTrainer.training_step
    seen = []

    def successor_comes(self, *arguments, **keywords):
        seen.append(self.state.global_step)
        if self.state.global_step == 3 and len(seen) == 4:
            owner.write_text("process 12 on node7")
        return step(self, *arguments, **keywords)

    monkeypatch.setattr(AdapterTrainer, "training_step", successor_comes)
    with own(owner), pytest.raises(UserError, match=r"started again elsewhere .*process 12 on node7"):
        train(posts, random_base(), tmp_path / "adapter", EACH_STEP, checkpoints=state)
    assert [path.name for path in state.glob("checkpoint-*")] == ["checkpoint-3"]
    assert not (tmp_path / "adapter").exists()


def test_replaced_job_keeps_its_successors_checkpoint(tmp_path):
    owner = tmp_path / "seed0.owner"
    survivor, successor = Checkpoints(tmp_path / "state", {}), Checkpoints(tmp_path / "state", {})
    with own(owner):
        with own(owner):
            save(successor, 2)
        with pytest.raises(UserError, match="started again elsewhere"):
            save(survivor, 1)
    assert [path.name for path in (tmp_path / "state").glob("checkpoint-*")] == ["checkpoint-2"]


def test_checkpoint_minutes_use_a_monotonic_clock(posts, random_base, tmp_path, whole, monkeypatch):
    often = SETTINGS.model_copy(update={"checkpoint_minutes": 1e-9})
    now = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    state = die_after(posts, random_base(), tmp_path, monkeypatch, 4, often)
    assert [path.name for path in state.glob("checkpoint-*")] == ["checkpoint-4"]
    assert digests(train(posts, random_base(), tmp_path / "adapter", often, checkpoints=state)) == whole(often)


def test_time_limit_signal_saves_the_state_and_stops(posts, random_base, tmp_path, whole, monkeypatch):
    state, before = tmp_path / "state", signal.getsignal(signal.SIGUSR1)
    step = AdapterTrainer.training_step

    def warned(self, *arguments, **keywords):
        if self.state.global_step == 5:
            os.kill(os.getpid(), signal.SIGUSR1)
        return step(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(AdapterTrainer, "training_step", warned)
        with pytest.raises(UserError, match="stopped by SIGUSR1 at step 6 of 12; run again to resume from step 6"):
            train(posts, random_base(), tmp_path / "adapter", checkpoints=state)
    assert signal.getsignal(signal.SIGUSR1) == before
    assert digests(train(posts, random_base(), tmp_path / "adapter", checkpoints=state)) == whole(SETTINGS)


def start_job(posts, base, folder, settings):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "training", str(posts["en"].parent), str(base), str(folder)]
    places = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("src", "tests"))
    return subprocess.Popen(
        [*command, settings.model_dump_json()],
        env={**os.environ, "PYTHONPATH": places},
        # If the tests run in the background of a script, they ignore Ctrl-C, and their child processes would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (no lock is taken)
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=["KILL", "TERM", "INT", "HUP"]
)
def test_process_stopped_by_signal_resumes_to_the_same_bytes(posts, random_base, tmp_path, whole, caplog, number):
    settings = SETTINGS.model_copy(update={"epochs": 40, "checkpoint_steps": 1})
    process = start_job(posts, random_base(), tmp_path / "job", settings)
    state, log = tmp_path / "job/state", tmp_path / "job/training.log"
    deadline = time.monotonic() + 300
    while not list(state.glob("checkpoint-*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, words = process.communicate(timeout=300)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 1, log.read_text(encoding="utf-8")
        assert f"stopped by {number.name} at step" in words
        assert "run again to resume from step" in words
        assert "Traceback" not in log.read_text(encoding="utf-8")
        assert len(list(state.glob("checkpoint-*"))) == 1
    assert not (tmp_path / "job/adapter").exists()
    rarely = settings.model_copy(update={"checkpoint_steps": None})
    with caplog.at_level(logging.INFO):
        adapter = train(posts, random_base(), tmp_path / "job/adapter", rarely, checkpoints=state)
    assert "resuming from" in caplog.text
    assert digests(adapter) == whole(settings)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "stopped by SIGINT at step 6 of 12; run again to resume from step 6"), (60.0, "KeyboardInterrupt")],
    ids=["delivered twice", "pressed twice"],
)
def test_second_ctrl_c_stops_without_a_checkpoint(posts, random_base, tmp_path, monkeypatch, seconds, words):
    step, now = AdapterTrainer.training_step, time.monotonic

    def interrupted(self, *arguments, **keywords):
        if self.state.global_step == 5:
            os.kill(os.getpid(), signal.SIGINT)
            monkeypatch.setattr("babelgrid.runtime.stopping.time.monotonic", lambda: now() + seconds)
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments, **keywords)

    monkeypatch.setattr(AdapterTrainer, "training_step", interrupted)
    with pytest.raises((UserError, KeyboardInterrupt)) as end:
        train(posts, random_base(), tmp_path / "adapter")
    assert words in str(end.value) or words == end.type.__name__
    assert (tmp_path / "checkpoints/checkpoint-6").exists() == (end.type is UserError)
