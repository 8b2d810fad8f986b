-- The first schema. The same tables as in sqlite.sql. Text compares by its bytes, as on SQLite.
-- Unique constraints are named `table.column`, as SQLite itself reports them.

CREATE TABLE token (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    wrong_pins BIGINT NOT NULL,
    last_wrong BIGINT,
    locked BOOLEAN NOT NULL,
    CONSTRAINT "token.id" PRIMARY KEY (id)
);

CREATE TABLE key_slot (
    token TEXT COLLATE "C" NOT NULL REFERENCES token(id),
    kind TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
    parameters TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    CONSTRAINT "key_slot.token" PRIMARY KEY (token, kind)
);

-- `sealed` is the private key; it is gone once the key is destroyed.
CREATE TABLE key (
    id BYTEA NOT NULL,
    token TEXT COLLATE "C" NOT NULL REFERENCES token(id),
    label TEXT COLLATE "C" NOT NULL,
    label_folded TEXT COLLATE "C" NOT NULL,
    usage TEXT COLLATE "C",
    algorithm TEXT COLLATE "C" NOT NULL,
    spki BYTEA NOT NULL,
    exportable TEXT COLLATE "C" NOT NULL,
    born TEXT COLLATE "C" NOT NULL,
    durability TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    retired BIGINT,
    exported BIGINT,
    sealed BYTEA,
    search TEXT COLLATE "C" NOT NULL,
    CONSTRAINT "key.id" PRIMARY KEY (id)
);
CREATE UNIQUE INDEX "key.label" ON key(label) WHERE state <> 'destroyed';
CREATE INDEX key_listed ON key(label_folded, id);
CREATE INDEX key_token ON key(token);
CREATE INDEX key_retired ON key(retired) WHERE state = 'retired';
CREATE INDEX key_not_backed_up ON key(created) WHERE durability = 'this_node_only';

CREATE TABLE certificate (
    fingerprint BYTEA NOT NULL,
    key BYTEA NOT NULL,
    der BYTEA NOT NULL,
    friendly_name TEXT COLLATE "C" NOT NULL,
    friendly_folded TEXT COLLATE "C" NOT NULL,
    subject BYTEA NOT NULL,
    issuer BYTEA NOT NULL,
    serial TEXT COLLATE "C" NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    names TEXT COLLATE "C" NOT NULL,
    is_ca BOOLEAN NOT NULL,
    self_signed BOOLEAN NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    lineage TEXT COLLATE "C",
    has_key BOOLEAN NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    search TEXT COLLATE "C" NOT NULL,
    CONSTRAINT "certificate.fingerprint" PRIMARY KEY (fingerprint)
);
CREATE INDEX certificate_key ON certificate(key);
CREATE INDEX certificate_subject ON certificate(subject);
CREATE INDEX certificate_issuer ON certificate(issuer);
CREATE INDEX certificate_lineage ON certificate(lineage);
CREATE INDEX certificate_ends ON certificate(not_after, fingerprint);
CREATE INDEX certificate_named ON certificate(friendly_folded, fingerprint);
CREATE INDEX certificate_authority ON certificate(fingerprint) WHERE is_ca;

CREATE TABLE issuer (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    withdrawn BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    root BYTEA REFERENCES certificate(fingerprint),
    intermediate BYTEA REFERENCES certificate(fingerprint),
    authority_key BYTEA REFERENCES key(id),
    CONSTRAINT "issuer.id" PRIMARY KEY (id)
);

CREATE TABLE profile (
    id TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    usage TEXT COLLATE "C" NOT NULL,
    client_auth BOOLEAN NOT NULL,
    lifetime BIGINT NOT NULL,
    lifetime_max BIGINT NOT NULL,
    algorithms TEXT COLLATE "C" NOT NULL,
    CONSTRAINT "profile.id" PRIMARY KEY (id)
);

-- A retired lineage keeps its row for the history of its certificates; its name is free again.
CREATE TABLE lineage (
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    subject BYTEA NOT NULL,
    names TEXT COLLATE "C" NOT NULL,
    usage TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    token TEXT COLLATE "C" NOT NULL REFERENCES token(id),
    algorithm TEXT COLLATE "C" NOT NULL,
    at_renewal TEXT COLLATE "C" NOT NULL,
    exportable TEXT COLLATE "C" NOT NULL,
    issuer TEXT COLLATE "C" NOT NULL REFERENCES issuer(id),
    profile TEXT COLLATE "C" NOT NULL REFERENCES profile(id),
    lifetime BIGINT,
    backend TEXT COLLATE "C",
    proxy_protocol BOOLEAN NOT NULL,
    current BYTEA REFERENCES certificate(fingerprint),
    due BIGINT,
    failures BIGINT NOT NULL,
    trouble TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    version BIGINT NOT NULL,
    retired BIGINT,
    search TEXT COLLATE "C" NOT NULL,
    CONSTRAINT "lineage.id" PRIMARY KEY (id)
);
CREATE UNIQUE INDEX "lineage.name" ON lineage(name) WHERE retired IS NULL;
CREATE INDEX lineage_due ON lineage(due, id) WHERE due IS NOT NULL;
CREATE INDEX lineage_listed ON lineage(name_folded, id);
CREATE INDEX lineage_issuer ON lineage(issuer);
CREATE INDEX lineage_current ON lineage(current);
ALTER TABLE certificate ADD CONSTRAINT certificate_lineage_fkey FOREIGN KEY (lineage) REFERENCES lineage(id);

CREATE TABLE csr (
    id TEXT COLLATE "C" NOT NULL,
    key BYTEA NOT NULL REFERENCES key(id),
    friendly_name TEXT COLLATE "C" NOT NULL,
    der BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    lineage TEXT COLLATE "C" REFERENCES lineage(id),
    created BIGINT NOT NULL,
    search TEXT COLLATE "C" NOT NULL,
    CONSTRAINT "csr.id" PRIMARY KEY (id)
);
CREATE INDEX csr_key ON csr(key);
CREATE INDEX csr_lineage ON csr(lineage);
CREATE INDEX csr_listed ON csr(created, id);
CREATE INDEX csr_waiting ON csr(key) WHERE state = 'waiting';

CREATE TABLE "order" (
    id TEXT COLLATE "C" NOT NULL,
    lineage TEXT COLLATE "C" NOT NULL REFERENCES lineage(id),
    issuer TEXT COLLATE "C" NOT NULL REFERENCES issuer(id),
    key BYTEA NOT NULL REFERENCES key(id),
    csr TEXT COLLATE "C" NOT NULL REFERENCES csr(id),
    state TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    intent BYTEA,
    certificate BYTEA REFERENCES certificate(fingerprint),
    created BIGINT NOT NULL,
    CONSTRAINT "order.id" PRIMARY KEY (id)
);
CREATE UNIQUE INDEX "order.lineage" ON "order"(lineage) WHERE state IN ('pending', 'ready', 'processing');
CREATE INDEX order_lineage ON "order"(lineage, created);
CREATE INDEX order_csr ON "order"(csr);
CREATE INDEX order_key ON "order"(key);

-- `settings` are those that anybody may see; the secret ones are in `sealed`.
CREATE TABLE target (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    settings TEXT COLLATE "C" NOT NULL,
    sealed BYTEA,
    addresses TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    CONSTRAINT "target.id" PRIMARY KEY (id)
);
CREATE UNIQUE INDEX "target.label" ON target(label);

CREATE TABLE lineage_target (
    lineage TEXT COLLATE "C" NOT NULL REFERENCES lineage(id),
    target TEXT COLLATE "C" NOT NULL REFERENCES target(id),
    CONSTRAINT "lineage_target.lineage" PRIMARY KEY (lineage, target)
);
CREATE INDEX lineage_target_target ON lineage_target(target);

CREATE TABLE deployment (
    id TEXT COLLATE "C" NOT NULL,
    lineage TEXT COLLATE "C" NOT NULL REFERENCES lineage(id),
    target TEXT COLLATE "C" NOT NULL REFERENCES target(id),
    certificate BYTEA NOT NULL REFERENCES certificate(fingerprint),
    state TEXT COLLATE "C" NOT NULL,
    trouble TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    CONSTRAINT "deployment.id" PRIMARY KEY (id)
);
CREATE INDEX deployment_lineage ON deployment(lineage, target, created);
CREATE INDEX deployment_target ON deployment(target);
CREATE INDEX deployment_listed ON deployment(created, id);

-- `certificate` may be a stranger's: it is what was seen from outside.
CREATE TABLE endpoint (
    target TEXT COLLATE "C" NOT NULL REFERENCES target(id),
    lineage TEXT COLLATE "C" NOT NULL REFERENCES lineage(id),
    address TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    certificate BYTEA,
    trouble TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT "endpoint.target" PRIMARY KEY (target, lineage, address, name)
);
CREATE INDEX endpoint_lineage ON endpoint(lineage);

-- `ready` is when a job may be claimed: its due time while it waits, the end of its lease while it runs.
CREATE TABLE job (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    due BIGINT NOT NULL,
    ready BIGINT,
    attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    progress TEXT COLLATE "C" NOT NULL,
    trouble TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    ended BIGINT,
    CONSTRAINT "job.id" PRIMARY KEY (id)
);
CREATE UNIQUE INDEX "job.kind" ON job(kind, subject) WHERE state IN ('waiting', 'running');
CREATE INDEX job_ready ON job(ready, id) WHERE ready IS NOT NULL;
CREATE INDEX job_listed ON job(created, id);
CREATE INDEX job_ended ON job(ended) WHERE ended IS NOT NULL;

CREATE TABLE "user" (
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    password TEXT COLLATE "C" NOT NULL,
    roles TEXT COLLATE "C" NOT NULL,
    disabled BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    CONSTRAINT "user.id" PRIMARY KEY (id)
);
CREATE UNIQUE INDEX "user.name" ON "user"(name);

-- Wrong passwords since the last right one, by name, whether there is such a user or not.
CREATE TABLE login_attempt (
    name TEXT COLLATE "C" NOT NULL,
    wrong BIGINT NOT NULL,
    last_wrong BIGINT,
    CONSTRAINT "login_attempt.name" PRIMARY KEY (name)
);

-- `id` is the hash of the secret in the cookie.
CREATE TABLE session (
    id BYTEA NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES "user"(id),
    csrf TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    CONSTRAINT "session.id" PRIMARY KEY (id)
);
CREATE INDEX session_of_user ON session(user_id);

CREATE TABLE api_key (
    id TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    roles TEXT COLLATE "C" NOT NULL,
    secret BYTEA NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    last_used BIGINT,
    CONSTRAINT "api_key.id" PRIMARY KEY (id)
);

CREATE TABLE setting (
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    CONSTRAINT "setting.name" PRIMARY KEY (name)
);

CREATE TABLE idempotency (
    actor TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    request BYTEA NOT NULL,
    status BIGINT NOT NULL,
    body BYTEA NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT "idempotency.actor" PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_at ON idempotency(at);

CREATE TABLE audit_event (
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    fields TEXT COLLATE "C" NOT NULL,
    mac BYTEA NOT NULL,
    CONSTRAINT "audit_event.seq" PRIMARY KEY (seq)
);
CREATE INDEX audit_event_actor ON audit_event(actor, seq);
CREATE INDEX audit_event_object ON audit_event(object, seq);

-- One row: the number and the MAC of the last event.
CREATE TABLE audit_head (
    id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    CONSTRAINT "audit_head.id" PRIMARY KEY (id)
);
