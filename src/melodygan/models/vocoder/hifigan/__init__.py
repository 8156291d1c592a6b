"""HiFi-GAN (Kong, Kim and Bae 2020, https://arxiv.org/abs/2010.05646), as published.

A generator of transposed convolutions, each followed by residual blocks of several kernel sizes and
dilations whose answers are averaged. Two families of discriminators hear periods and scales of it.
Layer names are those of the public checkpoints, which `melodygan import-vocoder` reads.
"""
