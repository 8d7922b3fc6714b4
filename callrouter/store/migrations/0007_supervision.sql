-- Supervisors who heard a call.

ALTER TABLE callrouter.cdr ADD COLUMN hearings jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN callrouter.cdr.hearings IS 'Supervisors who heard it: supervisor, agent, began_at, ended_at, modes, one for each time.';
COMMENT ON COLUMN callrouter.audit.kind IS 'What was changed: switch, agent or supervision.';
COMMENT ON COLUMN callrouter.audit.via IS 'command, api, phone, misses, expiry or reload.';
