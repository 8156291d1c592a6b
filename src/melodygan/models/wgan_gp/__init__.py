"""A Wasserstein GAN with gradient penalty that makes clips of the label it is asked for.

Papers: Arjovsky et al. 2017, "Wasserstein GAN" (https://arxiv.org/abs/1701.07875); Gulrajani et al.
2017, "Improved Training of Wasserstein GANs" (https://arxiv.org/abs/1704.00028). The critic is
conditioned by projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637).
"""
