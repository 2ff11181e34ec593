"""The part of benchmarks/lookup.py on TableIndex: look-ups a second, by flipped bits and by confidence.

Queries are codes of the database whose bits were read with noise: the sign of a noisy score is the query's
bit, its magnitude the confidence. A search by confidence and one by flips probe as many buckets.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

import numpy as np

from hammingway import Codes, TableIndex

HEAD = (
    "| codes | bits | key bits | database | order | probes | µs a query | look-ups a second | candidates | "
    "found | proven |\n|---|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|\n"
)


def measure_table(plan: dict[str, Any], case: dict[str, Any], codes: Codes) -> list[dict[str, Any]]:
    """Return the records of one database: orders and numbers of probes, in turns."""
    rng = np.random.default_rng([plan["seed"], case["n_bits"]])
    database = codes[: case["n_codes"]]
    sources = rng.choice(case["n_codes"], plan["n_queries"], replace=False)
    seen = database[sources]
    scores = seen.to_signs() + plan["table_score_noise"] * rng.normal(size=(len(seen), case["n_bits"]))
    queries = Codes.from_scores(scores)
    bits = rng.permutation(case["n_bits"])[: case["n_key_bits"]]
    index = TableIndex(case["n_bits"], bits=bits, n_threads=1).add(database)
    records = []
    for probes in plan["table_probes"]:
        for order in ("flips", "confidence"):
            index.max_probes = probes
            asked = scores if order == "confidence" else None
            found = index.search(queries, 1, scores=asked)
            records.append(
                {
                    **case,
                    "order": order,
                    "max_probes": probes,
                    "seconds": [_alone(index, queries, asked) for _ in range(plan["rounds"])],
                    "lookups": float(found.certificate.probes.mean()),
                    "candidates": float(found.certificate.candidates.mean()),
                    "found": float(np.mean(found.ids[:, 0] == sources)),
                    "proven": float(found.certificate.exact.mean()),
                    "load": os.getloadavg()[0],
                }
            )
            print(table_line_of(records[-1]), flush=True)
    return records


def _alone(index: TableIndex, queries: Codes, scores: np.ndarray | None) -> float:
    """Return the median seconds of a query asked by itself."""
    seconds = []
    for row in range(len(queries)):
        one = None if scores is None else scores[[row]]
        query = queries[[row]]
        began = time.perf_counter()
        index.search(query, 1, scores=one)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def table_line_of(record: dict[str, Any]) -> str:
    """Return the table's row of one record."""
    seconds = statistics.median(record["seconds"])
    return (
        f"| {record['codes']} | {record['n_bits']} | {record['n_key_bits']} | {record['n_codes']:,} | "
        f"{record['order']} | {record['max_probes']} | {seconds * 1e6:.0f} | {record['lookups'] / seconds:,.0f} | "
        f"{record['candidates']:.0f} | {record['found']:.1%} | {record['proven']:.0%} |"
    )


def table_part(plan: dict[str, Any], records: list[dict[str, Any]]) -> str:
    """Return the section of lookup.md on TableIndex."""
    rows = "\n".join(map(table_line_of, records))
    return f"## TableIndex\n\n{HEAD}{rows}\n"
