-- Requests of callers to be called back.

CREATE TABLE callrouter.callback (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id uuid NOT NULL UNIQUE,
    site text NOT NULL,
    queue text NOT NULL,
    tenant text NOT NULL,
    number text NOT NULL,
    region text NOT NULL,
    topic text,
    asked_at timestamptz NOT NULL,
    place bigint,
    tries integer NOT NULL DEFAULT 0,
    tried_at timestamptz,
    done_at timestamptz,
    done_by text,
    result text CHECK (result IN ('reached', 'not-reached', 'cancelled')),
    note text NOT NULL DEFAULT '',
    written_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((done_at IS NULL) = (result IS NULL))
);
COMMENT ON TABLE callrouter.callback IS 'One row per request; open while done_at is NULL, and then the only one of its number and queue.';
COMMENT ON COLUMN callrouter.callback.call_id IS 'The call in which it was asked for; requests may outlive the call''s record.';
COMMENT ON COLUMN callrouter.callback.number IS 'What is to be called, E.164.';
COMMENT ON COLUMN callrouter.callback.place IS 'Where the caller stood in the line of the queue; NULL: he had not waited there.';
COMMENT ON COLUMN callrouter.callback.tries IS 'How often calling was tried in vain.';

CREATE UNIQUE INDEX callback_open ON callrouter.callback (queue, number) WHERE done_at IS NULL;
CREATE INDEX callback_asked ON callrouter.callback (asked_at);
