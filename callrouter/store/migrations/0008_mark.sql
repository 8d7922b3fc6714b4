-- What counselors say of a call.

ALTER TABLE callrouter.cdr ADD COLUMN mark text CHECK (mark IN ('abusive'));
COMMENT ON COLUMN callrouter.cdr.mark IS 'What a counselor has said of the call: abusive; NULL: nothing.';
CREATE INDEX cdr_mark ON callrouter.cdr (mark, started_at) WHERE mark IS NOT NULL;
