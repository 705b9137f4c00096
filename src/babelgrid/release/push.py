"""Upload released adapters to the Hugging Face Hub: only on request, and private by default."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from babelgrid.config.base import Base
from babelgrid.config.release import Release
from babelgrid.errors import UserError
from babelgrid.release.name import public_base, release_name
from babelgrid.runtime.files import sha256, write_json

log = logging.getLogger(__name__)

TOKEN = "HF_TOKEN"  # noqa: S105  (the name of a variable)


def repository_of(row: tuple[str, str, int], base_path: Path, base: Base, settings: Release) -> str:
    """Return `owner/name` of a row (experiment, mixture, seed) on the Hub."""
    if settings.push is None:
        raise UserError("release.push: set the owner of the repositories on the Hub")
    public = public_base(base_path, base, settings)
    return f"{settings.push.owner}/{release_name(*row, public.is_llama)}"


def released_files(folder: Path) -> list[Path]:
    """Return the files of a released adapter that `push_adapter` uploads, without Snakemake's hidden file."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def describe_push(folders: Mapping[str, Path], private: bool) -> str:
    """Return a list of the files that would be uploaded. folders: released folders by repository."""
    lines = []
    for repository, folder in folders.items():
        files = released_files(folder)
        size = sum(path.stat().st_size for path in files)
        visible = "private" if private else "public"
        lines.append(f"{repository} ({visible}): {len(files)} files, {size / 1e6:,.1f} MB")
        lines += [f"{path.stat().st_size:>16,}  {path.relative_to(folder)}" for path in files]
    return "\n".join([*lines, "Nothing was uploaded. `snakemake push` does it."])


def push_adapter(folder: Path, repository: str, private: bool, out: Path) -> None:
    """Replace the content of a repository with a released folder in one commit, and record the commit.

    out: JSON of repository, private, commit and sha256 by file.

    Raises `UserError` if there is no token in the environment, if the repository is public although the config says
    private, or if the Hub refuses the upload.
    """
    token = os.environ.get(TOKEN)
    if not token:
        raise UserError(f"push: set the variable {TOKEN} to a write token of {repository.partition('/')[0]!r}")
    hub = HfApi(token=token)
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        if private and not hub.repo_info(repository).private:
            raise UserError(
                f"push: {repository} already exists and is public, but release.push.private is true. "
                "Make it private on its Hub page, or set release.push.private: false"
            )
        commit = hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message="Release by babelgrid",
            ignore_patterns=".*",
            delete_patterns="*",  # else files of an earlier release would remain beside the new card
        )
    except (HfHubHTTPError, HFValidationError, httpx2.HTTPError, OSError) as error:
        raise UserError(f"push: the Hub did not accept {repository} ({_describe_error(error, token)})") from None
    log.info("%s: %d files are at %s", repository, len(released_files(folder)), commit.oid)
    files = {str(path.relative_to(folder)): sha256(path) for path in released_files(folder)}
    write_json(out, {"repository": repository, "private": private, "commit": commit.oid, "sha256": files})


def _describe_error(error: Exception, token: str) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].replace(token, "…")
