"""Timings as ratios against a peer in the same run, and nothing else running: ``make bench``."""
