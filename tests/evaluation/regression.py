"""Multinomial logistic regression, deterministic, with nothing but NumPy."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from appliance.ai.mood_features import Columns

Labels = NDArray[np.int64]
STEPS = 400


class Fitted(NamedTuple):
    weights: Columns
    """(columns, labels)"""
    offsets: Columns

    def logits(self, rows: Columns) -> Columns:
        return rows @ self.weights + self.offsets


def softmax(logits: Columns) -> Columns:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return cast(Columns, shares / shares.sum(axis=1, keepdims=True))


def fit(rows: Columns, labels: Labels, importance: Columns, penalties: Columns, kinds: int = 3) -> Fitted:
    """The least loss plus half the penalties times the squares of the weights of standardised columns.

    By Böhning's bound (1992): half of X'X stands above the curvature everywhere, so one factorisation
    serves all steps and each step lessens the loss.
    """
    middle, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    wide = np.hstack([(rows - middle) / spread, np.ones((len(rows), 1))])
    share = importance / importance.sum()
    held = np.append(penalties, 1e-6)
    bound = np.linalg.inv(0.5 * wide.T @ (wide * share[:, None]) + np.diag(held))
    target = np.eye(kinds)[labels]
    weights = np.zeros((wide.shape[1], kinds))
    for _ in range(STEPS):
        slope = wide.T @ ((softmax(wide @ weights) - target) * share[:, None]) + held[:, None] * weights
        step = bound @ slope
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    plain = weights[:-1] / spread[:, None]
    return Fitted(plain, weights[-1] - middle @ plain)


def loss(shares: Columns, labels: Labels, importance: Columns) -> float:
    told = -np.log(np.maximum(shares[np.arange(len(labels)), labels], 1e-12))
    return float((told * importance).sum() / importance.sum())
