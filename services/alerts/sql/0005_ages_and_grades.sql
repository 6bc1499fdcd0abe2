-- How old list and entry were, how the plate read is like the listed one, and what the match is good for (ENF-051 II.D,
-- III.B.3.o). `match_label` and `match_grade` as in alpr.type.v1; hits from before say nothing of them and sound.
SET LOCAL ROLE alerts_owner;

ALTER TABLE alerts.hit
    ADD COLUMN list_time timestamptz,
    ADD COLUMN entry_date date,
    ADD COLUMN plate_type text NOT NULL DEFAULT '',
    ADD COLUMN match_label smallint NOT NULL DEFAULT 0 CHECK (match_label BETWEEN 0 AND 4),
    ADD COLUMN match_grade smallint NOT NULL DEFAULT 1 CHECK (match_grade BETWEEN 1 AND 2);

RESET ROLE;
