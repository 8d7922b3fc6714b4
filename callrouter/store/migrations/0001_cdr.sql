-- Call detail records, their legs, and the views in which existing tools read them.

CREATE TABLE callrouter.cdr (
    call_id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    site text NOT NULL,
    started_at timestamptz NOT NULL,
    queued_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz NOT NULL,
    caller text NOT NULL,
    dialed text NOT NULL,
    region text NOT NULL,
    region_source text NOT NULL,
    tenant text NOT NULL,
    topic text,
    rule text NOT NULL,
    config_hash text NOT NULL,
    queue text,
    agent text,
    trunk text,
    outcome text NOT NULL CHECK (outcome IN (
        'handled', 'abandoned', 'overflowed', 'voicemail', 'callback', 'closed', 'rejected', 'failed')),
    disposition text NOT NULL CHECK (disposition IN ('ANSWERED', 'NO ANSWER', 'BUSY', 'FAILED', 'CONGESTION')),
    hangup_cause integer NOT NULL,
    released_by text NOT NULL CHECK (released_by IN ('caller', 'agent', 'system')),
    -- Seconds, to the millisecond; numeric, so that sums are exact.
    wait_s numeric(12, 3) NOT NULL,
    ring_s numeric(12, 3) NOT NULL,
    talk_s numeric(12, 3) NOT NULL,
    hold_s numeric(12, 3) NOT NULL,
    explanation text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE callrouter.cdr IS 'One row per call.';
COMMENT ON COLUMN callrouter.cdr.number IS 'Order of writing, with gaps; ids of queue_log grow with it.';
COMMENT ON COLUMN callrouter.cdr.answered_at IS 'When a counselor answered.';
COMMENT ON COLUMN callrouter.cdr.outcome IS 'What became of the caller.';
COMMENT ON COLUMN callrouter.cdr.disposition IS 'Asterisk''s own word for it.';
COMMENT ON COLUMN callrouter.cdr.hangup_cause IS 'ITU-T Q.850 cause value.';
COMMENT ON COLUMN callrouter.cdr.wait_s IS 'wait_s + ring_s + talk_s is the whole call.';
COMMENT ON COLUMN callrouter.cdr.explanation IS 'The trace of the rule that decided, a line for each rule.';

CREATE INDEX cdr_started ON callrouter.cdr (started_at);
CREATE INDEX cdr_caller ON callrouter.cdr (caller, started_at);
CREATE INDEX cdr_region ON callrouter.cdr (region, started_at);
CREATE INDEX cdr_tenant ON callrouter.cdr (tenant, started_at);
CREATE INDEX cdr_queue ON callrouter.cdr (queue, started_at) WHERE queue IS NOT NULL;
CREATE INDEX cdr_agent ON callrouter.cdr (agent, started_at) WHERE agent IS NOT NULL;
CREATE INDEX cdr_outcome ON callrouter.cdr (outcome, started_at);
CREATE INDEX cdr_rule ON callrouter.cdr (rule, started_at);

CREATE TABLE callrouter.cdr_leg (
    call_id uuid NOT NULL REFERENCES callrouter.cdr ON DELETE CASCADE,
    attempt integer NOT NULL,
    channel text NOT NULL,
    agent text NOT NULL,
    trunk text,
    offered_at timestamptz NOT NULL,
    rang_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz NOT NULL,
    result text NOT NULL,
    cause integer NOT NULL,
    PRIMARY KEY (call_id, attempt)
);
COMMENT ON TABLE callrouter.cdr_leg IS 'One row per offer of a call to a counselor.';
CREATE INDEX cdr_leg_agent ON callrouter.cdr_leg (agent, offered_at);

-- The columns of Asterisk's cdr_pgsql with its default table, and those that later versions add (linkedid, peeraccount,
-- sequence, start, answer, end). Durations are whole seconds there. accountcode is the tenant, userfield the outcome.
-- billsec counts from the counselor's answer, not from the first announcement.
CREATE VIEW callrouter.asterisk_cdr AS
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
    c.ended_at AS "end"
FROM callrouter.cdr AS c
LEFT JOIN LATERAL (
    SELECT l.channel
    FROM callrouter.cdr_leg AS l
    WHERE l.call_id = c.call_id
    ORDER BY (l.answered_at IS NOT NULL AND l.agent IS NOT DISTINCT FROM c.agent) DESC, l.attempt DESC
    LIMIT 1
) AS leg ON true;
COMMENT ON VIEW callrouter.asterisk_cdr IS 'callrouter.cdr with the columns of Asterisk''s cdr_pgsql.';

-- Asterisk's queue_log in its realtime form (https://docs.asterisk.org/Operation/Logging/Queue-Logs/), as QueueMetrics
-- and Asternic read it:
--   ENTERQUEUE       url, caller id, position
--   CONNECT          hold time (seconds from entering to answer), channel of the agent, ring time (seconds)
--   RINGNOANSWER     ring time (milliseconds)
--   ABANDON          position, original position, wait (seconds)
--   EXITWITHTIMEOUT  position, original position, wait (seconds)
--   COMPLETECALLER, COMPLETEAGENT   hold time, call time (seconds), original position
-- Positions are 0: they are not recorded. Offers that failed on a trunk are no fault of the agent and are left out.
-- A call that left the queue unanswered by any way but hanging up is an EXITWITHTIMEOUT, so that no call stays open.
CREATE VIEW callrouter.queue_log AS
WITH queued AS (
    SELECT
        c.*,
        coalesce(c.queued_at, c.started_at) AS entered_at,
        c.outcome = 'handled' AND c.answered_at IS NOT NULL AND c.agent IS NOT NULL AS connected
    FROM callrouter.cdr AS c
    WHERE c.queue IS NOT NULL
)
SELECT
    q.number * 1000 + e.place AS id,
    e.at AS time,
    q.call_id::text AS callid,
    q.queue AS queuename,
    e.agent,
    e.event,
    e.data1,
    e.data2,
    e.data3,
    ''::text AS data4,
    ''::text AS data5
FROM queued AS q
CROSS JOIN LATERAL (
    SELECT 0 AS place, q.entered_at AS at, 'NONE'::text AS agent, 'ENTERQUEUE'::text AS event,
        ''::text AS data1, q.caller AS data2, '0'::text AS data3
    UNION ALL
    SELECT least(l.attempt, 900), l.ended_at, l.agent, 'RINGNOANSWER',
        trunc(extract(epoch FROM l.ended_at - coalesce(l.rang_at, l.offered_at)) * 1000)::bigint::text, '', ''
    FROM callrouter.cdr_leg AS l
    WHERE l.call_id = q.call_id AND l.result IN ('no-answer', 'busy', 'rejected', 'unreachable')
    UNION ALL
    SELECT 990, q.answered_at, q.agent, 'CONNECT',
        floor(extract(epoch FROM q.answered_at - q.entered_at))::bigint::text,
        coalesce((
            SELECT l.channel FROM callrouter.cdr_leg AS l
            WHERE l.call_id = q.call_id AND l.answered_at IS NOT NULL AND l.agent = q.agent
            ORDER BY l.attempt DESC LIMIT 1), ''),
        floor(q.ring_s)::bigint::text
    WHERE q.connected
    UNION ALL
    SELECT 999, q.ended_at, q.agent,
        CASE q.released_by WHEN 'caller' THEN 'COMPLETECALLER' ELSE 'COMPLETEAGENT' END,
        floor(extract(epoch FROM q.answered_at - q.entered_at))::bigint::text,
        floor(q.talk_s)::bigint::text, '0'
    WHERE q.connected
    UNION ALL
    SELECT 999, q2.left_at, 'NONE',
        CASE q.outcome WHEN 'abandoned' THEN 'ABANDON' ELSE 'EXITWITHTIMEOUT' END,
        '0', '0', greatest(0, floor(extract(epoch FROM q2.left_at - q.entered_at)))::bigint::text
    FROM (SELECT coalesce(q.answered_at - make_interval(secs => q.ring_s::double precision), q.ended_at) AS left_at) AS q2
    WHERE NOT q.connected
) AS e;
COMMENT ON VIEW callrouter.queue_log IS 'The queue events of callrouter.cdr, as Asterisk''s queue_log.';
