"""FastAGI: the dialplan of an existing PBX asks, and gets a decision as channel variables."""
