"""``hammingway info``: what this installation can do, or what a file is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from hammingway.cli import options

__all__ = ["command"]


@click.command()
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(exists=True, path_type=Path))
@options.key_option
@options.json_option
def command(path: Path | None, key: str | None, as_json: bool) -> None:
    """Show the kernel, threads, versions and extras in use, or what FILE is.

    FILE holds codes, a hasher, an index or vectors in any format of 'hammingway list formats', or it is the
    folder of a collection. It is read and checked; how many, how wide, of which encoder, and the commands that take it
    are printed.
    """
    if path is not None:
        from hammingway.cli.file_facts import describe

        facts = describe(path, key=key)
        lines = _aligned({name.replace("_", " "): _text(value) for name, value in facts.items() if name != "next"})
        text = [*lines, *(f"next: {line}" for line in facts["next"])]
    elif key is not None:
        raise click.UsageError("--key names an array of FILE; give a file, or leave it out.")
    else:
        from hammingway.cli.environment import describe_environment

        facts = describe_environment()
        text = list(_aligned(_environment(facts)))
    click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(text))


def _aligned(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table a person reads, a fact a line."""
    width = max(map(len, facts))
    yield from (f"{label:<{width}}  {fact}" for label, fact in facts.items())


def _text(value: Any) -> str:
    """Return a fact of a file as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}={json.dumps(each)}" for name, each in value.items()) or "none"
    return "unknown" if value is None else str(value)


def _environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an installation under the names a person reads."""
    kernel = environment["kernel"]
    facts = {
        "hammingway": environment["hammingway"],
        "python": environment["python"],
        "platform": environment["platform"],
        "kernel": f"{kernel['backend']} (available: {', '.join(kernel['available'])})",
        "threads": kernel["threads"],
        "data folder": environment["data_folder"] or "none: set HAMMINGWAY_DATA to use local copies of data sets",
        "downloads": environment["download_folder"],
    }
    for extra, packages in environment["extras"].items():
        facts[f"extra {extra}"] = _extra_state(extra, packages)
    facts["packages"] = ", ".join(f"{name} {version or 'missing'}" for name, version in environment["packages"].items())
    return facts


def _extra_state(extra: str, packages: Mapping[str, str | None]) -> str:
    from hammingway.extras import install_command

    missing = [name for name, version in packages.items() if version is None]
    if missing:
        return f"missing {', '.join(missing)}: {install_command(extra)}"
    return "installed: " + ", ".join(f"{name} {version}" for name, version in packages.items())
