"""What came into the exchange, kept in order, and the same run again: any incident can be looked at step by step."""
