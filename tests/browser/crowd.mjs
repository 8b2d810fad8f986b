// A server with very much in it: ten thousand of everything, and names that people with bad intentions would choose.
// One certificate, key, lineage and so on is made by the API; the others are copies of its rows with their own names,
// so that this takes seconds. Nobody verifies their audit events: their chain is not one.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, createPrivateKey, randomBytes, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const MANY = 10_000;
const DAY = 86_400_000;
/** The word that every hostile name holds, to look for. */
export const WORD = "hostile";

const HOSTILE = [
  `<script>alert("${WORD}")</script><img src=x onerror=alert(1)>`,
  `=HYPERLINK("http://evil.example/?${WORD}","click")`,
  `+1+cmd|' /C calc'!A0 ${WORD}`,
  `@SUM(1+1) ${WORD}`,
  `\u202e${WORD} moc.elpmaxe\u202c`,
  `\u001b[31m${WORD} red\u001b[0m\u0007`,
  `${WORD} مرحبا עולם 例え テスト 🔑`,
  `"><svg/onload=alert(1)> ${WORD} '; DROP TABLE key;--`,
  `${WORD} ${"W".repeat(200 - WORD.length - 1)}`,
  `${WORD} {{7*7}} \${7*7} %s%n &amp;&lt;`,
];

const text = (value) => `'${value.replaceAll("'", "''")}'`;
const hash = (bytes) => createHash("sha256").update(bytes).digest();
const blob = (bytes) => `x'${bytes.toString("hex")}'`;

function api(server, page) {
  const key = readFileSync(join(server.home, "key"), "utf8").trim();
  return async (method, path, data) => {
    const answer = await page.request.fetch(`/api/v1${path}`, { method, data, headers: { authorization: `Bearer ${key}` } });
    const said = await answer.text();
    if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${said}`);
    return said ? JSON.parse(said) : null;
  };
}

function query(server, sql) {
  const run = spawnSync("sqlite3", ["-json", join(server.home, "data", "claviger.db")],
    { input: `.timeout 10000\n${sql}`, encoding: "utf8", maxBuffer: 1 << 28 });
  if (run.status !== 0 || run.stderr) throw new Error(run.stderr || `sqlite3 ended with ${run.status}`);
  return run.stdout.trim() ? JSON.parse(run.stdout) : [];
}

/** The one of each that the others are copied from. */
async function original(server, page) {
  const call = api(server, page);
  const name = "site-00000.example.org";
  const made = await call("POST", "/csrs", { friendly_name: "crowd", names: [name], subject: [{ type: "CN", value: name }] });
  const file = (name) => join(server.home, name);
  const openssl = (...args) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "ignore"] });
  writeFileSync(file("crowd.csr"), made.csr.pem);
  openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "3650", "-subj", "/O=Outside/CN=Outside CA",
    "-keyout", file("crowd-ca.key"), "-out", file("crowd-ca.pem"));
  openssl("x509", "-req", "-in", file("crowd.csr"), "-CA", file("crowd-ca.pem"), "-CAkey", file("crowd-ca.key"),
    "-set_serial", "0x0100000000000000000000000000000001", "-days", "365", "-copy_extensions", "copyall", "-out", file("crowd.pem"));
  const files = ["crowd.pem", "crowd-ca.pem"].map((name) => readFileSync(file(name), "utf8"));
  const imported = await call("POST", "/certificates", { files, friendly_name: "crowd" });
  const target = await call("POST", "/targets", { label: "crowd", kind: "files", settings: { directory: "/srv/tls" }, addresses: [] });
  await call("POST", "/issuers", { id: "crowd", label: "crowd", kind: "manual" });
  await call("POST", "/api-keys", ["XROAD_SECURITYSERVER_OBSERVER"]);
  query(server, "UPDATE api_key SET label = 'crowd' WHERE created = (SELECT max(created) FROM api_key);");
  await call("POST", "/users", { name: "crowd", password: "nobody will ever know", roles: ["XROAD_SECURITYSERVER_OBSERVER"] });
  const der = Buffer.from(files[0].replace(/-----[^-]+-----|\s/g, ""), "base64");
  return {
    der, target: target.id, csr: made.csr.id, key: made.csr.key, hash: imported.certificates[0].hash,
    lineage: imported.became_current[0], signer: createPrivateKey(readFileSync(file("crowd-ca.key"))),
  };
}

/** The same certificate for another site, with another end: names, serial number and dates have the same length. */
function certificateOf(one, number, days) {
  const der = Buffer.from(one.der);
  const digits = String(number).padStart(5, "0");
  for (let at = der.indexOf("site-00000"); at >= 0; at = der.indexOf("site-00000")) der.write(`site-${digits}`, at);
  der.writeUInt32BE(number, der.indexOf(Buffer.from("0100000000000000", "hex")) + 4);
  const ends = Date.now() + days * DAY;
  const stamp = (time) => new Date(time).toISOString().replace(/[-:T]/g, "").slice(2, 14);
  // In the original: a serial number that was put in may hold the same two octets.
  const validity = one.der.indexOf(Buffer.from([0x17, 13]));
  der.write(stamp(ends - 390 * DAY), validity + 2);
  der.write(stamp(ends), validity + 15 + 2);
  const tbs = der.subarray(4, 8 + der.readUInt16BE(6));
  sign(null, tbs, one.signer).copy(der, der.length - 64);
  return { der, digits, hash: hash(der), ends: Math.floor(ends / 1000) * 1000 };
}

/** Copies a row once for each line of the table `crowd`, with some columns replaced. */
function copies(table, columns, from, replaced) {
  const values = columns.map((column) => replaced[column] ?? `t."${column}"`);
  const into = columns.map((column) => `"${column}"`).join(", ");
  return `INSERT INTO "${table}" (${into}) SELECT ${values.join(", ")} FROM crowd, "${table}" t WHERE t.${from} ORDER BY n;`;
}

/** What is the same in the rows of every table, a line for each number. */
function line(one, number) {
  const label = HOSTILE[number - 1] ?? `site ${String(number).padStart(5, "0")} ${randomBytes(3).toString("hex")}`;
  const days = number % 97 === 0 ? -(number % 40) : 3 + ((number * 7) % 400);
  const site = certificateOf(one, number, days);
  const user = `${label.replace(/[^a-z0-9._-]/g, "").slice(0, 50)}.${number}`;
  const due = Math.max(site.ends - 30 * DAY, Date.now() + 2 * DAY);
  return `(${number}, ${text(label)}, ${text(label.toLowerCase())}, ${text(user)}, ${blob(site.der)}, ${blob(site.hash)}, '${site.digits}', ${site.ends}, ${due}, ${blob(hash(`key ${number}`))})`;
}

function inserts(one, columns) {
  const of = (table, from, replaced) => copies(table, columns[table], from, replaced);
  const named = (column) => `replace(t.${column}, 'site-00000', 'site-' || digits)`;
  const now = Date.now();
  return [
    of("lineage", `id = ${text(one.lineage)}`, {
      id: "'lin-crowd-' || n", name: "label", name_folded: "folded", names: named("names"), current: "hash", due: "crowd.due",
      owner: "CASE WHEN n % 3 THEN '' ELSE label END", search: "folded", trouble: "CASE WHEN n % 50 THEN '' ELSE 'The CA was away: ' || label END",
    }),
    of("certificate", `fingerprint = ${blob(Buffer.from(one.hash, "hex"))}`, {
      fingerprint: "hash", key: "of_key", der: "crowd.der", friendly_name: "label", friendly_folded: "folded", subject: "CAST('crowd ' || n AS BLOB)",
      serial: "CAST(n AS TEXT)", not_after: "ends", names: named("names"), search: `folded || char(10) || ${named("search")}`,
      lineage: "'lin-crowd-' || n", state: "'issued'",
    }),
    of("key", `id = x'${one.key}'`, { id: "of_key", label: "crowd.label", label_folded: "folded", search: "folded" }),
    of("csr", `id = ${text(one.csr)}`, {
      id: "'csr-crowd-' || n", friendly_name: "label", search: "folded", state: "CASE WHEN n % 400 THEN 'fulfilled' ELSE 'waiting' END",
      fingerprint: "randomblob(32)", created: "t.created - n",
    }),
    of("user", "name = 'crowd'", { id: "'usr-crowd-' || n", name: "user" }),
    of("api_key", "label = 'crowd'", { id: "'crowd-' || n", label: "crowd.label", created_by: "'user:' || crowd.label" }),
    of("target", `id = ${text(one.target)}`, { id: "'tgt-crowd-' || n", label: "crowd.label" }),
    of("issuer", "id = 'crowd'", { id: "'crowd-' || n", label: "crowd.label" }),
    of("audit_event", "seq = 1", {
      seq: "(SELECT seq FROM audit_head) + n", actor: "'user:' || label", object: "substr(label, 1, 100)", fields: "'label=' || label",
    }),
    "UPDATE audit_head SET (seq, mac) = (SELECT seq, mac FROM audit_event ORDER BY seq DESC LIMIT 1);",
    `INSERT INTO job (id, kind, subject, state, due, ready, attempts, fence, progress, trouble, actor, created, ended)
     SELECT 'job-crowd-' || n, 'lineage.renew', 'lin-crowd-' || n, CASE WHEN n % 2500 THEN 'done' ELSE 'running' END, 0,
     CASE WHEN n % 2500 THEN NULL ELSE ${now + 30 * DAY} END, 1, 1, label, '', 'user:' || label, ${now} - n,
     CASE WHEN n % 2500 THEN ${now} ELSE NULL END FROM crowd;`,
  ];
}

/** Fills the server; answers the addresses of one of each kind. */
export async function crowd(server, page, count = MANY) {
  const one = await original(server, page);
  const tables = ["certificate", "lineage", "key", "csr", "user", "api_key", "target", "issuer", "audit_event"];
  const columns = Object.fromEntries(tables.map((table) => [table, query(server, `PRAGMA table_info("${table}");`).map((row) => row.name)]));
  const lines = Array.from({ length: count }, (_, index) => line(one, index + 1));
  const sql = ["CREATE TEMP TABLE crowd (n, label, folded, user, der, hash, digits, ends, due, of_key);", "PRAGMA foreign_keys = OFF;", "BEGIN IMMEDIATE;"];
  while (lines.length > 0) sql.push(`INSERT INTO crowd VALUES ${lines.splice(0, 500).join(",")};`);
  query(server, [...sql, ...inserts(one, columns), "COMMIT;"].join("\n"));
  return { lineage: `/lineages/${one.lineage}`, certificate: `/certificates/${one.hash}`, key: `/keys/${one.key}` };
}
