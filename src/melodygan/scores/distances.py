"""How far a set of clips is from a set of real ones.

Every function compares rows of clips with rows of reference clips under weights of their tracks,
(draws, tracks) each, and returns one figure for each draw, (draws,). All weights 1: the score.
Pure numpy.
"""

import numpy as np
from numpy.typing import NDArray

from melodygan.scores.rows import Rows

Matrix = NDArray[np.float64]


def frechet_distance(clips: Rows, reference: Rows, weights: Matrix, others: Matrix) -> Matrix:
    """Squared Frechet distance of the Gaussians fitted to two sets (Dowson and Landau 1982).

    Depends on the number of clips: compare only figures made with equal numbers.
    """
    mean_a, cov_a = _moments(clips, weights)
    mean_b, cov_b = _moments(reference, others)
    # trace of (A B)^(1/2) = sum of the roots of the eigenvalues of the symmetric A^(1/2) B A^(1/2)
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(np.maximum(values, 0))[:, None] @ vectors.transpose(0, 2, 1)
    cross = np.linalg.eigvalsh(root @ cov_b @ root)
    overlap = np.sqrt(np.maximum(cross, 0)).sum(1)
    traces = np.trace(cov_a, axis1=1, axis2=2) + np.trace(cov_b, axis1=1, axis2=2)
    return ((mean_a - mean_b) ** 2).sum(1) + traces - 2 * overlap


def kernel_distance(clips: Rows, reference: Rows, weights: Matrix, others: Matrix) -> Matrix:
    """Unbiased squared maximum mean discrepancy with a Gaussian kernel (Gretton et al. 2012).

    "Unbiased" holds for independent items, which clips of one track are not: within a set only
    pairs of different tracks count. The bandwidth is the median distance within the reference,
    never of the judged set, which could otherwise widen it in its own favour. About 0 (or slightly
    below) for equal distributions.
    """
    distances = square_distances(reference.values, reference.values)
    scale = np.median(distances[~np.eye(len(distances), dtype=bool)])
    kernel_rr = np.exp(-distances / scale)
    kernel_cc = np.exp(-square_distances(clips.values, clips.values) / scale)
    kernel_cr = np.exp(-square_distances(clips.values, reference.values) / scale)
    within = _mean_within(kernel_cc, clips, weights) + _mean_within(kernel_rr, reference, others)
    return within - 2 * _mean_between(kernel_cr, clips, reference, weights, others)


def order_auc(clips: Rows, reference: Rows, weights: Matrix, others: Matrix) -> Matrix:
    """Probability that a reference clip sounds better ordered than a clip (Mann and Whitney 1947).

    The rows hold one number, `OrderJudge.logits`. 0.5: as ordered as the reference; 1: not at all;
    below 0.5: clearer order than the reference's.
    """
    a, b = clips.values, reference.values.T
    return _mean_between((a < b) + 0.5 * (a == b), clips, reference, weights, others)


def memorisation(clips: Rows, reference: Rows, weights: Matrix, others: Matrix) -> Matrix:
    """Median distance to the nearest training clip, relative to that of held-out real clips.

    The rows hold one number, `nearest`. About 1 for new material like the held-out one; towards 0
    for copies of the training data.
    """
    return _median(clips, weights) / _median(reference, others)


def copied(clips: Rows, reference: Rows, weights: Matrix, others: Matrix) -> Matrix:
    """Share of clips that lie nearer to a training clip than half of `memorisation`'s scale.

    The median does not move before half of the clips are copies; this share does with the first.
    """
    near = clips.values[:, 0][None, :] < 0.5 * _median(reference, others)[:, None]
    each = weights[:, clips.track]
    return (near * each).sum(1) / each.sum(1)


def nearest(values: Matrix, train: Matrix) -> Matrix:
    """Distance of each clip (clips, dimensions) to the nearest training clip; (clips,)."""
    parts = np.array_split(values, max(1, len(values) // 256))
    return np.concatenate([np.sqrt(square_distances(part, train).min(1)) for part in parts])


def square_distances(a: Matrix, b: Matrix) -> Matrix:
    """Squared Euclidean distances of all pairs, (len(a), len(b))."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.maximum(squares, 0.0)


def _moments(rows: Rows, weights: Matrix) -> tuple[Matrix, Matrix]:
    """Weighted means (draws, dimensions) and unbiased covariances (draws, dim, dim)."""
    each = weights[:, rows.track]
    each = each / each.sum(1, keepdims=True)
    mean = each @ rows.values
    products = (rows.values[:, :, None] * rows.values[:, None, :]).reshape(len(rows.values), -1)
    second = (each @ products).reshape(len(each), mean.shape[1], -1)
    covariance = second - mean[:, :, None] * mean[:, None, :]
    return mean, covariance / (1 - (each**2).sum(1))[:, None, None]


def _pairs(rows: Rows) -> NDArray[np.bool_]:
    """Pairs that count within a set: of different tracks; of one track alone, all but itself."""
    if rows.tracks > 1:
        return rows.track[:, None] != rows.track[None, :]
    return ~np.eye(len(rows.track), dtype=bool)


def _mean_within(kernel: Matrix, rows: Rows, weights: Matrix) -> Matrix:
    """Mean kernel of the pairs that count, by blocks of tracks so that a draw costs little."""
    members, pairs = rows.members(), _pairs(rows)
    sums = members @ (kernel * pairs) @ members.T
    counts = members @ pairs @ members.T
    return ((weights @ sums) * weights).sum(1) / ((weights @ counts) * weights).sum(1)


def _mean_between(values: Matrix, a: Rows, b: Rows, weights: Matrix, others: Matrix) -> Matrix:
    """Mean of a value for each pair of two sets, (clips of a, clips of b), under weights."""
    sums = a.members() @ values @ b.members().T
    counts = a.members().sum(1)[:, None] * b.members().sum(1)
    return ((weights @ sums) * others).sum(1) / ((weights @ counts) * others).sum(1)


def _median(rows: Rows, weights: Matrix) -> Matrix:
    """Weighted medians of the rows' one number; (draws,)."""
    order = np.argsort(rows.values[:, 0], kind="stable")
    value, each = rows.values[order, 0], weights[:, rows.track[order]]
    sums = np.cumsum(each, axis=1)
    half = 0.5 * sums[:, -1:]
    # the mean of both middle values where the weights meet half exactly, as usual for a median
    low, high = (sums >= half * (1 - 1e-9)).argmax(1), (sums > half * (1 + 1e-9)).argmax(1)
    return 0.5 * (value[low] + value[high])
