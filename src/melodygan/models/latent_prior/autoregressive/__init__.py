"""A transformer that writes VQ-VAE codes one after the other.

The autoregressive prior of van den Oord, Vinyals, Kavukcuoglu 2017
(https://arxiv.org/abs/1711.00937), here a transformer (Vaswani et al. 2017,
https://arxiv.org/abs/1706.03762) with rotary positions in both axes (Su et al. 2021,
https://arxiv.org/abs/2104.09864). The grid is read column by column, low mels first, so that time
goes on without end.

Read `network.py`, then `stream.py`, then `training.py`.
"""
