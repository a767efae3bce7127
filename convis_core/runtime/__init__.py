"""Threads and memory: lanes that compute, and a board that schedules jobs on them. It knows no network."""
