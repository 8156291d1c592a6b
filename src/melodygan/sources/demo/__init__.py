"""The built-in demo band: a deterministic composer, synthesiser and singer in two styles."""

from melodygan.sources.demo.band import LABELS, DemoTrack, demo_plan, render_track

__all__ = ["LABELS", "DemoTrack", "demo_plan", "render_track"]
