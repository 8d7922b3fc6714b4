-- Calls that we made because somebody had asked to be called back.

ALTER TABLE callrouter.cdr ADD COLUMN return_of uuid;
ALTER TABLE callrouter.cdr ADD COLUMN return_result text CHECK (return_result IN ('reached', 'not-reached', 'cancelled'));
ALTER TABLE callrouter.cdr ADD COLUMN return_tries integer;
ALTER TABLE callrouter.cdr ADD COLUMN direction text NOT NULL
    GENERATED ALWAYS AS (CASE WHEN return_of IS NULL THEN 'inbound' ELSE 'callback' END) STORED;
ALTER TABLE callrouter.cdr ADD CHECK ((return_of IS NULL) = (return_result IS NULL));
COMMENT ON COLUMN callrouter.cdr.return_of IS 'The call in which it was asked for; NULL: this one came in.';
COMMENT ON COLUMN callrouter.cdr.return_result IS 'What became of that request.';
COMMENT ON COLUMN callrouter.cdr.return_tries IS 'How often the resident was called in vain.';
COMMENT ON COLUMN callrouter.cdr.direction IS 'inbound, or callback: we called.';
CREATE INDEX cdr_return ON callrouter.cdr (return_of) WHERE return_of IS NOT NULL;

-- As before, but for calls that we made: nobody waited on the line.
CREATE OR REPLACE VIEW callrouter.queue_visit AS
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
WHERE c.queue IS NOT NULL AND c.return_of IS NULL
    AND NOT EXISTS (SELECT FROM callrouter.cdr_visit AS v WHERE v.call_id = c.call_id);
