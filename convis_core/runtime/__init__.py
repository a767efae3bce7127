"""Threads and memory: lanes that compute, a board that shares them out. It knows no network."""
