-- Every version of the rules that went live.

CREATE TABLE callrouter.rules (
    version integer PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    went_live_at timestamptz NOT NULL,
    who text NOT NULL,
    host text NOT NULL,
    directory text NOT NULL,
    config_hash text NOT NULL,
    digest text NOT NULL,
    note text NOT NULL,
    -- As text, not as jsonb: the order of the files is part of what the hash is of.
    files json NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE callrouter.rules IS 'One row per version of the rules that went live.';
COMMENT ON COLUMN callrouter.rules.version IS 'Counted from 1 without gaps; what @12 means in commands.';
COMMENT ON COLUMN callrouter.rules.who IS 'As told: the user of a command, SIGHUP, file saved, start.';
COMMENT ON COLUMN callrouter.rules.config_hash IS 'As on callrouter.cdr.';
COMMENT ON COLUMN callrouter.rules.digest IS 'SHA-256 of all files, those of golden cases too.';
COMMENT ON COLUMN callrouter.rules.files IS 'Text of every file by its name.';

CREATE INDEX rules_hash ON callrouter.rules (config_hash, version);
CREATE INDEX rules_daemon ON callrouter.rules (host, directory, version);
