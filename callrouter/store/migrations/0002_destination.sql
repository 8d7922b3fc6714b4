-- Calls to destinations that are no counselors: duty desks, mobiles, situation rooms.

ALTER TABLE callrouter.cdr ADD COLUMN destination text;
COMMENT ON COLUMN callrouter.cdr.destination IS 'The destination that took the call, where no counselor did.';
COMMENT ON COLUMN callrouter.cdr.answered_at IS 'When a counselor, or a destination, answered.';

ALTER TABLE callrouter.cdr_leg ALTER COLUMN agent DROP NOT NULL;
ALTER TABLE callrouter.cdr_leg ADD COLUMN destination text;
ALTER TABLE callrouter.cdr_leg ADD CHECK ((agent IS NULL) <> (destination IS NULL));
COMMENT ON TABLE callrouter.cdr_leg IS 'One row per offer of a call to a counselor or a destination.';

-- As before, but for legs to destinations, who are no agents of any queue.
CREATE OR REPLACE VIEW callrouter.queue_log AS
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
    WHERE l.call_id = q.call_id AND l.agent IS NOT NULL AND l.result IN ('no-answer', 'busy', 'rejected', 'unreachable')
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
