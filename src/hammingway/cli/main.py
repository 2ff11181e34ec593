"""The command group: subcommands load on use, failures become one sentence."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from hammingway import __version__
from hammingway.cli.failures import one_sentence, options_as_typed, writable_streams
from hammingway.cli.several import one_voice, refuse_several

__all__ = ["LazyGroup", "main"]

_COMMANDS = {
    "info": "hammingway.cli.info",
    "list": "hammingway.cli.list_names",
    "fit": "hammingway.cli.fit",
    "train": "hammingway.cli.train",
    "encode": "hammingway.cli.encode",
    "index": "hammingway.cli.index",
    "search": "hammingway.cli.search",
    "truth": "hammingway.cli.truth",
    "convert": "hammingway.cli.convert",
    "export-onnx": "hammingway.cli.export_onnx",
    "evaluate": "hammingway.cli.evaluate",
    "collection": "hammingway.cli.collection",
    "demo": "hammingway.cli.demo",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are named, so that ``--help`` stays fast.

    Parameters
    ----------
    homes : command name -> module that holds it under the name ``command``; help lists them in this order.
    **options : as for :class:`click.Group`.
    """

    def __init__(self, *, homes: dict[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of a first session."""
        return list(self.homes)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of this name, or None while completing a name that is not one yet."""
        if name in self.homes:
            command: click.Command = import_module(self.homes[name]).command
            return command
        if ctx.resilient_parsing or name.startswith("-"):
            return None
        raise click.NoSuchCommand(name, possibilities=self.homes, ctx=ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the group's own options."""
        writable_streams()
        with one_voice(), one_sentence():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""

        def ran() -> click.Command | None:
            return self.get_command(ctx, ctx.invoked_subcommand) if ctx.invoked_subcommand in self.homes else None

        with one_voice(), one_sentence(), options_as_typed(ran):
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup,
    homes=_COMMANDS,
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="hammingway")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Learned binary codes and Hamming-space search.

    Fit a hasher on embeddings, encode them to bits, search the bits, and measure what it cost in recall.
    """
    refuse_several(ctx.invoked_subcommand)
