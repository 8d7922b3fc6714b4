-- name: schema_version
SELECT coalesce(max(version), 0) FROM callrouter.migration

-- name: has_migrations
SELECT to_regclass('callrouter.migration') IS NOT NULL

-- name: lock_migrations
-- Held until the transaction ends; the number is ours alone.
SELECT pg_advisory_xact_lock(7202120055)

-- name: record_migration
INSERT INTO callrouter.migration (version, name) VALUES ($1, $2)

-- name: insert_cdr
INSERT INTO callrouter.cdr (
    call_id, site, started_at, queued_at, answered_at, ended_at, caller, dialed, region, region_source, tenant, topic,
    rule, config_hash, queue, agent, trunk, outcome, disposition, hangup_cause, released_by, wait_s, ring_s, talk_s,
    hold_s, explanation, switches
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
    $26, $27
)
ON CONFLICT (call_id) DO NOTHING

-- name: insert_leg
INSERT INTO callrouter.cdr_leg (
    call_id, attempt, channel, agent, trunk, offered_at, rang_at, answered_at, ended_at, result, cause
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (call_id, attempt) DO NOTHING

-- name: find_cdrs
-- A parameter that is NULL asks for nothing.
SELECT * FROM callrouter.cdr
WHERE ($1::timestamptz IS NULL OR started_at >= $1)
    AND ($2::timestamptz IS NULL OR started_at < $2)
    AND ($3::text IS NULL OR caller = $3)
    AND ($4::text IS NULL OR region = $4)
    AND ($5::text IS NULL OR tenant = $5)
    AND ($6::text IS NULL OR queue = $6)
    AND ($7::text IS NULL OR agent = $7)
    AND ($8::text IS NULL OR outcome = $8)
    AND ($9::text IS NULL OR rule = $9)
    AND ($10::text IS NULL OR $10 = ANY(switches))
ORDER BY started_at DESC, call_id DESC
LIMIT $11

-- name: get_cdrs
-- Two are enough to know that an id was cut too short.
SELECT * FROM callrouter.cdr WHERE call_id BETWEEN $1 AND $2 ORDER BY call_id LIMIT 2

-- name: get_legs
SELECT * FROM callrouter.cdr_leg WHERE call_id = ANY($1::uuid[]) ORDER BY call_id, attempt

-- name: insert_audit
INSERT INTO callrouter.audit (id, at, who, kind, name, from_value, to_value, via, since, until, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO NOTHING

-- name: find_audit
-- A parameter that is NULL asks for nothing.
SELECT * FROM callrouter.audit
WHERE ($1::timestamptz IS NULL OR at >= $1)
    AND ($2::timestamptz IS NULL OR at < $2)
    AND ($3::text IS NULL OR who = $3)
    AND ($4::text IS NULL OR name = $4)
ORDER BY at DESC, number DESC
LIMIT $5
