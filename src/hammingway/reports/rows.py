"""The numbers a reader compares, worked out of raw records: medians of timings, rates, ratios."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import mean, median

from hammingway.bench.rankings import Ranking
from hammingway.bench.store import Costs, Record

__all__ = ["Row", "of_codes_alone", "over_seeds", "quality_names", "rows_from_records"]

_FIRST_NAMES = ("r1@1", "r10@10", "r10@100", "mAP@all", "mAP@1000", "mAP@5000", "P@10", "P@100", "P@1000")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured run, ready to be shown.

    Parameters
    ----------
    hasher : registry name and parameters, and the ranking where it is not that by Hamming distance.
    n_bits, seed : of the run; seed is None for a mean over seeds.
    model : fingerprint of a hasher from a file; empty for one that was fitted.
    reads_originals : whether the ranking reads the original vectors, too, so that a code is not all it takes.
    n_runs : runs the row stands for.
    code_bytes : bytes of one code.
    compression : bytes of an original vector over bytes of its code.
    quality : metric name to value in [0, 1].
    curves : name to points.
    health : of the codes.
    fit_seconds : once; None for a hasher from a file.
    encode_rate : vectors a second.
    batch_rate : queries a second, all handed over at once, median of the repeats.
    single_ms : milliseconds for a query handed over alone, median of all.
    index_bytes : bytes of the index in memory.
    """

    hasher: str
    n_bits: int
    seed: int | None
    model: str
    reads_originals: bool
    n_runs: int
    code_bytes: int
    compression: float
    quality: dict[str, float]
    curves: dict[str, list[tuple[float, float]]]
    health: dict[str, float]
    fit_seconds: float | None
    encode_rate: float
    batch_rate: float
    single_ms: float
    index_bytes: float


def rows_from_records(records: Iterable[Record]) -> list[Row]:
    """Return one row a measured record, and one for each other ranking of its codes.

    Refused records have no numbers and are left out.
    """
    measured = [(record, record.costs) for record in records if record.costs is not None]
    return [row for record, costs in measured for row in (_row(record, costs), *_ranked_rows(record, costs))]


def over_seeds(rows: Iterable[Row]) -> list[Row]:
    """Return one row a hasher and width: the means over its seeds, of what was measured with each of them.

    Curves are those of the first seed. Hashers from files are apart, even of one file that held another before.
    """
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.hasher, row.n_bits, row.model), []).append(row)
    return [group[0] if len(group) == 1 else _mean_row(group) for group in groups.values()]


def of_codes_alone(rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose ranking reads nothing but codes: those that may be compared by the bytes of a code."""
    return [row for row in rows if not row.reads_originals]


def quality_names(rows: Sequence[Row]) -> list[str]:
    """Return the metrics that any row has: the usual ones first, then the others as they come."""
    present = dict.fromkeys(chain.from_iterable(row.quality for row in rows))
    return [name for name in _FIRST_NAMES if name in present] + [name for name in present if name not in _FIRST_NAMES]


def _row(record: Record, costs: Costs) -> Row:
    return Row(
        hasher=record.spec.label,
        n_bits=record.spec.n_bits,
        seed=record.spec.seed,
        model=record.spec.model,
        reads_originals=False,
        n_runs=1,
        code_bytes=costs.code_bytes,
        compression=record.data.vector_bytes / costs.code_bytes,
        quality=record.quality,
        curves=record.curves,
        health=record.health,
        fit_seconds=costs.fit_seconds,
        encode_rate=costs.encode_rows / costs.encode_seconds,
        batch_rate=costs.batch_queries / median(costs.batch_seconds),
        single_ms=1e3 * median(chain.from_iterable(costs.single_seconds)),
        index_bytes=costs.index_bytes,
    )


def _ranked_rows(record: Record, costs: Costs) -> list[Row]:
    """Return a row for each other ranking: the codes' own, but for what that ranking found and took."""
    plain = _row(record, costs)
    return [
        replace(
            plain,
            hasher=f"{plain.hasher} {name}",
            reads_originals=Ranking.parse(name).depth is not None,
            quality=result.quality,
            curves=result.curves,
            batch_rate=costs.batch_queries / median(result.batch_seconds),
            single_ms=1e3 * median(chain.from_iterable(result.single_seconds)),
        )
        for name, result in record.rankings.items()
    ]


def _mean_row(group: Sequence[Row]) -> Row:
    first = group[0]
    fits = [row.fit_seconds for row in group if row.fit_seconds is not None]
    return Row(
        hasher=first.hasher,
        n_bits=first.n_bits,
        seed=None,
        model=first.model,
        reads_originals=first.reads_originals,
        n_runs=len(group),
        code_bytes=first.code_bytes,
        compression=first.compression,
        quality={name: mean(row.quality[name] for row in group) for name in _common(row.quality for row in group)},
        curves=first.curves,
        health={name: mean(row.health[name] for row in group) for name in _common(row.health for row in group)},
        fit_seconds=mean(fits) if fits else None,
        encode_rate=mean(row.encode_rate for row in group),
        batch_rate=mean(row.batch_rate for row in group),
        single_ms=mean(row.single_ms for row in group),
        index_bytes=mean(row.index_bytes for row in group),
    )


def _common(tables: Iterable[dict[str, float]]) -> list[str]:
    """Return the names that all tables have, in the order of the first."""
    first, *others = tables
    return [name for name in first if all(name in other for other in others)]
