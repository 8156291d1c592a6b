"""A GAN that invents continuous VQ-VAE latents; snapped to codes, the decoder makes mel of them.

Paper: Goodfellow et al. 2014, "Generative Adversarial Nets" (https://arxiv.org/abs/1406.2661),
with its non-saturating loss. Zero-centred gradient penalties on real and on generated latents
(Mescheder, Geiger, Nowozin 2018, https://arxiv.org/abs/1801.04406) keep the discriminator smooth,
and an average of the generator's weights removes most of the remaining wobble.

The GAN works on the latents before quantisation, on their first whitened principal components:
discrete codes give no gradient, and soft or one-hot codes train badly.
"""
