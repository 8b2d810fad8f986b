//! Certificates, with what they are searched, sorted and chained by in columns of its own.

use domain::Moment;
use domain::certificate::{CertificateEntry, CertificateState};
use domain::clock::DAY;
use domain::id::LineageId;
use domain::issuer::IssuerKind;
use pki::identity::hex;
use pki::{Certificate, Fingerprint, KeyId};

use crate::select::{self, Select, searchable};
use crate::tx::Row;
use crate::{Error, Page, Tx, text};

const CERTIFICATE: &str =
    "SELECT der, friendly_name, source, lineage, has_key, state, created FROM certificate";

/// Which certificates are listed, and how. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFilter {
    /// With this in the friendly name, subject, issuer, alternative names, serial number or fingerprint.
    pub text: Option<String>,
    /// Whether the private key is here.
    pub has_key: Option<bool>,
    /// Of a lineage of this environment.
    pub environment: Option<String>,
    /// That end before this moment.
    pub expires_before: Option<Moment>,
    /// In this state; none means all but the retired ones.
    pub state: Option<CertificateState>,
    /// Of this lineage.
    pub lineage: Option<LineageId>,
    /// Whether certificates of CAs are listed too.
    pub include_ca: bool,
    /// What the list is sorted by.
    pub order: CertificateOrder,
}

/// What a list of certificates is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateOrder {
    /// What ends first comes first.
    #[default]
    NotAfter,
    /// The friendly name, without regard to case.
    FriendlyName,
}

/// Stores a certificate; false when it was there already, and then nothing of it changes.
pub fn insert(tx: &Tx<'_>, entry: &CertificateEntry) -> Result<bool, Error> {
    let certificate = &entry.certificate;
    let serial = hex(certificate.serial());
    let stored = tx.exec(
        "INSERT INTO certificate (fingerprint, key, der, friendly_name, friendly_folded, subject, issuer, serial,
         not_before, not_after, names, is_ca, self_signed, source, lineage, has_key, state, created, search)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         ON CONFLICT (fingerprint) DO NOTHING",
        &[
            &certificate.fingerprint().0.as_slice(),
            &certificate.key_id().0.as_slice(),
            &certificate.der(),
            &entry.friendly_name,
            &entry.friendly_name.to_lowercase(),
            &certificate.subject().der(),
            &certificate.issuer().der(),
            &serial,
            &Moment::from(certificate.not_before()).0,
            &Moment::from(certificate.not_after()).0,
            &text::names(certificate.names()),
            &certificate.is_ca(),
            &certificate.is_self_signed(),
            &entry.source.name(),
            &entry.lineage.as_ref().map(LineageId::as_str),
            &entry.has_key,
            &entry.state.name(),
            &entry.created.0,
            &search_text(certificate, &serial),
        ],
    )?;
    Ok(stored > 0)
}

fn search_text(certificate: &Certificate, serial: &str) -> String {
    let names: Vec<String> = certificate.names().iter().map(ToString::to_string).collect();
    searchable(&[
        &certificate.subject().to_string(),
        &certificate.issuer().to_string(),
        &names.join("\n"),
        serial,
        &certificate.fingerprint().to_string(),
    ])
}

/// One certificate, whatever its state.
pub fn find(tx: &Tx<'_>, fingerprint: &Fingerprint) -> Result<Option<CertificateEntry>, Error> {
    tx.one(&format!("{CERTIFICATE} WHERE fingerprint = $1"), &[&fingerprint.0.as_slice()], read)
}

/// Certificates in the filter's order. The next page begins after [`cursor`] of the last one.
pub fn list(tx: &Tx<'_>, filter: &CertificateFilter, page: &Page) -> Result<Vec<CertificateEntry>, Error> {
    let mut select = Select::new(CERTIFICATE);
    match filter.state {
        Some(state) => select.filter("state = {}", state.name()),
        None => select.only("state <> 'retired'"),
    };
    if !filter.include_ca {
        select.only("NOT is_ca");
    }
    select.maybe("has_key = {}", filter.has_key);
    select.maybe("lineage = {}", filter.lineage.as_ref().map(LineageId::as_str));
    select.maybe("not_after < {}", filter.expires_before.map(|before| before.0));
    select.maybe("lineage IN (SELECT id FROM lineage WHERE environment = {})", filter.environment.as_deref());
    let search = "(search LIKE {} ESCAPE '\\' OR friendly_folded LIKE {} ESCAPE '\\')";
    select.search(search, filter.text.as_deref());
    match (filter.order, &page.after) {
        (CertificateOrder::NotAfter, Some(after)) => {
            let (id, not_after) = select::read_time_cursor(after)?;
            select.after("(not_after, fingerprint) > ({1}, {2})", not_after, fingerprint_bytes(id)?);
        }
        (CertificateOrder::FriendlyName, Some(after)) => {
            let (id, name) = select::read_cursor(after)?;
            select.after(
                "(friendly_folded, fingerprint) > ({1}, {2})",
                name.to_owned(),
                fingerprint_bytes(id)?,
            );
        }
        (CertificateOrder::NotAfter | CertificateOrder::FriendlyName, None) => {}
    }
    let order = match filter.order {
        CertificateOrder::NotAfter => "not_after, fingerprint",
        CertificateOrder::FriendlyName => "friendly_folded, fingerprint",
    };
    select.rows(tx, order, page.limit, read)
}

fn fingerprint_bytes(text: &str) -> Result<Vec<u8>, Error> {
    let fingerprint: Fingerprint = text.parse().map_err(|_| Error::Cursor)?;
    Ok(fingerprint.0.to_vec())
}

/// Where a list in this order continues after this certificate.
pub fn cursor(entry: &CertificateEntry, order: CertificateOrder) -> String {
    let id = entry.fingerprint().to_string();
    match order {
        CertificateOrder::NotAfter => select::cursor(&id, Moment::from(entry.certificate.not_after()).0),
        CertificateOrder::FriendlyName => select::cursor(&id, entry.friendly_name.to_lowercase()),
    }
}

/// Every certificate of a key, the one that ends last first.
pub fn by_key(tx: &Tx<'_>, key: &KeyId) -> Result<Vec<CertificateEntry>, Error> {
    tx.rows(
        &format!("{CERTIFICATE} WHERE key = $1 ORDER BY not_after DESC, fingerprint DESC"),
        &[&key.0.as_slice()],
        read,
    )
}

/// How many certificates a key has.
pub fn count_by_key(tx: &Tx<'_>, key: &KeyId) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM certificate WHERE key = $1", &[&key.0.as_slice()])
}

/// Some certificates of a key, the one that ends last first.
pub fn some_by_key(tx: &Tx<'_>, key: &KeyId, limit: u32) -> Result<Vec<CertificateEntry>, Error> {
    tx.rows(
        &format!("{CERTIFICATE} WHERE key = $1 ORDER BY not_after DESC, fingerprint DESC LIMIT $2"),
        &[&key.0.as_slice(), &i64::from(limit)],
        read,
    )
}

/// The lineages that have certificates of a key, so many at most, the one whose certificate ends last first.
pub fn lineages_of_key(tx: &Tx<'_>, key: &KeyId, limit: u32) -> Result<Vec<LineageId>, Error> {
    tx.rows(
        "SELECT lineage FROM certificate WHERE key = $1 AND lineage IS NOT NULL
         GROUP BY lineage ORDER BY max(not_after) DESC, lineage LIMIT $2",
        &[&key.0.as_slice(), &i64::from(limit)],
        |row| Ok(LineageId::of(row.text("lineage")?)),
    )
}

/// The most certificates of one subject that are looked at: only an attack has more.
const SAME_SUBJECT: i64 = 64;

/// Those with this subject (DER) that may have issued others, the one that ends last first; of a crowd only the first
/// 64.
pub fn issuers_named(tx: &Tx<'_>, subject: &[u8]) -> Result<Vec<Certificate>, Error> {
    tx.rows(
        "SELECT der FROM certificate WHERE subject = $1 AND (is_ca OR self_signed)
         ORDER BY not_after DESC, fingerprint LIMIT $2",
        &[&subject, &SAME_SUBJECT],
        |row| parse(&row.at::<Vec<u8>>("der")?),
    )
}

/// A few with this subject (DER) that are no CAs and not self-signed: who bears an issuer's name and may issue nothing.
pub fn others_named(tx: &Tx<'_>, subject: &[u8]) -> Result<Vec<Certificate>, Error> {
    tx.rows(
        "SELECT der FROM certificate WHERE subject = $1 AND NOT is_ca AND NOT self_signed
         ORDER BY not_after DESC, fingerprint LIMIT 8",
        &[&subject],
        |row| parse(&row.at::<Vec<u8>>("der")?),
    )
}

/// Every certificate of a lineage, the newest first.
pub fn of_lineage(tx: &Tx<'_>, lineage: &LineageId) -> Result<Vec<CertificateEntry>, Error> {
    let sql = format!("{CERTIFICATE} WHERE lineage = $1 ORDER BY created DESC, not_after DESC, fingerprint");
    tx.rows(&sql, &[&lineage.as_str()], read)
}

/// Certificates of CAs, by fingerprint, so many at most.
pub fn authorities(tx: &Tx<'_>, limit: u32) -> Result<Vec<Certificate>, Error> {
    let sql = "SELECT der FROM certificate WHERE is_ca ORDER BY fingerprint LIMIT $1";
    tx.rows(sql, &[&i64::from(limit)], |row| parse(&row.at::<Vec<u8>>("der")?))
}

/// How many certificates of CAs were ever stored. Their rows never go, so that what was built from them holds until
/// this grows.
pub fn authority_count(tx: &Tx<'_>) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM certificate WHERE is_ca", &[])
}

/// Changes where the certificate is in its life.
pub fn set_state(tx: &Tx<'_>, fingerprint: &Fingerprint, state: CertificateState) -> Result<(), Error> {
    tx.update(
        "certificate",
        "UPDATE certificate SET state = $2 WHERE fingerprint = $1",
        &[&fingerprint.0.as_slice(), &state.name()],
    )
}

/// Remembers that the private key of these certificates is here now; answers how many did not know.
pub fn set_has_key(tx: &Tx<'_>, key: &KeyId) -> Result<u64, Error> {
    tx.exec("UPDATE certificate SET has_key = TRUE WHERE key = $1 AND NOT has_key", &[&key.0.as_slice()])
}

/// Gives the certificate another friendly name.
pub fn set_friendly_name(tx: &Tx<'_>, fingerprint: &Fingerprint, name: &str) -> Result<(), Error> {
    tx.update(
        "certificate",
        "UPDATE certificate SET friendly_name = $2, friendly_folded = $3 WHERE fingerprint = $1",
        &[&fingerprint.0.as_slice(), &name, &name.to_lowercase()],
    )
}

/// Says to which lineage the certificate belongs.
pub fn set_lineage(tx: &Tx<'_>, fingerprint: &Fingerprint, lineage: Option<&LineageId>) -> Result<(), Error> {
    tx.update(
        "certificate",
        "UPDATE certificate SET lineage = $2 WHERE fingerprint = $1",
        &[&fingerprint.0.as_slice(), &lineage.map(LineageId::as_str)],
    )
}

/// Takes the certificate out of sight: its state becomes retired.
pub fn remove(tx: &Tx<'_>, fingerprint: &Fingerprint) -> Result<(), Error> {
    set_state(tx, fingerprint, CertificateState::Retired)
}

/// How many there are, without CAs and retired ones.
pub fn count(tx: &Tx<'_>) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM certificate WHERE NOT is_ca AND state <> 'retired'", &[])
}

/// How many leaves this issuer (DER of its subject) has signed, whatever became of them.
pub fn count_issued_by(tx: &Tx<'_>, issuer: &[u8]) -> Result<i64, Error> {
    tx.number("SELECT count(*) AS n FROM certificate WHERE issuer = $1 AND NOT is_ca", &[&issuer])
}

/// Certificates that end in one week, counted by what happens then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryWeek {
    /// The first moment of the week.
    pub week: Moment,
    /// The environment of their lineages; empty for those without one.
    pub environment: String,
    /// Who would renew them; none for those without a lineage.
    pub issuer: Option<IssuerKind>,
    /// Whether the last renewal failed.
    pub troubled: bool,
    /// How many.
    pub count: i64,
}

/// Counts certificates in use by the week in which they end, weeks counted from `from`. Those that were replaced do not
/// count.
pub fn expiries(tx: &Tx<'_>, from: Moment, until: Moment) -> Result<Vec<ExpiryWeek>, Error> {
    let week = 7 * DAY;
    tx.rows(
        "SELECT (c.not_after - $1) / $3 AS week, COALESCE(l.environment, '') AS environment, i.kind AS kind,
         COALESCE(l.trouble, '') <> '' AS troubled, count(*) AS n
         FROM certificate c
         LEFT JOIN lineage l ON l.id = c.lineage AND l.retired IS NULL
         LEFT JOIN issuer i ON i.id = l.issuer
         WHERE c.not_after >= $1 AND c.not_after < $2 AND NOT c.is_ca
         AND c.state NOT IN ('superseded', 'retired', 'revoked')
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        &[&from.0, &until.0, &week],
        |row| {
            Ok(ExpiryWeek {
                week: from.plus(row.at::<i64>("week")?.saturating_mul(week)),
                environment: row.at("environment")?,
                issuer: row.parsed_or_none("issuer", "kind")?,
                troubled: row.at("troubled")?,
                count: row.at("n")?,
            })
        },
    )
}

/// Reads a stored certificate.
pub(crate) fn parse(der: &[u8]) -> Result<Certificate, Error> {
    Certificate::parse_again(der).map_err(|_| Error::Corrupt { table: "certificate", column: "der" })
}

fn read(row: &Row<'_>) -> Result<CertificateEntry, Error> {
    Ok(CertificateEntry {
        certificate: parse(&row.at::<Vec<u8>>("der")?)?,
        friendly_name: row.at("friendly_name")?,
        source: row.parsed("certificate", "source")?,
        lineage: row.at::<Option<String>>("lineage")?.map(LineageId::of),
        has_key: row.at("has_key")?,
        state: row.parsed("certificate", "state")?,
        created: row.moment("created")?,
    })
}
