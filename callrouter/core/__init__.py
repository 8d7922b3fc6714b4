"""The decisions: pure, synchronous, and told the time by whoever calls.

Events go in with their time, commands and facts come out. Nothing here reads a clock, a file or a socket.
"""
