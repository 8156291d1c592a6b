"""VQ-VAE on patches of log-mel spectrogram: the discrete vocabulary of the latent generators.

Paper: van den Oord, Vinyals, Kavukcuoglu 2017, "Neural Discrete Representation Learning"
(https://arxiv.org/abs/1711.00937). The codebook follows exponential moving averages (its appendix
A.1); initialisation from data and restarts of dead codes as in Dhariwal et al. 2020, "Jukebox"
(https://arxiv.org/abs/2005.00341), section 3.1.

Read `quantiser.py`, then `network.py`, then `training.py`.
"""
