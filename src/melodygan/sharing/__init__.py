"""Trained models as folders that others can use without the music they were trained on."""
