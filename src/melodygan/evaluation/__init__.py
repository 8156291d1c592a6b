"""What the trained models made, judged and shown: scores of the WAV files, and the page."""
