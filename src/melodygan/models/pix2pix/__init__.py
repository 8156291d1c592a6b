"""Pix2Pix: one stem of a song out of its mix, learnt from pairs.

Paper: Isola, Zhu, Zhou, Efros 2017, "Image-to-Image Translation with Conditional Adversarial
Networks" (https://arxiv.org/abs/1611.07004), on one-channel log-mel "images": a U-Net, a PatchGAN
that sees the input beside the answer, and 100 times L1 to the true answer. The pairs come for
nothing, since separation has taken every song apart.

By default the U-Net's answer is a mask, as in the singing voice separation of Jansson et al. 2017
(https://archives.ismir.net/ismir2017/paper/000171.pdf): a stem is, but for chance, no louder than
its mix in any band. The paper's own answer, all of the picture, is `pix2pix.output: direct`. What
each is worth stands in docs/benchmarks.md.
"""
