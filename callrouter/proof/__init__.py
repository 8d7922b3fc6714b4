"""The proof: what becomes of every kind of call in every minute of a year, by exact partition.

Minutes that no calendar tells apart are one *moment*, calls that no rule tells apart are one *kind of call*; each kind
is decided at each moment by the router itself. There is no second matcher.
"""
