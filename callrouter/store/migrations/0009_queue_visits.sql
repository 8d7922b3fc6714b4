-- Every queue that a caller waited in, and the log of queues with all of them and with who was at work.

CREATE TABLE callrouter.cdr_visit (
    call_id uuid NOT NULL REFERENCES callrouter.cdr ON DELETE CASCADE,
    place integer NOT NULL,
    queue text NOT NULL,
    queued_at timestamptz NOT NULL,
    left_at timestamptz NOT NULL,
    how text NOT NULL CHECK (how IN ('answered', 'abandoned', 'timeout', 'key', 'other')),
    PRIMARY KEY (call_id, place)
);
COMMENT ON TABLE callrouter.cdr_visit IS 'One row per queue that a caller waited in.';
COMMENT ON COLUMN callrouter.cdr_visit.place IS 'Counted from 1, in the order of the call.';
COMMENT ON COLUMN callrouter.cdr_visit.left_at IS 'When a counselor answered, or the caller left.';
CREATE INDEX cdr_visit_queue ON callrouter.cdr_visit (queue, queued_at);

-- For reports on counselors' time, which look for legs by when they ended.
CREATE INDEX cdr_leg_ended ON callrouter.cdr_leg (ended_at) WHERE answered_at IS NOT NULL;

ALTER TABLE callrouter.audit ADD COLUMN queues text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN callrouter.audit.queues IS 'Those that the counselor served then.';
COMMENT ON COLUMN callrouter.audit.kind IS 'What was changed: switch or agent.';

-- Calls and changes are numbered by one sequence from now on, so that ids of queue_log grow over both.
ALTER TABLE callrouter.audit ALTER COLUMN number DROP IDENTITY;
UPDATE callrouter.audit AS a SET number = fresh.number
FROM (
    SELECT id, nextval(pg_get_serial_sequence('callrouter.cdr', 'number')) AS number
    FROM (SELECT id FROM callrouter.audit ORDER BY number) AS old
) AS fresh
WHERE a.id = fresh.id;
DO $$
BEGIN
    EXECUTE format(
        'ALTER TABLE callrouter.audit ALTER COLUMN number SET DEFAULT nextval(%L::regclass)',
        pg_get_serial_sequence('callrouter.cdr', 'number'));
END
$$;
COMMENT ON COLUMN callrouter.audit.number IS 'Order of writing among calls and changes, with gaps.';

-- Calls of before have no rows in cdr_visit, nor have those that a daemon of the version before writes: they waited once.
CREATE VIEW callrouter.queue_visit AS
SELECT
    v.call_id,
    v.place,
    v.queue,
    v.queued_at,
    v.left_at,
    v.how,
    NOT EXISTS (
        SELECT FROM callrouter.cdr_visit AS later WHERE later.call_id = v.call_id AND later.place > v.place) AS is_last
FROM callrouter.cdr_visit AS v
UNION ALL
SELECT
    c.call_id,
    1,
    c.queue,
    coalesce(c.queued_at, c.started_at),
    CASE WHEN h.how = 'answered' THEN c.answered_at
        ELSE coalesce(c.answered_at - make_interval(secs => c.ring_s::double precision), c.ended_at) END,
    h.how,
    true
FROM callrouter.cdr AS c
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN c.outcome = 'handled' AND c.answered_at IS NOT NULL AND c.agent IS NOT NULL THEN 'answered'
        WHEN c.outcome = 'abandoned' THEN 'abandoned'
        WHEN c.outcome IN ('rejected', 'failed') THEN 'other'
        ELSE 'timeout' END AS how
) AS h
WHERE c.queue IS NOT NULL AND NOT EXISTS (SELECT FROM callrouter.cdr_visit AS v WHERE v.call_id = c.call_id);
COMMENT ON VIEW callrouter.queue_visit IS 'Every wait of every caller: cdr_visit, and the one wait of calls without it.';

-- As before, and for each queue that a caller waited in; with what counselors' duty was changed to:
--   ADDMEMBER      PAUSED, where he comes paused     REMOVEMEMBER
--   PAUSE          reason                            UNPAUSE
--   PAUSEALL       reason, queue NONE                UNPAUSEALL
-- The first four for each queue that he served then; for NONE where that was not recorded. A counselor of whom nobody
-- ever said anything is at work without an ADDMEMBER.
CREATE OR REPLACE VIEW callrouter.queue_log AS
SELECT
    c.number * 1000000 + least(v.place, 99) * 10000 + e.rank AS id,
    e.at AS time,
    c.call_id::text AS callid,
    v.queue AS queuename,
    e.agent,
    e.event,
    e.data1,
    e.data2,
    e.data3,
    ''::text AS data4,
    ''::text AS data5
FROM callrouter.queue_visit AS v
JOIN callrouter.cdr AS c USING (call_id)
LEFT JOIN LATERAL (
    SELECT l.agent, l.channel, l.offered_at, l.ended_at
    FROM callrouter.cdr_leg AS l
    WHERE v.how = 'answered' AND l.call_id = v.call_id AND l.answered_at = v.left_at AND l.agent IS NOT NULL
    ORDER BY l.attempt DESC LIMIT 1
) AS took ON true
CROSS JOIN LATERAL (
    SELECT 0 AS rank, v.queued_at AS at, 'NONE'::text AS agent, 'ENTERQUEUE'::text AS event,
        ''::text AS data1, c.caller AS data2, '0'::text AS data3
    UNION ALL
    SELECT least(l.attempt, 9990), l.ended_at, l.agent, 'RINGNOANSWER',
        trunc(extract(epoch FROM l.ended_at - coalesce(l.rang_at, l.offered_at)) * 1000)::bigint::text, '', ''
    FROM callrouter.cdr_leg AS l
    WHERE l.call_id = v.call_id AND l.agent IS NOT NULL AND l.result IN ('no-answer', 'busy', 'rejected', 'unreachable')
        AND l.offered_at >= v.queued_at AND (l.offered_at < v.left_at OR v.is_last AND l.offered_at = v.left_at)
    UNION ALL
    SELECT 9998, v.left_at, coalesce(took.agent, c.agent), 'CONNECT',
        floor(extract(epoch FROM v.left_at - v.queued_at))::bigint::text,
        coalesce(took.channel, ''),
        floor(coalesce(extract(epoch FROM v.left_at - took.offered_at), c.ring_s))::bigint::text
    WHERE v.how = 'answered'
    UNION ALL
    SELECT 9999, greatest(coalesce(took.ended_at, c.ended_at), v.left_at), coalesce(took.agent, c.agent),
        CASE c.released_by WHEN 'caller' THEN 'COMPLETECALLER' ELSE 'COMPLETEAGENT' END,
        floor(extract(epoch FROM v.left_at - v.queued_at))::bigint::text,
        floor(extract(epoch FROM greatest(coalesce(took.ended_at, c.ended_at), v.left_at) - v.left_at))::bigint::text,
        '0'
    WHERE v.how = 'answered'
    UNION ALL
    SELECT 9999, v.left_at, 'NONE',
        CASE v.how WHEN 'abandoned' THEN 'ABANDON' WHEN 'key' THEN 'EXITWITHKEY' ELSE 'EXITWITHTIMEOUT' END,
        '0', '0', greatest(0, floor(extract(epoch FROM v.left_at - v.queued_at)))::bigint::text
    WHERE v.how <> 'answered'
) AS e
UNION ALL
SELECT
    a.number * 1000000 + q.place,
    a.at,
    CASE WHEN e.event IN ('ADDMEMBER', 'REMOVEMEMBER') THEN 'MANAGER' ELSE 'NONE' END,
    q.queue,
    a.name,
    e.event || CASE WHEN q.place = 0 AND e.is_pause THEN 'ALL' ELSE '' END,
    CASE e.event WHEN 'ADDMEMBER' THEN CASE a.to_value WHEN 'paused' THEN 'PAUSED' ELSE '' END
        WHEN 'PAUSE' THEN a.note ELSE '' END,
    '', '', '', ''
FROM callrouter.audit AS a
CROSS JOIN LATERAL (
    SELECT event, event IN ('PAUSE', 'UNPAUSE') AS is_pause
    FROM (SELECT CASE
        WHEN a.from_value = 'logged-out' AND a.to_value <> 'logged-out' THEN 'ADDMEMBER'
        WHEN a.from_value <> 'logged-out' AND a.to_value = 'logged-out' THEN 'REMOVEMEMBER'
        WHEN a.to_value = 'paused' THEN 'PAUSE'
        WHEN a.from_value = 'paused' AND a.to_value = 'on-duty' THEN 'UNPAUSE' END AS event) AS named
) AS e
CROSS JOIN LATERAL (
    SELECT 0::bigint AS place, 'NONE'::text AS queue WHERE e.is_pause OR cardinality(a.queues) = 0
    UNION ALL
    SELECT place, queue FROM unnest(a.queues) WITH ORDINALITY AS served (queue, place)
) AS q
WHERE a.kind = 'agent' AND e.event IS NOT NULL;
COMMENT ON VIEW callrouter.queue_log IS 'Waits of callrouter.cdr and changes of callrouter.audit, as Asterisk''s queue_log.';

-- With the columns that FreePBX adds, which reports made for it read.
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
    ''::text AS recordingfile
FROM callrouter.cdr AS c
LEFT JOIN LATERAL (
    SELECT l.channel
    FROM callrouter.cdr_leg AS l
    WHERE l.call_id = c.call_id
    ORDER BY (l.answered_at IS NOT NULL AND l.agent IS NOT DISTINCT FROM c.agent) DESC, l.attempt DESC
    LIMIT 1
) AS leg ON true;
