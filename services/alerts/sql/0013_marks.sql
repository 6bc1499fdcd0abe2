-- What subscribers see in place of positions. Positions are gapless: who sees some of them knows how many others got.
-- A mark rises with the feed as a position does, but it is a time in microseconds, and what lies between two of them is
-- the time that went by.
SET LOCAL ROLE alerts_owner;

ALTER TABLE alerts.feed_head ADD COLUMN last_mark bigint NOT NULL DEFAULT 0 CHECK (last_mark >= 0);
-- The default is for writers of before, which know of no marks.
ALTER TABLE alerts.feed ADD COLUMN mark bigint NOT NULL
    DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint CHECK (mark > 0);

-- What is there gets marks as if it had been written with them: rising, and no earlier than its time.
ALTER TABLE alerts.feed DISABLE TRIGGER permanent;
UPDATE alerts.feed AS f SET mark = made.mark
  FROM (SELECT position,
               position + max((extract(epoch FROM feed_time) * 1000000)::bigint - position) OVER (ORDER BY position) AS mark
          FROM alerts.feed) AS made
 WHERE made.position = f.position;
ALTER TABLE alerts.feed ENABLE ALWAYS TRIGGER permanent;
UPDATE alerts.feed_head SET last_mark = coalesce((SELECT max(mark) FROM alerts.feed), 0);

GRANT UPDATE (last_mark) ON alerts.feed_head TO alerts_app;

RESET ROLE;
