-- Recordings of conversations. The sound is with Asterisk until the daemon has it in its own folder.

ALTER TABLE callrouter.cdr ADD COLUMN notices jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN callrouter.cdr.notices IS 'That it is recorded, as the caller was told: prompt, language, begun_at, heard_at (null: not to its end).';

CREATE TABLE callrouter.recording (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recording text NOT NULL UNIQUE,
    call_id uuid NOT NULL,
    site text NOT NULL,
    queue text NOT NULL,
    agent text NOT NULL,
    tenant text NOT NULL,
    caller text NOT NULL,
    region text NOT NULL,
    notice text NOT NULL,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    keep_until timestamptz NOT NULL,
    result text NOT NULL,
    why text NOT NULL,
    muted jsonb NOT NULL DEFAULT '[]',
    format text NOT NULL DEFAULT 'wav',
    file text,
    duration_s numeric(12, 3),
    size_bytes bigint,
    sha256 text,
    stored_at timestamptz,
    fault text,
    cleared_at timestamptz,
    deleted_at timestamptz,
    deleted_by text,
    deleted_why text,
    written_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE callrouter.recording IS 'One row per recording of a conversation; a row stays when its sound is deleted.';
COMMENT ON COLUMN callrouter.recording.recording IS 'Its name with Asterisk.';
COMMENT ON COLUMN callrouter.recording.call_id IS 'The call; recordings may outlive its record.';
COMMENT ON COLUMN callrouter.recording.notice IS 'The prompt that the caller had heard to its end.';
COMMENT ON COLUMN callrouter.recording.ended_at IS 'When it was ordered to end.';
COMMENT ON COLUMN callrouter.recording.result IS 'kept; or failed: there is none, or none that may be kept.';
COMMENT ON COLUMN callrouter.recording.why IS 'Why it ended, or failed.';
COMMENT ON COLUMN callrouter.recording.muted IS 'Silent parts: since, until, why (paused, held, outside), who.';
COMMENT ON COLUMN callrouter.recording.file IS 'Within the folder of recordings of the daemon; NULL until it is there.';
COMMENT ON COLUMN callrouter.recording.duration_s IS 'Of the file.';
COMMENT ON COLUMN callrouter.recording.sha256 IS 'Of the file.';
COMMENT ON COLUMN callrouter.recording.fault IS 'Why the file could not be fetched.';
COMMENT ON COLUMN callrouter.recording.cleared_at IS 'When Asterisk had its own copy no more.';

CREATE INDEX recording_call ON callrouter.recording (call_id);
CREATE INDEX recording_begun ON callrouter.recording (begun_at);
CREATE INDEX recording_kept ON callrouter.recording (keep_until) WHERE deleted_at IS NULL;
CREATE INDEX recording_uncleared ON callrouter.recording (site, id) WHERE cleared_at IS NULL;

COMMENT ON COLUMN callrouter.audit.kind IS 'What was changed, or who fetched a recording.';

-- With the name of the recording, which reports made for FreePBX read.
CREATE OR REPLACE VIEW callrouter.asterisk_cdr AS
SELECT
    c.started_at AS calldate,
    c.caller AS clid,
    c.caller AS src,
    c.dialed AS dst,
    'callrouter'::text AS dcontext,
    c.site || '/' || c.call_id::text AS channel,
    coalesce(leg.channel, '') AS dstchannel,
    'Stasis'::text AS lastapp,
    'callrouter'::text AS lastdata,
    floor(extract(epoch FROM c.ended_at - c.started_at))::bigint AS duration,
    floor(c.talk_s)::bigint AS billsec,
    c.disposition,
    3::bigint AS amaflags, -- DOCUMENTATION, Asterisk's default
    c.tenant AS accountcode,
    c.call_id::text AS uniqueid,
    c.outcome AS userfield,
    ''::text AS peeraccount,
    c.call_id::text AS linkedid,
    c.number AS sequence,
    c.started_at AS start,
    c.answered_at AS answer,
    c.ended_at AS "end",
    c.dialed AS did,
    c.caller AS cnum,
    ''::text AS cnam,
    ''::text AS outbound_cnum,
    ''::text AS outbound_cnam,
    coalesce(c.agent, c.destination, '') AS dst_cnam,
    coalesce(tape.file, '') AS recordingfile
FROM callrouter.cdr AS c
LEFT JOIN LATERAL (
    SELECT l.channel
    FROM callrouter.cdr_leg AS l
    WHERE l.call_id = c.call_id
    ORDER BY (l.answered_at IS NOT NULL AND l.agent IS NOT DISTINCT FROM c.agent) DESC, l.attempt DESC
    LIMIT 1
) AS leg ON true
LEFT JOIN LATERAL (
    SELECT r.file
    FROM callrouter.recording AS r
    WHERE r.call_id = c.call_id AND r.file IS NOT NULL AND r.deleted_at IS NULL
    ORDER BY r.begun_at
    LIMIT 1
) AS tape ON true;
