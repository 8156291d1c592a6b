"""MelGAN (Kumar et al. 2019, https://arxiv.org/abs/1910.06711), as published.

The mel of its checkpoints is a base-10 logarithm, into which the generator converts.
"""
