"""Chunks cover all rows in order, and progress is told after each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hammingway.errors import InvalidInputError
from hammingway.progress import row_chunks


@given(n_rows=st.integers(0, 300), chunk_rows=st.integers(1, 400))
def test_chunks_cover_every_row_once_in_order(n_rows, chunk_rows):
    covered = [row for chunk in row_chunks(n_rows, chunk_rows) for row in range(chunk.start, chunk.stop)]
    assert covered == list(range(n_rows))


@given(n_rows=st.integers(1, 300), chunk_rows=st.integers(1, 400))
def test_progress_grows_to_the_number_of_rows(n_rows, chunk_rows):
    told = []
    for chunk in row_chunks(n_rows, chunk_rows, lambda done, total: told.append((done, total))):
        assert [done for done, _ in told] == list(range(chunk_rows, chunk.start + 1, chunk_rows))
    assert told[-1] == (n_rows, n_rows)
    assert {total for _, total in told} == {n_rows}


def test_abandoned_work_is_not_told_as_done():
    told = []
    chunks = row_chunks(10, 4, lambda done, total: told.append(done))
    next(chunks)
    next(chunks)
    chunks.close()
    assert told == [4]


@pytest.mark.parametrize("chunk_rows", [0, -3])
def test_chunks_without_rows_are_refused(chunk_rows):
    with pytest.raises(InvalidInputError, match=f"chunk_rows must be at least 1; got {chunk_rows}"):
        list(row_chunks(5, chunk_rows))
