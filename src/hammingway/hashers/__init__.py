"""Hashers: from vectors to binary codes, each from its paper."""

from __future__ import annotations

from hammingway.hashers.base import Hasher
from hammingway.hashers.distilled import Distilled
from hammingway.hashers.itq import ITQ
from hammingway.hashers.pca import PCAHash, RotatedPCAHash
from hammingway.hashers.random_hyperplanes import RandomHyperplanes
from hammingway.hashers.saving import load_hasher
from hammingway.hashers.sign import SignHash
from hammingway.hashers.spectral import SpectralHash
from hammingway.hashers.supervised_itq import SupervisedITQ

__all__ = [
    "ITQ",
    "Distilled",
    "Hasher",
    "PCAHash",
    "RandomHyperplanes",
    "RotatedPCAHash",
    "SignHash",
    "SpectralHash",
    "SupervisedITQ",
    "load_hasher",
]
