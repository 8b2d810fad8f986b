//! Lineages and the targets that they are bound to. A retired lineage is seen by no function here.

use domain::Moment;
use domain::id::{IssuerId, LineageId, ProfileId, TargetId, TokenId};
use domain::lineage::{Backend, KeyRule, Lineage};
use pki::{DistinguishedName, Fingerprint, KeyId, SubjectAltName};

use crate::select::{self, SEARCH, Select, searchable};
use crate::tx::Row;
use crate::{Error, Page, Tx, text};

/// Which lineages are listed. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineageFilter {
    /// With this in the name, owner, subject or alternative names, without regard to case.
    pub text: Option<String>,
    /// From this issuer.
    pub issuer: Option<IssuerId>,
    /// Of this environment.
    pub environment: Option<String>,
    /// Due before this moment.
    pub due_before: Option<Moment>,
    /// Whether only those in trouble are listed.
    pub trouble_only: bool,
}

/// Everything up to WHERE. The targets are joined in the query, so that a page of lineages is one query.
fn query(tx: &Tx<'_>) -> String {
    format!(
        "SELECT id, name, subject, names, usage, owner, environment, token, algorithm, at_renewal, exportable, issuer,
         profile, lifetime, backend, proxy_protocol, current, due, failures, trouble, created, version,
         COALESCE((SELECT {} FROM lineage_target WHERE lineage_target.lineage = lineage.id), '') AS targets
         FROM lineage",
        tx.lines_of("lineage_target.target")
    )
}

/// Stores a new lineage with its targets. [`Error::Conflict`] is of `lineage.name` or `lineage.id`.
pub fn insert(tx: &Tx<'_>, lineage: &Lineage) -> Result<(), Error> {
    write(
        tx,
        "INSERT INTO lineage (id, version, name, name_folded, subject, names, usage, owner, environment, token,
         algorithm, at_renewal, exportable, issuer, profile, lifetime, backend, proxy_protocol, current, due, failures,
         trouble, search, created, retired)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
         $23, $24, NULL)",
        lineage,
    )?;
    lineage.targets.iter().try_for_each(|target| bind(tx, &lineage.id, target))
}

/// Runs a statement with everything that a row of a lineage holds: `$1` its id, `$2` its version, then each column.
fn write(tx: &Tx<'_>, sql: &str, lineage: &Lineage) -> Result<u64, Error> {
    let backend = lineage.backend.as_ref();
    tx.exec(
        sql,
        &[
            &lineage.id.as_str(),
            &lineage.version,
            &lineage.name,
            &lineage.name.to_lowercase(),
            &lineage.subject.der(),
            &text::names(&lineage.names),
            &lineage.usage.name(),
            &lineage.owner,
            &lineage.environment,
            &lineage.key_rule.token.as_str(),
            &lineage.key_rule.algorithm.name(),
            &lineage.key_rule.at_renewal.name(),
            &lineage.key_rule.exportable.name(),
            &lineage.issuer.as_str(),
            &lineage.profile.as_str(),
            &lineage.lifetime,
            &backend.map(|backend| backend.address.as_str()),
            &backend.is_some_and(|backend| backend.proxy_protocol),
            &lineage.current.as_ref().map(|current| current.0.as_slice()),
            &lineage.due.map(|due| due.0),
            &i64::from(lineage.failures),
            &lineage.trouble,
            &search_text(lineage),
            &lineage.created.0,
        ],
    )
}

fn search_text(lineage: &Lineage) -> String {
    let names: Vec<String> = lineage.names.iter().map(ToString::to_string).collect();
    searchable(&[&lineage.name, &lineage.owner, &lineage.subject.to_string(), &names.join("\n")])
}

/// One lineage.
pub fn find(tx: &Tx<'_>, id: &LineageId) -> Result<Option<Lineage>, Error> {
    tx.one(&format!("{} WHERE id = $1 AND retired IS NULL", query(tx)), &[&id.as_str()], read)
}

/// Whether nobody changed the lineage since it was read, nor its targets. Cheaper than to read it again.
pub fn is_as_read(tx: &Tx<'_>, lineage: &Lineage) -> Result<bool, Error> {
    let sql = format!(
        "SELECT version FROM lineage WHERE id = $1 AND version = $2 AND retired IS NULL{}",
        tx.for_update()
    );
    let version = tx.one(&sql, &[&lineage.id.as_str(), &lineage.version], |row| row.at::<i64>("version"))?;
    Ok(version.is_some())
}

/// The lineage of this name.
pub fn by_name(tx: &Tx<'_>, name: &str) -> Result<Option<Lineage>, Error> {
    tx.one(&format!("{} WHERE name = $1 AND retired IS NULL", query(tx)), &[&name], read)
}

/// The lineage whose current certificate this is.
pub fn of_current(tx: &Tx<'_>, certificate: &Fingerprint) -> Result<Option<Lineage>, Error> {
    let sql = format!("{} WHERE current = $1 AND retired IS NULL ORDER BY id", query(tx));
    tx.one(&sql, &[&certificate.0.as_slice()], read)
}

/// Lineages by name. The next page begins after [`cursor`] of the last one.
pub fn list(tx: &Tx<'_>, filter: &LineageFilter, page: &Page) -> Result<Vec<Lineage>, Error> {
    let mut select = Select::new(query(tx));
    select.only("retired IS NULL");
    select.maybe("issuer = {}", filter.issuer.as_ref().map(IssuerId::as_str));
    select.maybe("environment = {}", filter.environment.as_deref());
    select.maybe("due < {}", filter.due_before.map(|before| before.0));
    if filter.trouble_only {
        select.only("trouble <> ''");
    }
    select.search(SEARCH, filter.text.as_deref());
    if let Some(after) = &page.after {
        let (id, name) = select::read_cursor(after)?;
        select.after("(name_folded, id) > ({1}, {2})", name.to_owned(), id.to_owned());
    }
    select.rows(tx, "name_folded, id", page.limit, read)
}

/// Where the list continues after this lineage.
pub fn cursor(lineage: &Lineage) -> String {
    select::cursor(lineage.id.as_str(), lineage.name.to_lowercase())
}

/// Lineages that are due, the longest due first, after the due moment and id of the last one that was seen.
/// Costs as much as there is due, not as there is.
pub fn due(tx: &Tx<'_>, now: Moment, after: (Moment, &LineageId), limit: u32) -> Result<Vec<Lineage>, Error> {
    let sql = format!("{} WHERE due <= $1 AND (due, id) > ($2, $3) ORDER BY due, id LIMIT $4", query(tx));
    tx.rows(&sql, &[&now.0, &after.0.0, &after.1.as_str(), &i64::from(limit)], read)
}

/// Stores a changed lineage with its targets if nobody changed it since it was read; answers whether it did. The
/// version grows by one.
pub fn update(tx: &Tx<'_>, lineage: &Lineage) -> Result<bool, Error> {
    let changed = write(
        tx,
        "UPDATE lineage SET name = $3, name_folded = $4, subject = $5, names = $6, usage = $7, owner = $8,
         environment = $9, token = $10, algorithm = $11, at_renewal = $12, exportable = $13, issuer = $14,
         profile = $15, lifetime = $16, backend = $17, proxy_protocol = $18, current = $19, due = $20, failures = $21,
         trouble = $22, search = $23, created = $24, version = version + 1
         WHERE id = $1 AND version = $2 AND retired IS NULL",
        lineage,
    )?;
    if changed == 0 {
        return Ok(false);
    }
    tx.exec("DELETE FROM lineage_target WHERE lineage = $1", &[&lineage.id.as_str()])?;
    lineage.targets.iter().try_for_each(|target| bind(tx, &lineage.id, target))?;
    Ok(true)
}

/// Says which certificate is current now and when it is due; what was wrong is over.
pub fn set_current(
    tx: &Tx<'_>,
    id: &LineageId,
    certificate: &Fingerprint,
    due: Option<Moment>,
) -> Result<(), Error> {
    tx.update(
        "lineage",
        "UPDATE lineage SET current = $2, due = $3, failures = 0, trouble = '', version = version + 1
         WHERE id = $1 AND retired IS NULL",
        &[&id.as_str(), &certificate.0.as_slice(), &due.map(|due| due.0)],
    )
}

/// Says when the lineage is due.
pub fn set_due(tx: &Tx<'_>, id: &LineageId, due: Option<Moment>) -> Result<(), Error> {
    tx.update(
        "lineage",
        "UPDATE lineage SET due = $2, version = version + 1 WHERE id = $1 AND retired IS NULL",
        &[&id.as_str(), &due.map(|due| due.0)],
    )
}

/// Takes the due time of a lineage that is still due, for a job that carries it from here; false when somebody came
/// between. The row is held until the end of the transaction.
pub fn take_due(tx: &Tx<'_>, id: &LineageId, now: Moment) -> Result<bool, Error> {
    let sql = "UPDATE lineage SET due = NULL, version = version + 1
         WHERE id = $1 AND due <= $2 AND retired IS NULL";
    Ok(tx.exec(sql, &[&id.as_str(), &now.0])? > 0)
}

/// Lineages that nothing will renew: no due time, no renewal that waits or runs, no active order.
pub fn adrift(tx: &Tx<'_>, limit: u32) -> Result<Vec<Lineage>, Error> {
    let sql = format!(
        "{} WHERE due IS NULL AND retired IS NULL
         AND NOT EXISTS (SELECT 1 FROM job WHERE subject = lineage.id AND kind IN ('lineage.renew', 'lineage.rekey')
             AND state IN ('waiting', 'running'))
         AND NOT EXISTS (SELECT 1 FROM \"order\" WHERE \"order\".lineage = lineage.id
             AND \"order\".state IN ('pending', 'ready', 'processing'))
         ORDER BY id LIMIT $1",
        query(tx)
    );
    tx.rows(&sql, &[&i64::from(limit)], read)
}

/// Holds the lineage until the end of the transaction, so that what is decided about it stays true; false when there is
/// none.
pub fn hold(tx: &Tx<'_>, id: &LineageId) -> Result<bool, Error> {
    let sql = format!("SELECT id FROM lineage WHERE id = $1 AND retired IS NULL{}", tx.for_update());
    Ok(tx.one(&sql, &[&id.as_str()], |row| row.at::<String>("id"))?.is_some())
}

/// Says what is wrong, and how often in a row.
pub fn set_trouble(tx: &Tx<'_>, id: &LineageId, failures: u32, trouble: &str) -> Result<(), Error> {
    tx.update(
        "lineage",
        "UPDATE lineage SET failures = $2, trouble = $3, version = version + 1 WHERE id = $1 AND retired IS NULL",
        &[&id.as_str(), &i64::from(failures), &text::storable(trouble)],
    )
}

/// Binds the lineage to a target; once is enough.
fn bind(tx: &Tx<'_>, id: &LineageId, target: &TargetId) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO lineage_target (lineage, target) VALUES ($1, $2) ON CONFLICT (lineage, target) DO NOTHING",
        &[&id.as_str(), &target.as_str()],
    )?;
    Ok(())
}

/// Every lineage bound to a target, by name.
pub fn of_target(tx: &Tx<'_>, target: &TargetId) -> Result<Vec<Lineage>, Error> {
    let sql = format!(
        "{} WHERE id IN (SELECT lineage FROM lineage_target WHERE target = $1) AND retired IS NULL
         ORDER BY name_folded, id",
        query(tx)
    );
    tx.rows(&sql, &[&target.as_str()], read)
}

/// Lineages with a current certificate and a target other than this one, by id, after that of the last page.
pub fn with_targets_beside(
    tx: &Tx<'_>,
    target: &TargetId,
    after: &LineageId,
    limit: u32,
) -> Result<Vec<Lineage>, Error> {
    let sql = format!(
        "{} WHERE id > $1 AND retired IS NULL AND current IS NOT NULL
         AND id IN (SELECT lineage FROM lineage_target WHERE target <> $2) ORDER BY id LIMIT $3",
        query(tx)
    );
    tx.rows(&sql, &[&after.as_str(), &target.as_str(), &i64::from(limit)], read)
}

/// How many lineages an issuer has.
pub fn of_issuer_count(tx: &Tx<'_>, issuer: &IssuerId) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM lineage WHERE issuer = $1 AND retired IS NULL", &[&issuer.as_str()])
}

/// Takes the lineage out of sight and off its targets. Its certificates stay; its name is free again.
pub fn retire(tx: &Tx<'_>, id: &LineageId, at: Moment) -> Result<(), Error> {
    tx.exec("DELETE FROM lineage_target WHERE lineage = $1", &[&id.as_str()])?;
    tx.exec("DELETE FROM endpoint WHERE lineage = $1", &[&id.as_str()])?;
    tx.update(
        "lineage",
        "UPDATE lineage SET retired = $2, due = NULL, version = version + 1 WHERE id = $1 AND retired IS NULL",
        &[&id.as_str(), &at.0],
    )
}

/// How many there are.
pub fn count(tx: &Tx<'_>) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM lineage WHERE retired IS NULL", &[])
}

/// How many are in trouble.
pub fn trouble_count(tx: &Tx<'_>) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM lineage WHERE retired IS NULL AND trouble <> ''", &[])
}

/// What a target serves of one lineage.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedLineage {
    /// Which lineage.
    pub lineage: LineageId,
    /// Its current certificate.
    pub certificate: Fingerprint,
    /// The key of that certificate.
    pub key: KeyId,
    /// Where the edge passes the bytes.
    pub backend: Option<Backend>,
}

/// Everything that a target serves now: the current certificates, with a TLS key that is not destroyed, of the lineages
/// bound to it, by lineage id. Says which, not what is in them: who follows it mostly knows already.
pub fn served(tx: &Tx<'_>, target: &TargetId) -> Result<Vec<ServedLineage>, Error> {
    tx.rows(
        "SELECT l.id AS id, l.backend AS backend, l.proxy_protocol AS proxy_protocol, l.current AS current,
         c.key AS key
         FROM lineage_target t
         JOIN lineage l ON l.id = t.lineage AND l.retired IS NULL
         JOIN certificate c ON c.fingerprint = l.current
         JOIN key k ON k.id = c.key AND k.sealed IS NOT NULL AND (k.usage IS NULL OR k.usage = 'tls')
         WHERE t.target = $1 ORDER BY l.id",
        &[&target.as_str()],
        |row| {
            Ok(ServedLineage {
                lineage: LineageId::of(row.text("id")?),
                certificate: Fingerprint(row.hash("lineage", "current")?),
                key: KeyId(row.hash("certificate", "key")?),
                backend: read_backend(row)?,
            })
        },
    )
}

fn read(row: &Row<'_>) -> Result<Lineage, Error> {
    let subject: Vec<u8> = row.at("subject")?;
    let subject = DistinguishedName::from_der(&subject)
        .map_err(|_| Error::Corrupt { table: "lineage", column: "subject" })?;
    let mut targets: Vec<TargetId> = row.text("targets")?.lines().map(TargetId::of).collect();
    targets.sort();
    Ok(Lineage {
        id: LineageId::of(row.text("id")?),
        name: row.at("name")?,
        subject,
        names: read_names(row)?,
        usage: row.parsed("lineage", "usage")?,
        owner: row.at("owner")?,
        environment: row.at("environment")?,
        key_rule: KeyRule {
            token: TokenId::of(row.text("token")?),
            algorithm: row.parsed("lineage", "algorithm")?,
            at_renewal: row.parsed("lineage", "at_renewal")?,
            exportable: row.parsed("lineage", "exportable")?,
        },
        issuer: IssuerId::of(row.text("issuer")?),
        profile: ProfileId::of(row.text("profile")?),
        lifetime: row.at("lifetime")?,
        targets,
        backend: read_backend(row)?,
        current: row.hash_or_none("lineage", "current")?.map(Fingerprint),
        due: row.moment_or_none("due")?,
        failures: row.count("lineage", "failures")?,
        trouble: row.at("trouble")?,
        created: row.moment("created")?,
        version: row.at("version")?,
    })
}

fn read_names(row: &Row<'_>) -> Result<Vec<SubjectAltName>, Error> {
    text::parse_names(&row.text("names")?).ok_or(Error::Corrupt { table: "lineage", column: "names" })
}

fn read_backend(row: &Row<'_>) -> Result<Option<Backend>, Error> {
    let proxy_protocol = row.at("proxy_protocol")?;
    let address: Option<String> = row.at("backend")?;
    Ok(address.map(|address| Backend { address, proxy_protocol }))
}
