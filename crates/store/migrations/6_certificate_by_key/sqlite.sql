-- The certificates of a key are read in the order of their ends, and only the first of them: a key may have thousands.
DROP INDEX certificate_key;
CREATE INDEX certificate_key ON certificate(key, not_after, fingerprint);
