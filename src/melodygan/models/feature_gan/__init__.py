"""A GAN that invents timbres: pooled vectors by label, as latents of the autoencoder.

Paper: Goodfellow et al. 2014, "Generative Adversarial Nets" (https://arxiv.org/abs/1406.2661), with
its non-saturating loss, conditional on a label (Mirza and Osindero 2014,
https://arxiv.org/abs/1411.1784) and kept smooth by zero-centred penalties (Mescheder et al. 2018,
https://arxiv.org/abs/1801.04406). It starts as what it has to beat, a Gaussian for each label.

A vector is no sound: it says how loud each mel band is in some seconds, and how much it moves. So
it conditions one: the latent prior plays, and what it plays is brought to the vector (`model.py`).
Nothing is cut out of the training audio for that, as grains near to the vector would be.
"""
