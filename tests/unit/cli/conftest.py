"""Small files of every kind, made once by the library, and a runner of commands."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result

from hammingway import ITQ, FlatIndex, RandomHyperplanes
from hammingway.cli.main import main
from hammingway.code_files import write_codes

if TYPE_CHECKING:
    from torch import Tensor

    from hammingway.deep.batches import Batch

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Return a function that runs ``hammingway`` with arguments."""
    return lambda *arguments: CliRunner().invoke(
        main, [str(argument) for argument in arguments], prog_name="hammingway"
    )


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """Return a function that runs ``hammingway``, expects a refusal in one sentence, and returns it."""

    def refuse(*arguments: object) -> str:
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr.removeprefix("Error: ").removesuffix("\n")

    return refuse


@pytest.fixture
def ctrl_c_in_third_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process Ctrl-C in the middle of the third step of every training."""
    from hammingway.deep import loop

    real = loop.gradients

    def pressed_in_the_middle(run: loop.Run, batch: Batch) -> tuple[float, Tensor]:
        if batch.step == 2:
            signal.raise_signal(signal.SIGINT)
        return real(run, batch)

    monkeypatch.setattr(loop, "gradients", pressed_in_the_middle)


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(300, 24)).astype(np.float32)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, vectors: np.ndarray) -> Path:
    """Return a folder with vectors, queries, labels, a hasher, its codes, an index and things that are wrong."""
    folder = tmp_path_factory.mktemp("files")
    queries = vectors[:7] + np.float32(0.05)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "queries.npy", queries)
    np.save(folder / "labels.npy", np.arange(300) % 3)
    np.save(folder / "wrong_width.npy", vectors[:, :9])
    np.save(folder / "nan.npy", np.where(np.arange(300)[:, None] == 200, np.float32(np.nan), vectors))
    (folder / "truncated.npy").write_bytes((folder / "vectors.npy").read_bytes()[:-5])
    (folder / "text.txt").write_text("not vectors")
    hasher = ITQ(13, random_state=0).fit(vectors)
    hasher.save(folder / "itq.model")
    other = RandomHyperplanes(13, random_state=0).fit(vectors)
    codes = hasher.encode(vectors)
    write_codes(folder / "itq.codes", codes, encoder=hasher.fingerprint())
    write_codes(folder / "queries.codes", hasher.encode(queries), encoder=hasher.fingerprint())
    write_codes(folder / "other.codes", other.encode(queries), encoder=other.fingerprint())
    write_codes(folder / "unsigned.codes", hasher.encode(queries))
    write_codes(folder / "numbered.codes", codes, encoder=hasher.fingerprint(), ids=np.arange(300) * 10)
    write_codes(folder / "wide.codes", RandomHyperplanes(14, random_state=0).fit(vectors).encode(queries))
    (folder / "truncated.codes").write_bytes((folder / "itq.codes").read_bytes()[:-5])
    FlatIndex(13).add(codes).save(folder / "itq.index")
    return folder
