"""What all rooms share: vocabularies, states and their moves, numbers, texts, durations, errors.

Every other room may import this one; it imports nothing of ours but itself.
"""
