-- Switches: which were on when a call was routed, and who set them when.

ALTER TABLE callrouter.cdr ADD COLUMN switches text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN callrouter.cdr.switches IS 'Switches that were on when the call was routed.';
CREATE INDEX cdr_switches ON callrouter.cdr USING gin (switches) WHERE switches <> '{}';

CREATE TABLE callrouter.audit (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    who text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    from_value text NOT NULL,
    to_value text NOT NULL,
    via text NOT NULL,
    since timestamptz,
    until timestamptz,
    note text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE callrouter.audit IS 'One row per change that somebody made while the daemon ran.';
COMMENT ON COLUMN callrouter.audit.number IS 'Order of writing, with gaps.';
COMMENT ON COLUMN callrouter.audit.who IS 'A person, the counselor whose phone it was, or callrouter itself.';
COMMENT ON COLUMN callrouter.audit.kind IS 'What was changed: switch.';
COMMENT ON COLUMN callrouter.audit.via IS 'command, api, phone, expiry or reload.';
COMMENT ON COLUMN callrouter.audit.since IS 'Since when it has been so; earlier than at where it was renewed.';
COMMENT ON COLUMN callrouter.audit.until IS 'When it will go off by itself.';
CREATE INDEX audit_at ON callrouter.audit (at);
CREATE INDEX audit_thing ON callrouter.audit (kind, name, at);
