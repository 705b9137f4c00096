"""Write the lock files from the pins, with the hashes of all package files, so that machines install the same bytes.

    make lock      (installs uv into .venv for this)

For NVIDIA GPUs (`*-cuda.lock`), torch is PyPI's build, which depends on NVIDIA's packages. For CPUs (`*-cpu.lock`), it
is the build of the same version from https://download.pytorch.org/whl/cpu, whose hashes are in `TORCH_FOR_CPU`.
"""

import re
import subprocess
import sys
from pathlib import Path

ENVS = Path(__file__).parent
SOURCES = {
    "run": ["requirements.txt"],
    "dev": ["requirements.txt", "requirements-dev.txt"],
    "bench": ["requirements.txt", "requirements-bench.txt"],
}
TORCH_FOR_CPU = {
    # torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
    "2.13.0": ["6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"],
}
ONLY_WITH_CUDA = re.compile(r"(nvidia|cuda)-|triton==")
"""Packages needed only by torch's CUDA build."""
FIRST_LINES = """\
# Written by envs/lock.py: do not edit. Linux on x86-64, Python 3.11, torch for {kind}.
# pip install --require-hashes -r envs/{name}
"""


def main() -> None:
    """Resolve the pins of each lock file and write it for CUDA and for CPUs."""
    for use, sources in SOURCES.items():
        packages = resolve(sources)
        for kind, chosen in {"cuda": packages, "cpu": for_cpus(packages)}.items():
            name = f"{use}-{kind}.lock"
            first = FIRST_LINES.format(kind=kind.upper(), name=name)
            (ENVS / name).write_text(first + "".join(chosen), encoding="utf-8")


def resolve(sources: list[str]) -> list[str]:
    """Return all packages that these files need, with their hashes, at the versions of the constraints."""
    # Without the extras, pip would look for another version of a package that is asked for with an extra.
    options = ["--generate-hashes", "--no-strip-extras", "--no-header", "--no-annotate", "--quiet"]
    target = ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"]
    command = [sys.executable, "-m", "uv", "pip", "compile", *options, *target]
    files = [*sources, "--constraint", "constraints.txt"]
    lock = subprocess.run([*command, *files], cwd=ENVS, check=True, capture_output=True, text=True).stdout
    return re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]


def for_cpus(packages: list[str]) -> list[str]:
    """Return the packages without those for CUDA, and with the hashes of torch's CPU build."""
    kept = [package for package in packages if not ONLY_WITH_CUDA.match(package)]
    return [_cpu_build(package) if package.startswith("torch==") else package for package in kept]


def _cpu_build(torch: str) -> str:
    pin = torch.split(maxsplit=1)[0]
    hashes = [f"    --hash=sha256:{one}" for one in TORCH_FOR_CPU[pin.removeprefix("torch==")]]
    return " \\\n".join([pin, *hashes]) + "\n"


if __name__ == "__main__":
    main()
