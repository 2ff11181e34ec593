"""Files fetched once into the user's cache folder and accepted only with the right SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from hammingway.errors import DownloadError, MissingExtraError

__all__ = ["RemoteFile", "cache_folder", "fetch"]

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A published file.

    Parameters
    ----------
    name : under which it is kept in the cache.
    urls : places that serve the same bytes, tried in order.
    sha256 : of the file, 64 hexadecimal digits.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str


def cache_folder(data_set: str) -> Path:
    """Return the folder under the user's cache where downloads of ``data_set`` are kept."""
    return platformdirs.user_cache_path("hammingway") / "datasets" / data_set


def fetch(file: RemoteFile, folder: Path) -> Path:
    """Return the path of ``file`` in ``folder``, downloaded unless it is there with the right checksum.

    Raises
    ------
    DownloadError : no place served it, or what came has another checksum.
    MissingExtraError : pooch is not installed.
    """
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError("Downloading data sets", "data") from error
    failures = []
    for url in file.urls:
        try:
            path = pooch.retrieve(
                url,
                known_hash=f"sha256:{file.sha256}",
                fname=file.name,
                path=folder,
                downloader=pooch.HTTPDownloader(timeout=_TIMEOUT_SECONDS),
            )
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong checksum is a ValueError
            failures.append(f"{url}: {_reason(error)}")
        else:
            return Path(path)
    raise DownloadError(f"{file.name} could not be downloaded ({'; '.join(failures)}).")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"no answer or no file ({type(error).__name__})"
    return "what came has a wrong checksum" if "hash" in str(error) else str(error).rstrip(".")
