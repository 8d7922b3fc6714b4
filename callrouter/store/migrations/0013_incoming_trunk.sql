-- By which trunk group, and which endpoint of it, calls came in.

ALTER TABLE callrouter.cdr ADD COLUMN in_trunk text, ADD COLUMN in_endpoint text;
COMMENT ON COLUMN callrouter.cdr.in_trunk IS 'The trunk group by which the call came in; NULL: by none, or we made it.';
COMMENT ON COLUMN callrouter.cdr.in_endpoint IS 'The PJSIP endpoint by which it did; NULL: nobody kept it then.';

CREATE VIEW callrouter.trunk_holding AS
SELECT c.call_id, c.started_at, c.tenant, l.trunk, 'out' AS direction, l.offered_at AS since, l.ended_at AS until
FROM callrouter.cdr_leg AS l JOIN callrouter.cdr AS c USING (call_id)
WHERE l.trunk IS NOT NULL
UNION ALL
SELECT call_id, started_at, tenant, in_trunk, 'in', started_at, ended_at
FROM callrouter.cdr
WHERE in_trunk IS NOT NULL;
COMMENT ON VIEW callrouter.trunk_holding IS 'Channels of trunk groups that calls held: callers who came in, and legs of ours.';
