"""``python -m hammingway``: the command line; so torchrun starts it in several processes."""

from __future__ import annotations

from hammingway.cli.main import main

if __name__ == "__main__":
    main(prog_name="hammingway")
