"""Vocoders: from log-mel back to sound. One contract, kinds chosen by `vocoder.kind`.

magnet (default): a small network predicts the linear magnitude that the mel has blurred or cut
off, then Griffin-Lim finds a signal near it that has the given mel. It trains in a minute on a CPU
because its answer starts at the least-squares magnitude and only the correction is learned. The
nearer the mel is to full band and full resolution, the less is left to learn. Blocks as in
ConvNeXt (Liu et al. 2022, https://arxiv.org/abs/2201.03545), over frequency too; signal
reconstruction in `audio/griffin_lim.py`.

griffinlim: nothing learned; the baseline that every vocoder is scored against.

`start.py`: the weights that training starts at; those of MagNet come with the package (`shipped/`).
`hears.py`: training on the log-mels that a VQ-VAE or a CycleGAN makes of the tracks.

Read `kinds.py`, the table of them, then `magnet/network.py`, `vocoder.py` and `task.py`.
"""
