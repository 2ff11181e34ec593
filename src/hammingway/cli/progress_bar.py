"""A progress bar for work of over a second, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.progress

    from hammingway.progress import Progress

__all__ = ["DELAY_SECONDS", "noted_bar", "progress_bar"]

DELAY_SECONDS = 1.0


@contextmanager
def progress_bar(label: str, *, hidden: bool = False) -> Iterator[Progress]:
    """Give a callable ``progress(done, total)`` that draws a bar on stderr.

    Nothing is drawn where stderr is no terminal, nor in the first second: short work stays silent.
    The bar vanishes at the end. Until the first call it shows that work goes on, without an amount.

    Parameters
    ----------
    label : what is being done, a word or two.
    hidden : draw nothing at all.
    """
    with noted_bar(label, hidden=hidden) as (progress, _):
        yield progress


@contextmanager
def noted_bar(label: str, *, hidden: bool = False) -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """Give a bar as :func:`progress_bar` does, and a callable that sets the line below it."""
    bar = _DelayedBar(label)
    timer = Timer(DELAY_SECONDS, bar.show)
    timer.daemon = True
    if sys.stderr.isatty() and not hidden:
        timer.start()
    try:
        yield bar.update, bar.set_note
    finally:
        timer.cancel()
        bar.close()


class _DelayedBar:
    """Remembers how far the work is until a timer's thread asks to show it."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._lock = Lock()
        self._done = 0
        self._total: int | None = None
        self._note = ""
        self._closed = False
        self._bar: rich.progress.Progress | None = None

    def update(self, done: int, total: int | None) -> None:
        with self._lock:
            self._done, self._total = done, total
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def set_note(self, note: str) -> None:
        with self._lock:
            self._note = note

    def note(self) -> str:
        return self._note

    def show(self) -> None:
        with self._lock:
            if not self._closed:
                self._bar = _rich_bar(self.note)
                self._bar.add_task(self._label, completed=self._done, total=self._total)
                self._bar.start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._bar is not None:
                self._bar.stop()


def _rich_bar(note: Callable[[], str]) -> rich.progress.Progress:
    """Return a bar with a line below it, which ``note`` is asked for at every refresh."""
    # rich takes a twentieth of a second to import: only who waits longer than DELAY_SECONDS pays it.
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.text import Text

    class NotedProgress(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            yield from super().get_renderables()
            if text := note():
                yield Text(text, no_wrap=True, overflow="ellipsis")

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), Remaining()]
    return NotedProgress(*columns, console=Console(stderr=True), transient=True)
