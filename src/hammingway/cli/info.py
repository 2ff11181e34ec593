"""``hammingway info``: what this installation can do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from hammingway.cli.options import json_option

__all__ = ["command"]


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Show the kernel, threads, versions and extras in use."""
    from hammingway.cli.environment import describe_environment

    environment = describe_environment()
    click.echo(json.dumps(environment, indent=2) if as_json else "\n".join(_lines(environment)))


def _lines(environment: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table a person reads, a fact a line."""
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
    width = max(map(len, facts))
    yield from (f"{label:<{width}}  {fact}" for label, fact in facts.items())


def _extra_state(extra: str, packages: Mapping[str, str | None]) -> str:
    missing = [name for name, version in packages.items() if version is None]
    if missing:
        return f"missing {', '.join(missing)}: pip install 'hammingway[{extra}]'"
    return "installed: " + ", ".join(f"{name} {version}" for name, version in packages.items())
