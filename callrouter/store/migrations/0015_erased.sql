-- Whose number was taken out of a record: because it was asked for, or because it had been kept for long enough.

ALTER TABLE callrouter.cdr ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN callrouter.cdr.erased_at IS 'When the resident''s number was taken out; NULL: it is as it came, perhaps withheld.';
ALTER TABLE callrouter.voicemail ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN callrouter.voicemail.erased_at IS 'When the number was taken out; the sound of one that was asked for is deleted, too.';
ALTER TABLE callrouter.recording ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN callrouter.recording.erased_at IS 'As of callrouter.voicemail.';

-- A resident is looked for by his number, whatever the table.
CREATE INDEX voicemail_caller ON callrouter.voicemail (caller) WHERE caller <> '';
CREATE INDEX recording_caller ON callrouter.recording (caller) WHERE caller <> '';
CREATE INDEX cdr_leg_destination ON callrouter.cdr_leg (destination) WHERE destination IS NOT NULL;
CREATE INDEX callback_number ON callrouter.callback (number);
