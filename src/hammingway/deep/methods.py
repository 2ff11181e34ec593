"""Published methods by name: an objective, the network and the training it is usually used with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from hammingway.deep.hasher import Choice, DeepHasher

__all__ = [
    "CSQ",
    "DPSH",
    "DSH",
    "HAGCN",
    "JMLH",
    "AutoHash",
    "BiHalf",
    "CIBHash",
    "GreedyHash",
    "HashNet",
    "HashNetShannon",
    "OrthoHash",
    "PseudoShannonHamming",
    "QuadShannonHamming",
    "ShannonHamming",
]


class DSH(DeepHasher):
    """Deep supervised hashing: pairs of one class close, others at least a margin apart.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.dsh.DSHObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> DSH(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "dsh"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "dsh"}
    supervised = True


class HashNet(DeepHasher):
    """HashNet: a weighted likelihood of pairs, on tanh codes that sharpen as training goes on.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.hashnet.HashNetObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> HashNet(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "hashnet"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "hashnet"}
    supervised = True


class AutoHash(DeepHasher):
    """AutoHash: a deep autoencoder whose few bits address a table, 22 of them unless told otherwise.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.autohash.AutoHashObjective`. Give
    ``objective="autohash-neighbors"`` to learn neighbourhoods instead.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> AutoHash(22, training={"epochs": 2}, random_state=0).fit(X).encode(X)
    Codes(60 codes of 22 bits)
    """

    registry_name = "autohash"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "autohash"}
    default_network: ClassVar[Mapping[str, Any]] = {"name": "autohash"}
    default_training: ClassVar[Mapping[str, Any]] = {"epochs": 30, "batch_size": 256, "schedule": "cosine"}

    def __init__(
        self,
        n_bits: int = 22,
        *,
        objective: Choice = None,
        network: Choice = None,
        training: Mapping[str, Any] | None = None,
        image_shape: tuple[int, int, int] | None = None,
        random_state: int | np.random.RandomState | None = None,
        max_training_rows: int | None = None,
    ) -> None:
        super().__init__(
            n_bits,
            objective=objective,
            network=network,
            training=training,
            image_shape=image_shape,
            random_state=random_state,
            max_training_rows=max_training_rows,
        )


class HAGCN(DeepHasher):
    """HAGCN: a linear hash from whose codes a graph of the batch rebuilds the inputs.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.hagcn.HAGCNObjective`. Training
    is as published: Adam at 1e-4, 20 epochs, batches of 128. ``objective={"filter": "lanczos"}`` takes another filter,
    ``{"graph": "none"}`` none; ``{"faithful": True}`` with ``network={"standardize": False}`` is the published program.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> HAGCN(16, training={"epochs": 2}, random_state=0).fit(X).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "hagcn"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "hagcn"}
    default_network: ClassVar[Mapping[str, Any]] = {"name": "linear"}
    default_training: ClassVar[Mapping[str, Any]] = {"epochs": 20, "learning_rate": 1e-4}


class BiHalf(DeepHasher):
    """Bi-half: every bit splits the batch in half, and codes keep the cosines of their inputs.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.bihalf.BiHalfObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> BiHalf(16, training={"epochs": 2}, random_state=0).fit(X).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "bihalf"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "bihalf"}
    default_network: ClassVar[Mapping[str, Any]] = {"name": "linear"}


class JMLH(DeepHasher):
    """JMLH: a classifier of stochastic binary neurons, held near one bit of entropy each.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.jmlh.JMLHObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> JMLH(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "jmlh"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "jmlh"}
    supervised = True


class ShannonHamming(DeepHasher):
    """ShannonHamming: equal things get equal bits, and all triples of bits the entropy they can have.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.shannon_hamming.ShannonHammingObjective`. Pairs
    are rows of one label, or without labels one row twice (augment it). The weight of the entropy suits many
    classes; lower it for few.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> ShannonHamming(16, training={"epochs": 2}, random_state=0).fit(X).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "shannon-hamming"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "shannon-hamming"}
    default_training: ClassVar[Mapping[str, Any]] = {"batch_size": 512}


class PseudoShannonHamming(DeepHasher):
    """PseudoSH: ShannonHamming with a gradient from the smoothed counts of the hard codes.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.shannon_hamming.ShannonHammingObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> PseudoShannonHamming(16, training={"epochs": 2}, random_state=0).fit(X).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "pseudo-sh"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "shannon-hamming", "gradient": "pseudo-smooth"}
    default_training: ClassVar[Mapping[str, Any]] = {"batch_size": 512}


class QuadShannonHamming(DeepHasher):
    """SHQuad: ShannonHamming with tuples of four bits that cover all triples, shuffled before every step.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.shannon_hamming.ShannonHammingObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> QuadShannonHamming(16, training={"epochs": 2}, random_state=0).fit(X).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "sh-quad"
    default_objective: ClassVar[Mapping[str, Any]] = {
        "name": "shannon-hamming",
        "tuple_size": 4,
        "cover": 3,
        "shuffle": True,
        "entropy": 0.01,
    }
    default_training: ClassVar[Mapping[str, Any]] = {"batch_size": 512}


class HashNetShannon(DeepHasher):
    """HashNetShannon: HashNet's likelihood of similar pairs, entropy in the place of dissimilar ones.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.hashnet_shannon.HashNetShannonObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> HashNetShannon(16, training={"epochs": 2}, random_state=0).fit(X).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "hashnet-shannon"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "hashnet-shannon"}
    default_training: ClassVar[Mapping[str, Any]] = {"batch_size": 512}


class DPSH(DeepHasher):
    """DPSH: the likelihood of all pairs of the batch with the whole training part.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.dpsh.DPSHObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> DPSH(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "dpsh"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "dpsh"}
    supervised = True


class GreedyHash(DeepHasher):
    """GreedyHash: a classifier of the signs themselves, the gradient passing straight through.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.greedyhash.GreedyHashObjective`. Give
    ``objective="greedyhash-unsupervised"`` to match cosines of inputs instead of learning classes.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> GreedyHash(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "greedyhash"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "greedyhash"}
    supervised = True


class CSQ(DeepHasher):
    """CSQ: every class has a Hadamard code, which its examples are to meet.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.csq.CSQObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> CSQ(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "csq"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "csq"}
    supervised = True


class OrthoHash(DeepHasher):
    """OrthoHash: one margin softmax over cosines to orthogonal binary codes of the classes.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.orthohash.OrthoHashObjective`.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.random.default_rng(0).normal(size=(60, 8)), np.arange(60) % 3
    >>> OrthoHash(16, training={"epochs": 2}, random_state=0).fit(X, y).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "orthohash"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "orthohash"}
    supervised = True


class CIBHash(DeepHasher):
    """CIBHash: two views of one example share a code, by contrast with the rest of the batch.

    Parameters are those of :class:`DeepHasher`; the objective and its paper:
    :class:`hammingway.deep.objectives.cibhash.CIBHashObjective`. Views
    differ by dropout; for images add an augmentation. Adam at 1e-3, 60 epochs and 64 rows a step are the published
    ones, the hidden layer of 1024, too; it is published on the features of a frozen VGG-16.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(60, 8))
    >>> CIBHash(16, training={"epochs": 2}, random_state=0).fit(X).encode(X)
    Codes(60 codes of 16 bits)
    """

    registry_name = "cibhash"
    default_objective: ClassVar[Mapping[str, Any]] = {"name": "cibhash"}
    default_network: ClassVar[Mapping[str, Any]] = {"name": "mlp", "hidden": (1024,), "dropout": 0.3}
    default_training: ClassVar[Mapping[str, Any]] = {"epochs": 60}
