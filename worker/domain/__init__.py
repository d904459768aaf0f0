"""The words: closed vocabularies, states and their moves, numbers, texts, spans of time, errors.

Everything above may import this room; it imports nothing of ours but itself.
"""
