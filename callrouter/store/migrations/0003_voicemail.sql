-- Messages that callers left. The sound is with Asterisk, in its store of recordings, under the recording's name.

CREATE TABLE callrouter.voicemail (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recording text NOT NULL UNIQUE,
    call_id uuid NOT NULL,
    site text NOT NULL,
    box text NOT NULL,
    tenant text NOT NULL,
    caller text NOT NULL,
    region text NOT NULL,
    topic text,
    left_at timestamptz NOT NULL,
    duration_s numeric(12, 3) NOT NULL,
    size_bytes bigint,
    sha256 text,
    fault text,
    heard_at timestamptz,
    heard_by text,
    deleted_at timestamptz,
    deleted_by text,
    written_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE callrouter.voicemail IS 'One row per message of a caller; a row stays when its sound is deleted.';
COMMENT ON COLUMN callrouter.voicemail.call_id IS 'The call in which it was left; messages may outlive the call''s record.';
COMMENT ON COLUMN callrouter.voicemail.left_at IS 'When the caller began to speak.';
COMMENT ON COLUMN callrouter.voicemail.duration_s IS 'As the call saw it; once sha256 is there, as the file has it.';
COMMENT ON COLUMN callrouter.voicemail.sha256 IS 'Of the WAV file; NULL until it was looked at.';
COMMENT ON COLUMN callrouter.voicemail.fault IS 'Why the file could not be looked at.';

CREATE INDEX voicemail_kept ON callrouter.voicemail (box, left_at) WHERE deleted_at IS NULL;
CREATE INDEX voicemail_unseen ON callrouter.voicemail (id) WHERE sha256 IS NULL AND deleted_at IS NULL;
CREATE INDEX voicemail_call ON callrouter.voicemail (call_id);
