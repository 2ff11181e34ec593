"""Turn the logs of 'hammingway train' into a learning curve: what each epoch's validation said.

    python benchmarks/quality/curves.py results/cifar10-dsh
    python benchmarks/quality/curves.py results/cifar10-dsh --page docs/benchmarks/cifar10-dsh.md

The first prints Markdown; the second puts it between the markers of a page. Variants stand by their bits, then in
the order they were run in; one without a result is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from tables import insert, line

from hammingway.bench.training import RESULT_NAME, VariantResult
from hammingway.deep.log import LOG_NAME

Log = list[dict[str, Any]]


def read_logs(folder: Path) -> dict[str, Log]:
    """Return the log of each variant that has a result, by its name."""
    found = []
    for path in folder.glob(f"*/{RESULT_NAME}"):
        result = msgspec.json.decode(path.read_bytes(), type=VariantResult)
        lines = path.with_name(LOG_NAME)
        if result.record is not None and lines.is_file():
            log = [json.loads(one) for one in lines.read_text(encoding="utf-8").splitlines()]
            # The date is of whole seconds, which short runs share.
            begun = result.record.started_at, path.stat().st_mtime_ns
            found.append(((result.record.spec.n_bits, *begun), result.name, log))
    if not found:
        raise SystemExit(f"{folder} holds no finished variant with a {LOG_NAME}.")
    return {name: log for _, name, log in sorted(found, key=lambda one: one[0])}


def curve(logs: Mapping[str, Log]) -> str:
    """Return one row an epoch, one column a variant: the validation, and in brackets the loss in training."""
    epochs = sorted({entry["epoch"] for log in logs.values() for entry in _shown(log)})
    rows = [line(["epoch", *(f"`{name}`" for name in logs)]), "|---:|" + "---:|" * len(logs)]
    rows += [line([str(epoch), *(_cell(log, epoch) for log in logs.values())]) for epoch in epochs]
    rows.append(line(["processor time an epoch", *(f"{_seconds(log):.1f} s" for log in logs.values())]))
    return "\n".join(rows)


def _shown(log: Log) -> Log:
    """Return the entries of validated epochs; all, where none was validated."""
    return [entry for entry in log if "validation" in entry] or log


def _cell(log: Sequence[Mapping[str, Any]], epoch: int) -> str:
    entry = next((one for one in log if one["epoch"] == epoch), None)
    if entry is None:
        return ""
    measured = entry.get("validation", {})
    value = next((f"{measured[name]:.3f} " for name in ("map", "recall", "loss") if name in measured), "")
    return f"{value}({entry['loss']:.3f})"


def _seconds(log: Sequence[Mapping[str, Any]]) -> float:
    return float(log[-1]["processor_seconds"]) / int(log[-1]["epoch"])


def main() -> None:
    """Print the table, or put it into its page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    text = curve(read_logs(arguments.folder))
    if arguments.page is None:
        print(text)
    else:
        insert(arguments.page, text, name="curve")


if __name__ == "__main__":
    main()
