-- Certificates that came in one import and are stored by a job, in parts.

CREATE TABLE import (
    id TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    friendly_name TEXT COLLATE "C",
    lineage TEXT COLLATE "C" REFERENCES lineage(id),
    total BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    new BIGINT NOT NULL,
    fulfilled BIGINT NOT NULL,
    became_current BIGINT NOT NULL,
    created BIGINT NOT NULL,
    CONSTRAINT "import.id" PRIMARY KEY (id)
);
CREATE INDEX import_created ON import(created);

-- Apart, so that counting does not write them anew. Gone once all are stored.
CREATE TABLE import_contents (
    import TEXT COLLATE "C" NOT NULL REFERENCES import(id),
    contents BYTEA NOT NULL,
    CONSTRAINT "import_contents.import" PRIMARY KEY (import)
);
