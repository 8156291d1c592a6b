"""A rectified flow from noise to latents of the VQ-VAE.

Papers: Liu, Gong, Liu 2022 (https://arxiv.org/abs/2209.03003), and Lipman et al. 2022
(https://arxiv.org/abs/2210.02747), whose conditional path without a least noise it is. Times are
drawn as in Esser et al. 2024 (https://arxiv.org/abs/2403.03206). It works on the first whitened
principal components of the latents before quantisation, as the latent GAN does.

Read `network.py`, then `model.py`, then `training.py`.
"""
