"""Which tracks are the same recording under another name or encoding, by their fingerprints.

Frames with equal bits propose a pair of tracks and an offset; the bit error rate over the whole
overlap decides (Haitsma and Kalker, ISMIR 2002). Looking up is nearly linear in the frames.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.fingerprint import UNINFORMATIVE

Print = NDArray[np.uint32]
Integers = NDArray[np.int64]

_STRETCH = 24  # informative frames judged at a time, and fewest: 2.2 s, from 3 s of sound
_MAX_ERROR = 0.25  # bit error rate of a stretch; re-encoded 0.02-0.2, another piece 0.4
_MIN_ALIKE = 0.9  # of the stretches; pieces that share a loop agree here and there
_MIN_SHARE = 0.5  # of the informative frames of the shorter track
_OFFSETS = 4  # tried for a pair, those with most shared frames

_KEY_BITS = np.uint32(0xFFFFFF)  # of a frame; all 32 survive a low bit rate too seldom
_KEYS = 512  # frames looked up per track, at least ...
_KEY_SHARE = 4  # ... and one in so many, so that an excerpt of a long track is found
_NEIGHBOURS = 8  # entries paired with each of equal value: bounds what a common value costs
_PROBES = np.arange(-24, 25, 6)  # frames around a shared one that must be alike too
_MAX_PROBE_ERROR = 0.35
_SLICE = 1 << 17  # shared frames probed at once


class _Corpus(NamedTuple):
    """All fingerprints in one array, with silence between them for the probes to fall into."""

    bits: Print
    starts: Integers  # of each track in `bits`
    lengths: Integers

    def track(self, index: int) -> Print:
        """Fingerprint of one track."""
        return self.bits[self.starts[index] :][: self.lengths[index]]


class _Keys(NamedTuple):
    """The frames that are looked up, (keys,), sorted by value, then track."""

    values: Print
    tracks: Integers
    places: Integers  # in the corpus


def duplicate_groups(prints: Sequence[Print]) -> list[list[int]]:
    """Indices of tracks that are the same recording, in sorted groups of two or more.

    prints: of each track, (frames,), as `audio.fingerprint` makes them. The order of the tracks
    makes no difference. What overlaps is linked: two excerpts that have only a third track in
    common are in one group with it, for they belong in one split.
    """
    order = sorted(range(len(prints)), key=lambda track: prints[track].tobytes())
    corpus = _corpus([prints[track] for track in order])
    groups = _connected(
        (order[first], order[second])
        for first, second, offsets in _candidates(corpus)
        if _same_recording(corpus.track(first), corpus.track(second), offsets)
    )
    return sorted(sorted(group) for group in groups)


def _connected(links: Iterable[tuple[int, int]]) -> Iterable[list[int]]:
    """Connected components of the graph of `links`."""
    parents: dict[int, int] = {}  # a forest: those of one tree are connected

    def root(member: int) -> int:
        parent = parents.setdefault(member, member)
        while parent != member:
            parents[member] = parents[parent]  # half the way next time
            member, parent = parents[member], parents[parents[member]]
        return member

    for first, second in links:
        parents[root(first)] = root(second)
    groups = defaultdict(list)
    for member in list(parents):
        groups[root(member)].append(member)
    return groups.values()


def _corpus(prints: Sequence[Print]) -> _Corpus:
    """Lay the fingerprints out one after another."""
    gap = np.full(_PROBES.max(), UNINFORMATIVE)
    lengths = np.array([len(bits) for bits in prints], np.int64)
    starts = len(gap) + np.cumsum(lengths + len(gap)) - (lengths + len(gap))
    parts = [part for bits in prints for part in (gap, bits)]
    return _Corpus(np.concatenate([*parts, gap]), starts, lengths)


def _candidates(corpus: _Corpus) -> Iterator[tuple[int, int, list[int]]]:
    """Pairs of tracks that share frames, with the offsets that most of these agree on.

    An offset is the frame of the first track that lies on frame 0 of the second.
    """
    tracks, longest = len(corpus.lengths), int(corpus.lengths.max(initial=0))
    span = 2 * longest + 1
    votes = [np.zeros(0, np.int64)]
    for one, other, first, second in _alike(corpus, _keys(corpus)):
        offsets = (one - corpus.starts[first]) - (other - corpus.starts[second])
        votes.append((first * tracks + second) * span + offsets + longest)
    candidates, counts = np.unique(np.concatenate(votes), return_counts=True)
    candidates = candidates[np.lexsort((-counts, candidates // span))]
    pairs, begins = np.unique(candidates // span, return_index=True)
    ends = np.append(begins, len(candidates))[1:]
    for pair, begin, end in zip(pairs.tolist(), begins.tolist(), ends.tolist(), strict=True):
        best = candidates[begin : min(end, begin + _OFFSETS)]
        yield pair // tracks, pair % tracks, (best % span - longest).tolist()


def _alike(corpus: _Corpus, keys: _Keys) -> Iterator[tuple[Integers, Integers, Integers, Integers]]:
    """Places and tracks, (n,) each, of equal frames of two tracks whose surroundings agree."""
    for distance in range(1, _NEIGHBOURS + 1):
        equal = np.flatnonzero(keys.values[distance:] == keys.values[:-distance])
        for begin in range(0, len(equal), _SLICE):
            first = equal[begin : begin + _SLICE]
            second = first + distance
            one, other = keys.places[first], keys.places[second]
            probes = (corpus.bits[places[:, None] + _PROBES] for places in (one, other))
            errors, both = _bit_errors(*probes)
            agree = errors.sum(axis=1) <= _MAX_PROBE_ERROR * 32 * both.sum(axis=1)
            yield (
                one[agree],
                other[agree],
                keys.tracks[first[agree]],
                keys.tracks[second[agree]],
            )


def _keys(corpus: _Corpus) -> _Keys:
    """Which frames of each track are looked up: those whose scrambled bits are lowest.

    The same content gives the same choice, wherever it lies in a track. Of frames with equal
    bits only the first is a key, so that a loop counts once.
    """
    values, places = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    for track in range(len(corpus.lengths)):
        bits, frames = np.unique(corpus.track(track) & _KEY_BITS, return_index=True)
        frames = frames[bits != UNINFORMATIVE] + corpus.starts[track]
        bits = bits[bits != UNINFORMATIVE]
        count = max(_KEYS, len(bits) // _KEY_SHARE)
        if len(bits) > count:
            scrambled = bits * np.uint32(2654435769)  # Knuth's multiplicative hash, one to one
            chosen = np.argpartition(scrambled, count)[:count]
            bits, frames = bits[chosen], frames[chosen]
        values.append(bits)
        places.append(frames)
    value, place = np.concatenate(values), np.concatenate(places)
    tracks = np.repeat(np.arange(len(corpus.lengths)), [len(bits) for bits in values[1:]])
    order = np.argsort(value, kind="stable")
    return _Keys(value[order], tracks[order], place[order])


def _same_recording(first: Print, second: Print, offsets: Sequence[int]) -> bool:
    """Whether two fingerprints agree over their overlap at any of the offsets."""
    informative = min(np.count_nonzero(first), np.count_nonzero(second))
    needed = max(_STRETCH, _MIN_SHARE * informative)
    for offset in offsets:
        begin, end = max(0, -offset), min(len(second), len(first) - offset)
        errors, both = _bit_errors(first[begin + offset : end + offset], second[begin:end])
        if np.count_nonzero(both) >= needed:
            sums = np.cumsum(np.append(0, errors[both]))
            alike = sums[_STRETCH:] - sums[:-_STRETCH] <= _MAX_ERROR * 32 * _STRETCH
            if alike.mean() >= _MIN_ALIKE:
                return True
    return False


def _bit_errors(first: Print, second: Print) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Of frames of one shape: the bits that differ, 0 where not both are informative, and where."""
    both = (first != UNINFORMATIVE) & (second != UNINFORMATIVE)
    return np.bitwise_count(first ^ second) * both, both
