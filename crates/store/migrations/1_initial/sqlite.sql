-- The first schema. The same tables as in postgres.sql; STRICT, so that no column takes what it should not.
-- Unique constraints are named `table.column`, as SQLite itself reports them.

CREATE TABLE token (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    wrong_pins INTEGER NOT NULL,
    last_wrong INTEGER,
    locked INTEGER NOT NULL,
    CONSTRAINT "token.id" PRIMARY KEY (id)
) STRICT;

CREATE TABLE key_slot (
    token TEXT NOT NULL REFERENCES token(id),
    kind TEXT NOT NULL,
    salt BLOB NOT NULL,
    parameters TEXT NOT NULL,
    sealed BLOB NOT NULL,
    CONSTRAINT "key_slot.token" PRIMARY KEY (token, kind)
) STRICT;

-- `sealed` is the private key; it is gone once the key is destroyed.
CREATE TABLE key (
    id BLOB NOT NULL,
    token TEXT NOT NULL REFERENCES token(id),
    label TEXT NOT NULL,
    label_folded TEXT NOT NULL,
    usage TEXT,
    algorithm TEXT NOT NULL,
    spki BLOB NOT NULL,
    exportable TEXT NOT NULL,
    born TEXT NOT NULL,
    durability TEXT NOT NULL,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    retired INTEGER,
    exported INTEGER,
    sealed BLOB,
    search TEXT NOT NULL,
    CONSTRAINT "key.id" PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX "key.label" ON key(label) WHERE state <> 'destroyed';
CREATE INDEX key_listed ON key(label_folded, id);
CREATE INDEX key_token ON key(token);
CREATE INDEX key_retired ON key(retired) WHERE state = 'retired';
CREATE INDEX key_not_backed_up ON key(created) WHERE durability = 'this_node_only';

CREATE TABLE certificate (
    fingerprint BLOB NOT NULL,
    key BLOB NOT NULL,
    der BLOB NOT NULL,
    friendly_name TEXT NOT NULL,
    friendly_folded TEXT NOT NULL,
    subject BLOB NOT NULL,
    issuer BLOB NOT NULL,
    serial TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    names TEXT NOT NULL,
    is_ca INTEGER NOT NULL,
    self_signed INTEGER NOT NULL,
    source TEXT NOT NULL,
    lineage TEXT REFERENCES lineage(id),
    has_key INTEGER NOT NULL,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    search TEXT NOT NULL,
    CONSTRAINT "certificate.fingerprint" PRIMARY KEY (fingerprint)
) STRICT;
CREATE INDEX certificate_key ON certificate(key);
CREATE INDEX certificate_subject ON certificate(subject);
CREATE INDEX certificate_issuer ON certificate(issuer);
CREATE INDEX certificate_lineage ON certificate(lineage);
CREATE INDEX certificate_ends ON certificate(not_after, fingerprint);
CREATE INDEX certificate_named ON certificate(friendly_folded, fingerprint);
CREATE INDEX certificate_authority ON certificate(fingerprint) WHERE is_ca;

CREATE TABLE issuer (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    withdrawn INTEGER NOT NULL,
    created INTEGER NOT NULL,
    root BLOB REFERENCES certificate(fingerprint),
    intermediate BLOB REFERENCES certificate(fingerprint),
    authority_key BLOB REFERENCES key(id),
    CONSTRAINT "issuer.id" PRIMARY KEY (id)
) STRICT;

CREATE TABLE profile (
    id TEXT NOT NULL,
    label TEXT NOT NULL,
    usage TEXT NOT NULL,
    client_auth INTEGER NOT NULL,
    lifetime INTEGER NOT NULL,
    lifetime_max INTEGER NOT NULL,
    algorithms TEXT NOT NULL,
    CONSTRAINT "profile.id" PRIMARY KEY (id)
) STRICT;

-- A retired lineage keeps its row for the history of its certificates; its name is free again.
CREATE TABLE lineage (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    subject BLOB NOT NULL,
    names TEXT NOT NULL,
    usage TEXT NOT NULL,
    owner TEXT NOT NULL,
    environment TEXT NOT NULL,
    token TEXT NOT NULL REFERENCES token(id),
    algorithm TEXT NOT NULL,
    at_renewal TEXT NOT NULL,
    exportable TEXT NOT NULL,
    issuer TEXT NOT NULL REFERENCES issuer(id),
    profile TEXT NOT NULL REFERENCES profile(id),
    lifetime INTEGER,
    backend TEXT,
    proxy_protocol INTEGER NOT NULL,
    current BLOB REFERENCES certificate(fingerprint),
    due INTEGER,
    failures INTEGER NOT NULL,
    trouble TEXT NOT NULL,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    retired INTEGER,
    search TEXT NOT NULL,
    CONSTRAINT "lineage.id" PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX "lineage.name" ON lineage(name) WHERE retired IS NULL;
CREATE INDEX lineage_due ON lineage(due, id) WHERE due IS NOT NULL;
CREATE INDEX lineage_listed ON lineage(name_folded, id);
CREATE INDEX lineage_issuer ON lineage(issuer);
CREATE INDEX lineage_current ON lineage(current);

CREATE TABLE csr (
    id TEXT NOT NULL,
    key BLOB NOT NULL REFERENCES key(id),
    friendly_name TEXT NOT NULL,
    der BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    state TEXT NOT NULL,
    lineage TEXT REFERENCES lineage(id),
    created INTEGER NOT NULL,
    search TEXT NOT NULL,
    CONSTRAINT "csr.id" PRIMARY KEY (id)
) STRICT;
CREATE INDEX csr_key ON csr(key);
CREATE INDEX csr_lineage ON csr(lineage);
CREATE INDEX csr_listed ON csr(created, id);
CREATE INDEX csr_waiting ON csr(key) WHERE state = 'waiting';

CREATE TABLE "order" (
    id TEXT NOT NULL,
    lineage TEXT NOT NULL REFERENCES lineage(id),
    issuer TEXT NOT NULL REFERENCES issuer(id),
    key BLOB NOT NULL REFERENCES key(id),
    csr TEXT NOT NULL REFERENCES csr(id),
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    intent BLOB,
    certificate BLOB REFERENCES certificate(fingerprint),
    created INTEGER NOT NULL,
    CONSTRAINT "order.id" PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX "order.lineage" ON "order"(lineage) WHERE state IN ('pending', 'ready', 'processing');
CREATE INDEX order_lineage ON "order"(lineage, created);
CREATE INDEX order_csr ON "order"(csr);
CREATE INDEX order_key ON "order"(key);

-- `settings` are those that anybody may see; the secret ones are in `sealed`.
CREATE TABLE target (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    settings TEXT NOT NULL,
    sealed BLOB,
    addresses TEXT NOT NULL,
    created INTEGER NOT NULL,
    CONSTRAINT "target.id" PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX "target.label" ON target(label);

CREATE TABLE lineage_target (
    lineage TEXT NOT NULL REFERENCES lineage(id),
    target TEXT NOT NULL REFERENCES target(id),
    CONSTRAINT "lineage_target.lineage" PRIMARY KEY (lineage, target)
) STRICT;
CREATE INDEX lineage_target_target ON lineage_target(target);

CREATE TABLE deployment (
    id TEXT NOT NULL,
    lineage TEXT NOT NULL REFERENCES lineage(id),
    target TEXT NOT NULL REFERENCES target(id),
    certificate BLOB NOT NULL REFERENCES certificate(fingerprint),
    state TEXT NOT NULL,
    trouble TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    CONSTRAINT "deployment.id" PRIMARY KEY (id)
) STRICT;
CREATE INDEX deployment_lineage ON deployment(lineage, target, created);
CREATE INDEX deployment_target ON deployment(target);
CREATE INDEX deployment_listed ON deployment(created, id);

-- `certificate` may be a stranger's: it is what was seen from outside.
CREATE TABLE endpoint (
    target TEXT NOT NULL REFERENCES target(id),
    lineage TEXT NOT NULL REFERENCES lineage(id),
    address TEXT NOT NULL,
    name TEXT NOT NULL,
    certificate BLOB,
    trouble TEXT NOT NULL,
    at INTEGER NOT NULL,
    CONSTRAINT "endpoint.target" PRIMARY KEY (target, lineage, address, name)
) STRICT;
CREATE INDEX endpoint_lineage ON endpoint(lineage);

-- `ready` is when a job may be claimed: its due time while it waits, the end of its lease while it runs.
CREATE TABLE job (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    due INTEGER NOT NULL,
    ready INTEGER,
    attempts INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    progress TEXT NOT NULL,
    trouble TEXT NOT NULL,
    actor TEXT NOT NULL,
    created INTEGER NOT NULL,
    ended INTEGER,
    CONSTRAINT "job.id" PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX "job.kind" ON job(kind, subject) WHERE state IN ('waiting', 'running');
CREATE INDEX job_ready ON job(ready, id) WHERE ready IS NOT NULL;
CREATE INDEX job_listed ON job(created, id);
CREATE INDEX job_ended ON job(ended) WHERE ended IS NOT NULL;

CREATE TABLE "user" (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    password TEXT NOT NULL,
    roles TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL,
    CONSTRAINT "user.id" PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX "user.name" ON "user"(name);

-- Wrong passwords since the last right one, by name, whether there is such a user or not.
CREATE TABLE login_attempt (
    name TEXT NOT NULL,
    wrong INTEGER NOT NULL,
    last_wrong INTEGER,
    CONSTRAINT "login_attempt.name" PRIMARY KEY (name)
) STRICT;

-- `id` is the hash of the secret in the cookie.
CREATE TABLE session (
    id BLOB NOT NULL,
    user_id TEXT NOT NULL REFERENCES "user"(id),
    csrf TEXT NOT NULL,
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    CONSTRAINT "session.id" PRIMARY KEY (id)
) STRICT;
CREATE INDEX session_of_user ON session(user_id);

CREATE TABLE api_key (
    id TEXT NOT NULL,
    label TEXT NOT NULL,
    roles TEXT NOT NULL,
    secret BLOB NOT NULL,
    created_by TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    last_used INTEGER,
    CONSTRAINT "api_key.id" PRIMARY KEY (id)
) STRICT;

CREATE TABLE setting (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT "setting.name" PRIMARY KEY (name)
) STRICT;

CREATE TABLE idempotency (
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    request BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    CONSTRAINT "idempotency.actor" PRIMARY KEY (actor, key)
) STRICT;
CREATE INDEX idempotency_at ON idempotency(at);

CREATE TABLE audit_event (
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    outcome TEXT NOT NULL,
    code TEXT NOT NULL,
    fields TEXT NOT NULL,
    mac BLOB NOT NULL,
    CONSTRAINT "audit_event.seq" PRIMARY KEY (seq)
) STRICT;
CREATE INDEX audit_event_actor ON audit_event(actor, seq);
CREATE INDEX audit_event_object ON audit_event(object, seq);

-- One row: the number and the MAC of the last event.
CREATE TABLE audit_head (
    id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    mac BLOB NOT NULL,
    CONSTRAINT "audit_head.id" PRIMARY KEY (id)
) STRICT;
