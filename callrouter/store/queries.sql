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
    hold_s, explanation, destination, switches, mark, hearings, notices, return_of, return_result, return_tries,
    in_trunk, in_endpoint
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
    $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36
)
ON CONFLICT (call_id) DO NOTHING

-- name: insert_leg
INSERT INTO callrouter.cdr_leg (
    call_id, attempt, channel, agent, trunk, offered_at, rang_at, answered_at, ended_at, result, cause,
    destination, far_site, far_channel
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (call_id, attempt) DO NOTHING

-- name: insert_visit
INSERT INTO callrouter.cdr_visit (call_id, place, queue, queued_at, left_at, how)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (call_id, place) DO NOTHING

-- name: find_cdrs
-- A parameter that is NULL asks for nothing. The newest that was said of a call counts.
SELECT cdr.*, wrap_up FROM callrouter.cdr LEFT JOIN LATERAL (
    SELECT to_value AS wrap_up FROM callrouter.audit WHERE kind = 'wrap-up' AND name = call_id::text
    ORDER BY at DESC, number DESC LIMIT 1
) AS said ON true
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
SELECT cdr.*, wrap_up FROM callrouter.cdr LEFT JOIN LATERAL (
    SELECT to_value AS wrap_up FROM callrouter.audit WHERE kind = 'wrap-up' AND name = call_id::text
    ORDER BY at DESC, number DESC LIMIT 1
) AS said ON true
WHERE call_id BETWEEN $1 AND $2 ORDER BY call_id LIMIT 2

-- name: get_legs
SELECT * FROM callrouter.cdr_leg WHERE call_id = ANY($1::uuid[]) ORDER BY call_id, attempt

-- name: get_visits
SELECT * FROM callrouter.cdr_visit WHERE call_id = ANY($1::uuid[]) ORDER BY call_id, place

-- name: insert_message
INSERT INTO callrouter.voicemail (recording, call_id, site, box, tenant, caller, region, topic, left_at, duration_s)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (recording) DO NOTHING

-- name: get_messages_of_calls
SELECT call_id, recording, box, left_at, duration_s FROM callrouter.voicemail
WHERE call_id = ANY($1::uuid[]) ORDER BY left_at, id

-- name: find_messages
-- Those that nobody has heard first, and of them the one that has waited longest; then the latest.
SELECT * FROM callrouter.voicemail
WHERE deleted_at IS NULL AND ($1::text IS NULL OR box = $1) AND (NOT $2::boolean OR heard_at IS NULL)
ORDER BY heard_at IS NOT NULL, CASE WHEN heard_at IS NULL THEN left_at END, left_at DESC, id
LIMIT $3

-- name: get_message
SELECT * FROM callrouter.voicemail WHERE id = $1

-- name: hear_message
UPDATE callrouter.voicemail SET heard_at = $2, heard_by = $3
WHERE id = $1 AND heard_at IS NULL AND deleted_at IS NULL

-- name: delete_message
UPDATE callrouter.voicemail SET deleted_at = $2, deleted_by = $3 WHERE id = $1 AND deleted_at IS NULL

-- name: unseen_messages
SELECT * FROM callrouter.voicemail
WHERE sha256 IS NULL AND deleted_at IS NULL ORDER BY fault IS NOT NULL, id LIMIT $1

-- name: see_message
UPDATE callrouter.voicemail SET duration_s = $2, size_bytes = $3, sha256 = $4, fault = NULL WHERE id = $1

-- name: blame_message
UPDATE callrouter.voicemail SET fault = $2 WHERE id = $1

-- name: expired_messages
-- What somebody asked to be erased is kept no longer, however new it is.
SELECT * FROM callrouter.voicemail
WHERE deleted_at IS NULL AND box = $1 AND (left_at < $2 OR erased_at IS NOT NULL) ORDER BY left_at LIMIT $3

-- name: count_messages
SELECT box, count(*) AS kept, count(*) FILTER (WHERE heard_at IS NULL) AS unheard,
    min(left_at) FILTER (WHERE heard_at IS NULL) AS oldest
FROM callrouter.voicemail WHERE deleted_at IS NULL GROUP BY box

-- name: insert_recording
INSERT INTO callrouter.recording (
    recording, call_id, site, queue, agent, tenant, caller, region, notice, begun_at, ended_at, keep_until, result, why,
    muted
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (recording) DO NOTHING

-- name: get_recordings_of_calls
SELECT * FROM callrouter.recording WHERE call_id = ANY($1::uuid[]) ORDER BY begun_at, id

-- name: find_recordings
-- A parameter that is NULL asks for nothing.
SELECT * FROM callrouter.recording
WHERE ($1::uuid IS NULL OR call_id = $1)
    AND ($2::text IS NULL OR queue = $2)
    AND ($3::text IS NULL OR agent = $3)
    AND ($4::timestamptz IS NULL OR begun_at >= $4)
    AND ($5::timestamptz IS NULL OR begun_at < $5)
    AND ($6::boolean OR deleted_at IS NULL)
ORDER BY begun_at DESC, id DESC
LIMIT $7

-- name: get_recording
SELECT * FROM callrouter.recording WHERE id = $1

-- name: sites_of_recordings
SELECT DISTINCT site FROM callrouter.recording WHERE cleared_at IS NULL

-- name: unstored_recordings
SELECT * FROM callrouter.recording
WHERE cleared_at IS NULL AND stored_at IS NULL AND deleted_at IS NULL AND result = 'kept' AND site = $1
ORDER BY fault IS NOT NULL, id LIMIT $2

-- name: store_recording
UPDATE callrouter.recording
SET file = $2, duration_s = $3, size_bytes = $4, sha256 = $5, stored_at = $6, fault = NULL
WHERE id = $1 AND deleted_at IS NULL

-- name: blame_recording
UPDATE callrouter.recording SET fault = $2 WHERE id = $1

-- name: uncleared_recordings
SELECT * FROM callrouter.recording
WHERE cleared_at IS NULL AND (stored_at IS NOT NULL OR deleted_at IS NOT NULL OR result <> 'kept') AND site = $1
ORDER BY id LIMIT $2

-- name: clear_recording
UPDATE callrouter.recording SET cleared_at = $2 WHERE id = $1

-- name: expired_recordings
-- What somebody asked to be erased is kept no longer, however new it is.
SELECT * FROM callrouter.recording
WHERE deleted_at IS NULL AND (keep_until < $1 OR erased_at IS NOT NULL) ORDER BY keep_until LIMIT $2

-- name: delete_recording
UPDATE callrouter.recording SET deleted_at = $2, deleted_by = $3, deleted_why = $4
WHERE id = $1 AND deleted_at IS NULL

-- name: known_calls
SELECT call_id FROM callrouter.cdr WHERE call_id = ANY($1::uuid[])

-- name: insert_callback
-- A number that waits to be called back by the queue waits once.
INSERT INTO callrouter.callback (call_id, site, queue, tenant, number, region, topic, asked_at, place)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING RETURNING id

-- name: get_callbacks_of_calls
SELECT call_id, queue, number, asked_at, place FROM callrouter.callback WHERE call_id = ANY($1::uuid[])

-- name: find_callbacks
-- The open ones first, and of them the one that has waited longest; then those done last.
SELECT * FROM callrouter.callback
WHERE ($1::text IS NULL OR queue = $1) AND (NOT $2::boolean OR done_at IS NULL)
ORDER BY done_at IS NOT NULL, CASE WHEN done_at IS NULL THEN asked_at END, done_at DESC, id
LIMIT $3

-- name: get_callback
SELECT * FROM callrouter.callback WHERE id = $1

-- name: finish_callback
UPDATE callrouter.callback SET done_at = $2, done_by = $3, result = $4, note = $5 WHERE id = $1 AND done_at IS NULL

-- name: finish_called_back
-- By the call in which it was asked for or, if the number had a request already then, by that.
UPDATE callrouter.callback
SET tries = tries + $4, tried_at = CASE WHEN $4 > 0 THEN $3 ELSE tried_at END, done_at = $3, done_by = $5, result = $6,
    note = $7
WHERE done_at IS NULL AND (call_id = $1 OR queue = $8 AND number = $9) AND asked_at <= $2

-- name: try_callback
UPDATE callrouter.callback SET tries = tries + 1, tried_at = $2 WHERE id = $1 AND done_at IS NULL

-- name: closed_callbacks
SELECT call_id, done_by FROM callrouter.callback WHERE call_id = ANY($1::uuid[]) AND done_at IS NOT NULL

-- name: count_callbacks
SELECT queue, count(*) AS waiting, min(asked_at) AS oldest
FROM callrouter.callback WHERE done_at IS NULL GROUP BY queue

-- name: expire_callbacks
DELETE FROM callrouter.callback WHERE asked_at < $1 RETURNING id, queue, done_at IS NULL AS is_open

-- name: lock_rules
-- Versions are counted without gaps; held until the transaction ends, and the number is ours alone.
SELECT pg_advisory_xact_lock(7202120056)

-- name: insert_rules
INSERT INTO callrouter.rules (version, id, went_live_at, who, host, directory, config_hash, digest, note, files)
SELECT coalesce(max(version), 0) + 1, $1::uuid, $2::timestamptz, $3, $4, $5, $6, $7, $8, $9::json
FROM callrouter.rules
HAVING NOT EXISTS (SELECT 1 FROM callrouter.rules WHERE id = $1::uuid)
    AND $7::text IS DISTINCT FROM (
        SELECT digest FROM callrouter.rules WHERE host = $4 AND directory = $5 ORDER BY version DESC LIMIT 1)

-- name: newest_rules
SELECT r.*, before.files AS earlier
FROM callrouter.rules AS r
LEFT JOIN LATERAL (
    SELECT b.files FROM callrouter.rules AS b
    WHERE b.host = r.host AND b.directory = r.directory AND b.version < r.version
    ORDER BY b.version DESC LIMIT 1
) AS before ON true
ORDER BY r.version DESC
LIMIT $1

-- name: get_rules
SELECT r.*, NULL AS earlier FROM callrouter.rules AS r WHERE version = $1

-- name: rules_bounds
SELECT min(version) AS first, max(version) AS last FROM callrouter.rules

-- name: rules_of_hash
SELECT r.*, NULL AS earlier FROM callrouter.rules AS r WHERE config_hash = $1 ORDER BY version DESC LIMIT 1

-- name: calls_to_replay
-- What a decision needs of each call, oldest first.
SELECT call_id, site, started_at, caller, dialed, region, region_source, topic, rule, config_hash, switches
FROM callrouter.cdr
WHERE started_at >= $1 AND started_at < $2 AND return_of IS NULL
ORDER BY started_at, call_id

-- name: queued_calls
-- What a report needs of each call that has a queue.
SELECT started_at, coalesce(queued_at, started_at) AS queued_at, answered_at, ended_at, queue, tenant, topic, agent,
    destination, outcome, talk_s, wrap_up
FROM callrouter.cdr LEFT JOIN LATERAL (
    SELECT to_value AS wrap_up FROM callrouter.audit WHERE kind = 'wrap-up' AND name = call_id::text
    ORDER BY at DESC, number DESC LIMIT 1
) AS said ON true
WHERE queue IS NOT NULL AND return_of IS NULL AND started_at >= $1 AND started_at < $2
ORDER BY started_at, call_id

-- name: queue_visits
-- Each caller's wait in each queue, with what a report needs of the call.
SELECT c.started_at, c.answered_at, c.ended_at, c.tenant, c.topic, c.agent, c.destination, c.outcome, c.talk_s,
    v.queue, v.queued_at, v.left_at, v.how, v.is_last, said.wrap_up
FROM callrouter.cdr AS c JOIN callrouter.queue_visit AS v USING (call_id) LEFT JOIN LATERAL (
    SELECT to_value AS wrap_up FROM callrouter.audit WHERE kind = 'wrap-up' AND name = c.call_id::text
    ORDER BY at DESC, number DESC LIMIT 1
) AS said ON true
WHERE c.started_at >= $1 AND c.started_at < $2
ORDER BY c.started_at, c.call_id, v.place

-- name: agent_offers
-- Offers belong to when their call began.
SELECT l.agent, c.started_at, l.answered_at, l.ended_at, l.result
FROM callrouter.cdr_leg AS l JOIN callrouter.cdr AS c USING (call_id)
WHERE l.agent IS NOT NULL AND c.started_at >= $1 AND c.started_at < $2
ORDER BY c.started_at, c.call_id, l.attempt

-- name: first_call
SELECT min(started_at) FROM callrouter.cdr

-- name: calls_of_hours
SELECT c.topic, count(*) AS calls
FROM unnest($1::timestamptz[]) AS h (begins)
JOIN callrouter.cdr AS c ON c.started_at >= h.begins AND c.started_at < h.begins + interval '1 hour'
WHERE c.topic IS NOT NULL AND c.return_of IS NULL
GROUP BY c.topic

-- name: talks
-- Conversations of counselors that touch a time, with the queue in which the caller waited for them.
SELECT l.agent, l.offered_at, l.answered_at, l.ended_at, coalesce(v.queue, c.queue) AS queue
FROM callrouter.cdr_leg AS l
JOIN callrouter.cdr AS c USING (call_id)
LEFT JOIN callrouter.cdr_visit AS v ON v.call_id = l.call_id AND v.left_at = l.answered_at AND v.how = 'answered'
WHERE l.agent IS NOT NULL AND l.answered_at IS NOT NULL AND l.result = 'answered'
    AND l.ended_at >= $1 AND l.offered_at < $2
ORDER BY l.answered_at, l.ended_at, l.call_id, l.attempt

-- name: duty_changes
-- What was said of counselors in a time, and the newest before it of each; in their order.
(SELECT DISTINCT ON (name) name, at, number, to_value, note FROM callrouter.audit
WHERE kind = 'agent' AND at < $1 ORDER BY name, at DESC, number DESC)
UNION ALL
(SELECT name, at, number, to_value, note FROM callrouter.audit WHERE kind = 'agent' AND at >= $1 AND at < $2)
ORDER BY at, number

-- name: insert_audit
INSERT INTO callrouter.audit (id, at, who, kind, name, from_value, to_value, via, since, until, note, queues,
    account, address)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
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

-- name: trunk_holdings
-- What a trunk failed before it rang held a channel for no time worth counting, and is found here all the same.
-- Records of before do not say by which group a call came in.
SELECT trunk, since, until
FROM callrouter.trunk_holding
WHERE started_at >= $1::timestamptz - interval '1 day' AND started_at < $2 AND until > $1
UNION ALL
SELECT $3::text, started_at, ended_at
FROM callrouter.cdr
WHERE $3::text IS NOT NULL AND in_endpoint IS NULL AND direction = 'inbound'
    AND started_at >= $1::timestamptz - interval '1 day' AND started_at < $2 AND ended_at > $1

-- name: cdrs_of_person
-- Calls of his, and calls that were made to him.
SELECT cdr.*, wrap_up FROM callrouter.cdr LEFT JOIN LATERAL (
    SELECT to_value AS wrap_up FROM callrouter.audit WHERE kind = 'wrap-up' AND name = call_id::text
    ORDER BY at DESC, number DESC LIMIT 1
) AS said ON true
WHERE caller = ANY($1::text[])
    OR call_id IN (SELECT call_id FROM callrouter.cdr_leg WHERE destination = ANY($1::text[]))
ORDER BY started_at, call_id

-- name: messages_of_person
SELECT * FROM callrouter.voicemail WHERE caller = ANY($1::text[]) ORDER BY left_at, id

-- name: recordings_of_person
SELECT * FROM callrouter.recording WHERE caller = ANY($1::text[]) ORDER BY begun_at, id

-- name: callbacks_of_person
SELECT * FROM callrouter.callback WHERE number = ANY($1::text[]) ORDER BY asked_at, id

-- name: erase_cdr
-- A call that was made to him may be another's, whose number stays.
UPDATE callrouter.cdr SET caller = CASE WHEN caller = ANY($4::text[]) THEN '' ELSE caller END, explanation = $2,
    erased_at = $3, destination = CASE WHEN destination = ANY($4::text[]) THEN 'erased' ELSE destination END
WHERE call_id = $1

-- name: erase_messages
UPDATE callrouter.voicemail SET caller = '', erased_at = $2 WHERE caller = ANY($1::text[])

-- name: erase_recordings
UPDATE callrouter.recording SET caller = '', erased_at = $2 WHERE caller = ANY($1::text[])

-- name: erase_callbacks
DELETE FROM callrouter.callback WHERE number = ANY($1::text[])

-- name: count_old_numbers
SELECT count(*) FROM callrouter.cdr WHERE started_at < $1 AND caller <> ''

-- name: old_numbers
SELECT call_id, caller, explanation FROM callrouter.cdr WHERE started_at < $1 AND caller <> '' LIMIT $2

-- name: erase_legs_of_call
UPDATE callrouter.cdr_leg SET destination = 'erased' WHERE call_id = $1 AND destination = ANY($2::text[])

-- name: old_numbers_of_sounds
WITH messages AS (
    UPDATE callrouter.voicemail SET caller = '' WHERE left_at < $1 AND caller <> '' AND deleted_at IS NOT NULL RETURNING 1
), recordings AS (
    UPDATE callrouter.recording SET caller = '' WHERE begun_at < $1 AND caller <> '' AND deleted_at IS NOT NULL RETURNING 1
)
SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM recordings)

-- name: count_old_calls
SELECT count(*) FROM callrouter.cdr WHERE started_at < $1

-- name: delete_old_calls
DELETE FROM callrouter.cdr WHERE call_id IN (SELECT call_id FROM callrouter.cdr WHERE started_at < $1 LIMIT $2)

-- name: count_old_sounds
SELECT (SELECT count(*) FROM callrouter.voicemail WHERE deleted_at < $1)
    + (SELECT count(*) FROM callrouter.recording WHERE deleted_at < $1)

-- name: delete_old_messages
DELETE FROM callrouter.voicemail WHERE id IN (SELECT id FROM callrouter.voicemail WHERE deleted_at < $1 LIMIT $2)

-- name: delete_old_recordings
DELETE FROM callrouter.recording WHERE id IN (SELECT id FROM callrouter.recording WHERE deleted_at < $1 LIMIT $2)

-- name: begin_term
INSERT INTO callrouter.leader AS l (service, term, holder, machine) VALUES ($1, $2::bigint + 1, $3, $4)
ON CONFLICT (service) DO UPDATE SET term = greatest(l.term, $2) + 1, holder = $3, machine = $4, proofs = 0, since = now()
    WHERE $5::bigint IS NULL OR (l.term, l.proofs) = ($5, $6::bigint)
RETURNING term

-- name: term_now
SELECT term, holder FROM callrouter.leader WHERE service = $1

-- name: register_term
INSERT INTO callrouter.leader AS l (service, term, holder, machine) VALUES ($1, $2, $3, $4)
ON CONFLICT (service) DO UPDATE SET term = $2, holder = $3, machine = $4, proofs = 0, since = now() WHERE l.term < $2

-- name: prove_term
UPDATE callrouter.leader SET proofs = proofs + 1 WHERE service = $1 AND term = $2 AND holder = $3 RETURNING proofs
