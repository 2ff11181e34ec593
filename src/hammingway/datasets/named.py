"""Data sets by name: where their files are, which protocols they have, and how they are loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hammingway import registry
from hammingway.datasets.protocols import Pool, Protocol, split_data
from hammingway.datasets.retrieval import RetrievalData
from hammingway.errors import DownloadError, FileFormatError, InvalidInputError, UnknownNameError
from hammingway.progress import Progress
from hammingway.suggest import did_you_mean

__all__ = ["DATA_VARIABLE", "NamedDataSet", "load", "protocols"]

DATA_VARIABLE = "HAMMINGWAY_DATA"
"""Environment variable: a folder (or one file) with local copies of data sets."""


@dataclass(frozen=True, kw_only=True)
class NamedDataSet:
    """What an entry point of ``hammingway.datasets`` is.

    Parameters
    ----------
    name : the registered name.
    protocols : split by name, the default one first.
    read_local : given a folder or file, returns the pool, or None if it holds no copy of this data set;
        None for embedded data. The last argument is told the images read.
    fetch : returns the pool without a local copy: downloads the official files, or makes embedded data.
    layouts : the local files that ``read_local`` looks for, for messages.
    n_train, n_test : images of the official parts; a copy of another size is refused.
    """

    name: str
    protocols: Mapping[str, Protocol]
    read_local: Callable[[Path, Progress | None], Pool | None] | None
    fetch: Callable[[Progress | None], Pool]
    layouts: str
    n_train: int
    n_test: int

    def load(
        self,
        *,
        protocol: str | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> RetrievalData:
        """Return the experiment of one protocol; see :func:`load`."""
        protocol = protocol or next(iter(self.protocols))
        if protocol not in self.protocols:
            raise UnknownNameError(
                f"{self.name} has no protocol {protocol!r}. {did_you_mean(protocol, self.protocols)}"
            )
        pool = self._pool(data_dir, progress)
        found = (pool.n_train, len(pool.labels) - pool.n_train)
        if found != (self.n_train, self.n_test):
            raise FileFormatError(
                f"{pool.source} has {found[0]} training and {found[1]} test images; {self.name} has {self.n_train} and "
                f"{self.n_test}, and its protocols need them all."
            )
        return split_data(pool, self.protocols[protocol], name=self.name, protocol_name=protocol)

    def _pool(self, data_dir: str | os.PathLike[str] | None, progress: Progress | None) -> Pool:
        if self.read_local is None:
            if data_dir:
                raise InvalidInputError(f"{self.name} is embedded and has no files; leave data_dir ({data_dir}) out.")
            return self.fetch(progress)
        where = data_dir or os.environ.get(DATA_VARIABLE)
        if where:
            if not Path(where).exists():
                raise InvalidInputError(f"{where} does not exist; give the folder or file that holds {self.name}.")
            pool = self.read_local(Path(where), progress)
            if pool is not None:
                return pool
        if data_dir:
            raise InvalidInputError(f"{where} holds no copy of {self.name}; it should be or contain {self.layouts}.")
        try:
            return self.fetch(progress)
        except DownloadError as error:
            raise DownloadError(
                f"{error} To use a local copy, give its folder by --data-dir (data_dir=) or {DATA_VARIABLE}; it should "
                f"contain {self.layouts}."
            ) from error


def load(
    name: str,
    *,
    protocol: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> RetrievalData:
    """Return a data set by name, split as a named protocol says.

    Parameters
    ----------
    name : a registered name: ``digits``, ``mnist``, ``fashion-mnist``, ``cifar10`` or a plugin's.
    protocol : one of :func:`protocols` (name); default the first of them.
    data_dir : folder or file with a local copy; else the environment variable ``HAMMINGWAY_DATA``; else
        the official files are downloaded into the user's cache folder and checked by SHA-256.

    progress : told the images read (cifar10 from JPEG images takes many seconds).

    Returns
    -------
    data : images as uint8 rows (digits: float32, 0 to 16), labels, and the row numbers of every part in
        the pool (official training images first, then test images).

    Raises
    ------
    UnknownNameError : no such data set or protocol; the message suggests one.
    InvalidInputError : ``data_dir`` does not exist or holds no copy.
    FileFormatError : a local copy is damaged or incomplete.
    DownloadError : offline, or what came has a wrong checksum; the message says how to give a local copy.
    MissingExtraError : the optional libraries for downloads or images are not installed.

    Examples
    --------
    >>> data = load("digits")
    >>> data.queries.shape, data.database.shape
    ((300, 64), (1497, 64))
    """
    data_set: NamedDataSet = registry.load("datasets", name)
    return data_set.load(protocol=protocol, data_dir=data_dir, progress=progress)


def protocols(name: str) -> list[str]:
    """Return the protocols of a data set, the default one first.

    Examples
    --------
    >>> protocols("cifar10")
    ['cifar10', 'cifar10-1', 'cifar10-2']
    """
    data_set: NamedDataSet = registry.load("datasets", name)
    return list(data_set.protocols)
