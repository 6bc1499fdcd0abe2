-- How a list's budgets are put right by what people found of its alerts (ENF-051 III.B.3.o).
SET LOCAL ROLE matcher_owner;

-- Since the list was made. Apart from the list, for it changes all the time.
CREATE TABLE matcher.list_tally (
    hot_list_id uuid PRIMARY KEY REFERENCES matcher.hot_list,
    read_count bigint NOT NULL DEFAULT 0,
    -- Matches that sounded, and those for a check; of one plate within an hour one.
    sounded_count bigint NOT NULL DEFAULT 0,
    checked_count bigint NOT NULL DEFAULT 0
);

-- What people found of an alert, for each list of it; no plate, place or person. `is_right` is null while nobody has
-- said, or has taken it back. `budget`: 1 it sounded, 2 it was for a check.
CREATE TABLE matcher.verdict (
    alert_id uuid NOT NULL,
    hot_list_id uuid NOT NULL REFERENCES matcher.hot_list,
    budget smallint NOT NULL CHECK (budget BETWEEN 1 AND 2),
    raised_at timestamptz NOT NULL,
    is_right boolean,
    PRIMARY KEY (alert_id, hot_list_id)
);
CREATE INDEX verdict_of_list ON matcher.verdict (hot_list_id, budget, raised_at) WHERE is_right IS NOT NULL;

-- How far alerts was heard; one row, which whoever stores verdicts locks.
CREATE TABLE matcher.verdict_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch bigint NOT NULL,
    position bigint NOT NULL
);
INSERT INTO matcher.verdict_head (epoch, position) VALUES (0, 0);

-- Every change of a factor, for ever; the newest counts. The counts are what it was changed for; `reads_at` and
-- `matches_at` are the tally at that moment, from which the next evidence is counted.
CREATE TABLE matcher.tuning (
    hot_list_id uuid NOT NULL REFERENCES matcher.hot_list,
    budget smallint NOT NULL CHECK (budget BETWEEN 1 AND 2),
    number bigint NOT NULL CHECK (number > 0),
    factor_before double precision NOT NULL CHECK (factor_before > 0),
    factor double precision NOT NULL CHECK (factor > 0),
    read_count bigint NOT NULL,
    match_count bigint NOT NULL,
    right_count bigint NOT NULL,
    wrong_count bigint NOT NULL,
    reads_at bigint NOT NULL,
    matches_at bigint NOT NULL,
    match_revision bigint NOT NULL UNIQUE,
    intent_id uuid NOT NULL UNIQUE REFERENCES matcher.act,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (hot_list_id, budget, number)
);

GRANT SELECT, INSERT ON matcher.list_tally, matcher.verdict, matcher.tuning TO matcher_app;
GRANT UPDATE (read_count, sounded_count, checked_count) ON matcher.list_tally TO matcher_app;
GRANT UPDATE (budget, is_right) ON matcher.verdict TO matcher_app;
GRANT SELECT, UPDATE (epoch, position) ON matcher.verdict_head TO matcher_app;

RESET ROLE;
