"""A pool of earlier conversions that the discriminator also sees (Shrivastava et al. 2017)."""

import torch
from torch import Tensor


class ImagePool:
    """Keeps up to `size` images; a query returns a stored one half of the time.

    Showing the discriminator a history of conversions keeps the pair from oscillating
    (https://arxiv.org/abs/1612.07828, section 2.3). Size 0 returns what it is given.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def query(self, images: Tensor) -> Tensor:
        """(batch, 1, height, width) of new images -> as many, new or stored."""
        if self.size == 0:
            return images
        answers = []
        for image in images.detach():
            if len(self.images) < self.size:
                self.images.append(image.clone())
                answers.append(image)
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                answers.append(self.images[place])
                self.images[place] = image.clone()
            else:
                answers.append(image)
        return torch.stack(answers)
