-- Requests that a person made are found by their friendly names, which are unique. A lineage's are called like it.
CREATE INDEX csr_named ON csr(friendly_name) WHERE lineage IS NULL;
