"""How far a set of generated clips is from a set of real ones, always between anchors.

Every function takes embeddings, float64 arrays of shape (clips, dimensions), and is pure numpy.
"""

import numpy as np
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError

Matrix = NDArray[np.float64]


def frechet_distance(a: Matrix, b: Matrix) -> float:
    """Squared Frechet distance of the Gaussians fitted to two sets (Dowson and Landau 1982).

    Depends on the number of clips: compare only figures made with equal numbers.
    """
    difference = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # trace of (A B)^(1/2) = sum of the roots of the eigenvalues of the symmetric A^(1/2) B A^(1/2)
    values, vectors = np.linalg.eigh(np.atleast_2d(cov_a))
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.linalg.eigvalsh(root @ np.atleast_2d(cov_b) @ root)
    overlap = np.sqrt(np.maximum(cross, 0)).sum()
    return float(difference @ difference + np.trace(cov_a) + np.trace(cov_b) - 2 * overlap)


def kernel_distance(generated: Matrix, reference: Matrix) -> float:
    """Unbiased squared maximum mean discrepancy with a Gaussian kernel (Gretton et al. 2012).

    The bandwidth is the median distance within the reference, never of the generated set, which
    could otherwise widen it in its own favour. Near 0 (or slightly below) for equal distributions.
    """
    within = _square_distances(reference, reference)
    n, m = len(generated), len(reference)
    scale = np.median(within[~np.eye(m, dtype=bool)])
    kernel_rr = np.exp(-within / scale)
    kernel_gg = np.exp(-_square_distances(generated, generated) / scale)
    kernel_gr = np.exp(-_square_distances(generated, reference) / scale)
    mean_gg = (kernel_gg.sum() - n) / (n * (n - 1))
    mean_rr = (kernel_rr.sum() - m) / (m * (m - 1))
    return float(mean_gg + mean_rr - 2 * kernel_gr.mean())


def coverage(generated: Matrix, reference: Matrix, neighbours: int = 5) -> float:
    """Share of reference clips with a generated clip among their nearest (Naeem et al. 2020).

    "Near" is the distance to a reference clip's `neighbours`-th nearest reference clip
    (https://arxiv.org/abs/2002.09797). 1 is best; a collapsed generator is near 0.
    """
    within = _square_distances(reference, reference)
    neighbours = min(neighbours, len(reference) - 1)
    radius = np.sort(within, axis=1)[:, neighbours]  # column 0 is the clip itself
    nearest = _square_distances(reference, generated).min(1)
    return float((nearest <= radius).mean())


def memorisation(generated: Matrix, train: Matrix, held_out: Matrix) -> float:
    """Median distance to the nearest training clip, relative to that of held-out real clips.

    About 1 for new material like the held-out one; towards 0 for copies of the training data.
    """

    def nearest(clips: Matrix) -> float:
        return float(np.median(np.sqrt(_square_distances(clips, train).min(1))))

    scale = nearest(held_out)
    if scale == 0:
        raise UserError(
            "every held-out clip is also a training clip: remove duplicate tracks from "
            "data/sources.yaml and run `melodygan lock`"
        )
    return nearest(generated) / scale


def _square_distances(a: Matrix, b: Matrix) -> Matrix:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.maximum(squares, 0.0)
