"""A jury that was never trained by or for this project: musicnn's music tagger.

Pons and Serra 2019, "musicnn: Pre-trained convolutional neural networks for music audio tagging"
(https://arxiv.org/abs/1909.06654); architecture of Pons et al. 2018
(https://arxiv.org/abs/1711.02520). The weights, learnt on 200,000 songs of the Million Song Dataset
(ISC licence), are read from the installed package `musicnn` (dependency group `jury`), none of
whose code runs; the network is our own. Without the package there is no jury.
"""
