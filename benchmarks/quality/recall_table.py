"""Put the figures of recall-per-byte.toml and of recall_peers.py into their page, beside those quoted elsewhere.

python benchmarks/quality/recall_table.py results/recall-per-byte/records.jsonl
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from tables import insert, line, mean_and_spread, provenance

from hammingway.bench.store import Record, read_records

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "benchmarks"
NAME = "recall-per-byte"
METRICS = ("r10@10", "r10@100")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table; ``key`` names the method, the ranking and the bits among the quoted figures."""

    n_bytes: int
    method: str
    ranking: str
    key: str
    qualities: Sequence[dict[str, float]]
    seconds: float

    def values(self, metric: str) -> list[float]:
        """Return what each seed reached."""
        return [quality[metric] for quality in self.qualities]

    def cells(self, quoted: dict[str, list[float]]) -> Iterator[str]:
        yield from (str(self.n_bytes), self.method, self.ranking)
        for metric, other in zip(METRICS, quoted.get(self.key, [None, None]), strict=True):
            yield from (mean_and_spread(self.values(metric)), "" if other is None else f"{other:.3f}")
        yield f"{self.seconds:.0f}"


def ours(records: Sequence[Record]) -> Iterator[Line]:
    """Return a line a hasher, width and ranking, over its seeds."""
    groups: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if record.costs is not None:
            groups.setdefault((record.spec.hasher.label, record.spec.n_bits), []).append(record)
    for (label, n_bits), runs in groups.items():
        costs = [run.costs for run in runs]
        rankings = {"symmetric": [run.quality for run in runs]}
        for ranking in runs[0].rankings:
            rankings[ranking] = [run.rankings[ranking].quality for run in runs]
        for ranking, qualities in rankings.items():
            yield Line(
                n_bytes=costs[0].code_bytes,
                method=f"`{label}`",
                ranking=ranking,
                key=f"{label} {ranking} {n_bits}",
                qualities=qualities,
                seconds=mean(cost.fit_processor_seconds for cost in costs),
            )


def peers(results: dict[str, dict[str, float]]) -> Iterator[Line]:
    """Return a line a quantiser of faiss."""
    for name, found in results.items():
        yield Line(
            n_bytes=int(found["bytes"]),
            method=f"faiss `{name}`",
            ranking="",
            key=name,
            qualities=[found],
            seconds=found["fit_processor_seconds"],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    arguments = parser.parse_args()
    reference = tomllib.loads((HERE / "references.toml").read_text())[NAME]
    records = read_records(arguments.records)
    lines = [*ours(records), *peers(json.loads((DOCS / f"{NAME}.json").read_text()))]
    lines.sort(key=lambda one: (one.n_bytes, mean(one.values(METRICS[0]))))
    titles = ["bytes", "method", "ranking", "r10@10", "quoted", "r10@100", "quoted", "fit, CPU s"]
    table = [line(titles), "|---:|---|---|" + "---:|" * 5, *(line([*one.cells(reference["rows"])]) for one in lines)]
    insert(DOCS / f"{NAME}.md", "\n".join(table) + "\n\n" + provenance(records, reference["source"]), name=NAME)


if __name__ == "__main__":
    main()
