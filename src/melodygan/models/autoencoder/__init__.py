"""A fully connected autoencoder of pooled vectors: what three seconds sound like, in few numbers.

Paper: Hinton and Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks"
(https://doi.org/10.1126/science.1127647). Its layers alone are far worse than principal components
where there are few tracks, so here they learn what principal components miss: encoder and decoder
have a linear path, which starts as them, and layers beside it, which start as nothing. Mixtures
of vectors (Zhang et al. 2018, https://arxiv.org/abs/1710.09412) and random equalisers make more
examples of few tracks.
"""
