"""Vocos (Siuzdak 2023, https://arxiv.org/abs/2306.00814): a spectrum for every frame, one iSTFT.

ConvNeXt blocks over time (Liu et al. 2022, https://arxiv.org/abs/2201.03545) at the frame rate.
Here the log-magnitude is a correction of what the mel itself says (a prior, as in FreeV: Lv et al.
2024, https://arxiv.org/abs/2406.08196), from which a few minutes of training start.
"""
