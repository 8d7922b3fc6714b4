-- Legs to phones at another site, over a trunk between the two.

ALTER TABLE callrouter.cdr_leg ADD COLUMN far_site text, ADD COLUMN far_channel text;
COMMENT ON COLUMN callrouter.cdr_leg.far_site IS 'Where the phone is, if that is another site than the call''s.';
COMMENT ON COLUMN callrouter.cdr_leg.far_channel IS 'The leg as it came in there, if it did.';
