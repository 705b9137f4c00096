"""Test that the pins are exact, and the same for pip and conda."""

import re
from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).parents[1] / "envs"


def pins(name):
    lines = (ENVS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_pin_is_exact():
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-bench.txt", "constraints.txt"):
        assert all(len(pin.split("==")) == 2 for pin in pins(name)), name


def test_conda_installs_the_same_pins_as_pip():
    conda = yaml.safe_load((ENVS / "babelgrid.yaml").read_text(encoding="utf-8"))
    [from_pip] = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    assert from_pip == pins("requirements.txt")


def test_constraints_agree_with_the_direct_pins():
    constrained = dict(pin.lower().replace("_", "-").split("==") for pin in pins("constraints.txt"))
    for pin in [*pins("requirements.txt"), *pins("requirements-dev.txt"), *pins("requirements-bench.txt")]:
        name, version = pin.lower().replace("_", "-").split("==")
        assert constrained.get(name, version) == version


def test_benchmark_packages_are_pinned_but_not_required():
    constrained = {pin.lower().split("==")[0] for pin in pins("constraints.txt")}
    compared = {pin.lower().split("==")[0] for pin in pins("requirements-bench.txt")}
    needed = {pin.lower().split("==")[0] for pin in pins("requirements.txt")}
    assert compared <= constrained
    assert not compared & needed


LOCKS = {
    "run": ["requirements.txt"],
    "dev": ["requirements.txt", "requirements-dev.txt"],
    "bench": ["requirements.txt", "requirements-bench.txt"],
}


def named(pin):
    name, version = re.sub(r"\[.*?\]", "", pin).split()[0].split("==")
    return re.sub(r"[-_.]+", "-", name).lower(), version


def locked(name):
    """Return package -> (version, hashes) of a lock file."""
    text = (ENVS / name).read_text(encoding="utf-8")
    packages = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    return {
        named(package)[0]: (named(package)[1], re.findall(r"sha256:([0-9a-f]{64})", package)) for package in packages
    }


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
@pytest.mark.parametrize("use", list(LOCKS))
def test_locks_match_the_pins_and_hash_every_package(use, kind):
    lock = locked(f"{use}-{kind}.lock")
    versions = {name: version for name, (version, _) in lock.items()}
    wanted = dict(named(pin) for source in LOCKS[use] for pin in pins(source))
    assert {name: versions.get(name) for name in wanted} == wanted, "run `make lock`"
    constrained = dict(named(pin) for pin in pins("constraints.txt"))
    assert {name: versions[name] for name in constrained.keys() & versions} == {
        name: constrained[name] for name in constrained.keys() & versions
    }, "run `make lock`"
    assert all(hashes for _, hashes in lock.values())


def test_locks_keep_the_extras_for_which_pip_looks():
    assert "\ntypepy[datetime]==" in (ENVS / "bench-cpu.lock").read_text(encoding="utf-8")


def test_cpu_locks_have_no_gpu_packages_and_the_cpu_torch():
    cpu, cuda = locked("run-cpu.lock"), locked("run-cuda.lock")
    only = cuda.keys() - cpu.keys()
    assert {"triton", "nvidia-cublas"} <= only
    assert all(name == "triton" or name.startswith(("nvidia-", "cuda-")) for name in only)
    assert not set(cpu["torch"][1]) & set(cuda["torch"][1])
    assert {name: cuda[name] for name in cpu if name != "torch"} == {name: cpu[name] for name in cpu if name != "torch"}


def test_locks_contain_no_local_paths():
    for path in ENVS.glob("*.lock"):
        assert "file:" not in path.read_text(encoding="utf-8")
        assert "/opt/" not in path.read_text(encoding="utf-8")
