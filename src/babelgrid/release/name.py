"""Name released adapters and the base that others load them with."""

import re
from dataclasses import dataclass
from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.release import Release
from babelgrid.errors import UserError
from babelgrid.runtime.files import read_json

LONGEST = 96
"""Maximum number of characters in a repository's name on the Hub."""


def release_name(experiment: str, mixture: str, seed: int, is_llama: bool) -> str:
    """Return the adapter's name on the Hub.

    For a Llama base it begins with "Llama" (Llama 3 Community License, section 1.b.i). Characters that the Hub does not
    allow become hyphens, so two mixtures may get the same name.
    """
    end = f"-{mixture}-seed{seed}"
    begin = f"{'Llama-' if is_llama else ''}{experiment}"[: LONGEST - len(end)]
    return re.sub(r"[-.]{2,}", "-", re.sub(r"[^A-Za-z0-9._-]+", "-", begin + end)).strip("-.")


@dataclass(frozen=True)
class PublicBase:
    """How others load the base: a repository at a revision, or the folder `base` beside the released adapter."""

    name: str
    revision: str | None

    @property
    def is_beside(self) -> bool:
        """Whether the base has no public name and is released with the adapter."""
        return self.revision is None

    @property
    def is_llama(self) -> bool:
        """Whether the base is a Llama of Meta or derived from one, by its public name (`…-Distill-Llama-8B`)."""
        owner, _, name = self.name.partition("/")
        return owner == "meta-llama" or re.search(r"(^|-)llama-", name.lower()) is not None


def public_base(base_path: Path, base: Base, settings: Release) -> PublicBase:
    """Return the public name of the base, never a path of this machine.

    Raises `UserError` for a local folder or a GGUF file without a public name, because it may not be free to
    redistribute.
    """
    if base.lab is not None:
        return PublicBase("base", None)
    content = read_json(base_path)
    name = content["name"] if content.get("revision") else settings.base
    revision = content.get("revision") or settings.base_revision
    if name is None or revision is None:
        raise UserError(
            "release: this base is a local folder or a GGUF file. Set the public base that others load instead: "
            "release.base (owner/name) and release.base_revision (a commit)"
        )
    return PublicBase(name, revision)
