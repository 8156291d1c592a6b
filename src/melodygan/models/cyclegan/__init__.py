"""CycleGAN: style transfer between labels, learnt without paired examples.

Paper: Zhu, Park, Isola, Efros 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks" (https://arxiv.org/abs/1703.10593), on one-channel log-mel "images". The
generator is the residual network of Johnson et al. 2016 (https://arxiv.org/abs/1603.08155), the
discriminator the 70 x 70 PatchGAN of Isola et al. 2017 (https://arxiv.org/abs/1611.07004), both
with a width parameter (64 in the paper). Both are fully convolutional, so a model trained on
patches converts whole songs.

The paper's form changes the style and loses the song. By default the generator, here a U-Net,
therefore says what to add to its input, at first nothing, and losses on the notes and onsets of
each patch take the place of the cycle; afterwards the levels of each band are corrected. What each
of these is worth stands in docs/benchmarks.md; `melodygan preset cyclegan-paper` is the paper's.
"""
