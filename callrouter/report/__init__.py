"""The numbers of the call centre, reckoned from records: pure, no database and no clock."""
