-- By which account and from where, and a log that is appended to and not altered.

ALTER TABLE callrouter.audit ADD COLUMN account text NOT NULL DEFAULT '', ADD COLUMN address text NOT NULL DEFAULT '';
COMMENT ON TABLE callrouter.audit IS 'One row per change that somebody made, and per look that had to be noted. Rows are appended and never altered.';
COMMENT ON COLUMN callrouter.audit.kind IS 'What was changed; who fetched a recording (recording), saw a whole number (number), came in or went (log-in), ordered something or was refused (access); what was purged (purge).';
COMMENT ON COLUMN callrouter.audit.via IS 'command, api, page, phone, expiry, reload or database.';
COMMENT ON COLUMN callrouter.audit.account IS 'By which account; empty: by none.';
COMMENT ON COLUMN callrouter.audit.address IS 'From which IP address; empty: not by HTTP.';

-- Whoever owns the table could take this away again: a role that owns nothing is what keeps the daemon out (see
-- docs/operator.md). This keeps out mistakes, and programs that were given too much.
CREATE FUNCTION callrouter.audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('callrouter.purging', true) = 'audit'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'callrouter.audit is appended to and never altered: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'Old entries are removed by callrouter.purge_audit(before, who, why), which says so in the log.';
END
$$;
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON callrouter.audit
    FOR EACH ROW EXECUTE FUNCTION callrouter.audit_is_kept();
CREATE TRIGGER audit_is_kept_whole BEFORE TRUNCATE ON callrouter.audit
    FOR EACH STATEMENT EXECUTE FUNCTION callrouter.audit_is_kept();

-- The one way in which entries go. It works with its owner's rights: who may call it is said by GRANT EXECUTE.
CREATE FUNCTION callrouter.purge_audit(before timestamptz, who text, why text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    IF coalesce(who, '') = '' OR coalesce(why, '') = '' THEN
        RAISE EXCEPTION 'who purges the audit log, and why, must be said';
    END IF;
    PERFORM set_config('callrouter.purging', 'audit', true);
    DELETE FROM callrouter.audit WHERE at < before;
    GET DIAGNOSTICS removed = ROW_COUNT;
    PERFORM set_config('callrouter.purging', '', true);
    INSERT INTO callrouter.audit (id, at, who, kind, name, from_value, to_value, via, note, queues)
    VALUES (gen_random_uuid(), now(), purge_audit.who, 'purge', 'audit', removed::text, before::text, 'database',
        why || ' (role ' || session_user || ')', '{}');
    RETURN removed;
END
$$;
REVOKE ALL ON FUNCTION callrouter.purge_audit(timestamptz, text, text) FROM PUBLIC;
