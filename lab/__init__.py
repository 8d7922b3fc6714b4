"""The laboratory: a real Asterisk on loopback, with SIP callers and phones, for trying callrouter and for its tests.

Not part of the product: nothing in ``callrouter`` imports this package, and it is not shipped.
"""
