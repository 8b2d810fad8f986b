-- Certificates that came in one import and are stored by a job, in parts.

CREATE TABLE import (
    id TEXT NOT NULL,
    actor TEXT NOT NULL,
    friendly_name TEXT,
    lineage TEXT REFERENCES lineage(id),
    total INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    new INTEGER NOT NULL,
    fulfilled INTEGER NOT NULL,
    became_current INTEGER NOT NULL,
    created INTEGER NOT NULL,
    CONSTRAINT "import.id" PRIMARY KEY (id)
) STRICT;
CREATE INDEX import_created ON import(created);

-- Apart, so that counting does not write them anew. Gone once all are stored.
CREATE TABLE import_contents (
    import TEXT NOT NULL REFERENCES import(id),
    contents BLOB NOT NULL,
    CONSTRAINT "import_contents.import" PRIMARY KEY (import)
) STRICT;
