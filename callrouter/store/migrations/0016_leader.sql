-- Who leads, among daemons on several machines, each with a journal of its own.

CREATE TABLE callrouter.leader (
    service text PRIMARY KEY,
    term bigint NOT NULL,
    holder uuid NOT NULL,
    proofs bigint NOT NULL DEFAULT 0,
    machine text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE callrouter.leader IS 'One row per service: the last that began to lead. Who is not its holder stands down.';
COMMENT ON COLUMN callrouter.leader.service IS 'The Asterisks that are served, and their applications.';
COMMENT ON COLUMN callrouter.leader.term IS 'Counted up by each that begins, under the advisory lock of the service.';
COMMENT ON COLUMN callrouter.leader.holder IS 'The process that leads; a fresh number at each start of a daemon.';
COMMENT ON COLUMN callrouter.leader.proofs IS 'How often it has proven after a sleep that the term was its own still.';
