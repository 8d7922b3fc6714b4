"""A call centre in one file, and out of it again: rules, journal, records, recordings, messages, announcements."""
