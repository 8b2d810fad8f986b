-- The waiting requests are counted; those of a key are found by `csr_key`. By time, as they come, they lie in one place.
DROP INDEX csr_waiting;
CREATE INDEX csr_waiting ON csr(created) WHERE state = 'waiting';
