"""The pins are exact, and the same for pip and for conda."""

from pathlib import Path

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


def test_what_babelgrid_is_compared_with_is_pinned_and_no_user_needs_it():
    constrained = {pin.lower().split("==")[0] for pin in pins("constraints.txt")}
    compared = {pin.lower().split("==")[0] for pin in pins("requirements-bench.txt")}
    needed = {pin.lower().split("==")[0] for pin in pins("requirements.txt")}
    assert compared <= constrained
    assert not compared & needed
