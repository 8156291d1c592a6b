"""Invents music for the VQ-VAE's decoder, by label and as long as one listens.

The second stage of van den Oord, Vinyals, Kavukcuoglu 2017 (https://arxiv.org/abs/1711.00937): a
prior over the grid of codes. One contract (`prior.py`), kinds chosen by `latent_prior.kind`.

autoregressive (default): a transformer that writes the codes one after the other.

flow: a network that turns noise into a window of latents in a few steps; the latents are then
snapped to codes, and each window goes on from the end of the one before.

Labels steer both by classifier-free guidance (Ho and Salimans 2022,
https://arxiv.org/abs/2207.12598).

Read `prior.py` and `task.py`, then the folder of a kind.
"""
