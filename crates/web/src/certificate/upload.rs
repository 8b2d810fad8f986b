//! What an import may look like on the wire.

use app::certificate::{Import, ImportFile, Wishes};
use domain::key::Exportable;
use pki::name::inert;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::body::{PageUpload, Secret, Upload};
use crate::list::parse_some;
use crate::routes::Parameter;
use crate::{Problem, base64, wire};

/// The parameters of a raw upload.
pub const ASKED: [Parameter; 6] = [
    Parameter::text("friendly_name", "The friendly name, with a raw upload."),
    Parameter::id("token", "The token that takes a private key, with a raw upload; `system` if left out."),
    Parameter::id("lineage", "The lineage that the answer is for, with a raw upload."),
    Parameter::one_of("exportable", Exportable::NAMES, "When an imported key may leave, with a raw upload."),
    Parameter::id("key", "Which private key is taken where there are several, with a raw upload."),
    Parameter::id("preview", "The hash of the preview that is confirmed, with a raw upload."),
];

/// What is said beside a raw upload. A passphrase is not among it: it would end up in logs.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedImport {
    friendly_name: Option<String>,
    token: Option<String>,
    lineage: Option<String>,
    exportable: Option<String>,
    key: Option<String>,
    preview: Option<String>,
}

/// Files in JSON.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportJson {
    /// The files, in any order: PEM as it is, anything else in base64.
    #[schema(value_type = Vec<String>)]
    files: Vec<Secret>,
    /// The passphrase of what is encrypted in them.
    passphrase: Option<Secret>,
    /// Passphrases, where files, or a store and its key, need different ones; whatever is encrypted is tried with each.
    #[serde(default)]
    passphrases: Vec<Secret>,
    /// The friendly name; that of its request, file or key, or its common name, if left out.
    friendly_name: Option<String>,
    /// The token that takes a private key; `system` if left out.
    token: Option<String>,
    /// The lineage that the answer is for; found by key or request if left out.
    lineage: Option<String>,
    /// When an imported key may leave: `never`, `to_targets`, `with_passphrase`.
    #[schema(schema_with = crate::schema::exportable)]
    exportable: Option<String>,
    /// The id of the private key that is taken, where the files hold several.
    key: Option<String>,
    /// The hash of a preview: refused with `import.preview_changed` if anything else would be done.
    preview: Option<String>,
}

/// The fields of a form: those that may be there once, and those that may be repeated.
const ONCE: [&str; 6] = ["friendly_name", "token", "lineage", "exportable", "key", "preview"];
const REPEATED: [&str; 2] = ["passphrase", "pasted"];

/// Files in a form. For the description only: a form is read field by field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub struct ImportForm {
    /// The files, in any order and under any field name.
    #[schema(schema_with = crate::schema::files)]
    files: Vec<u8>,
    /// A text with PEM in it; may be repeated.
    pasted: Option<String>,
    /// A passphrase of what is encrypted in the files; may be repeated, and whatever is encrypted is tried with each.
    #[schema(value_type = Option<Secret>)]
    passphrase: Option<String>,
    /// The friendly name; that of its request, file or key, or its common name, if left out.
    friendly_name: Option<String>,
    /// The token that takes a private key; `system` if left out.
    token: Option<String>,
    /// The lineage that the answer is for; found by key or request if left out.
    lineage: Option<String>,
    /// When an imported key may leave: `never`, `to_targets`, `with_passphrase`.
    #[schema(schema_with = crate::schema::exportable)]
    exportable: Option<String>,
    /// The id of the private key that is taken, where the files hold several.
    key: Option<String>,
    /// The hash of a preview: refused with `import.preview_changed` if anything else would be done.
    preview: Option<String>,
}

impl AskedImport {
    /// Refuses what stands in the address where the body has its own place for it: nobody would look at it.
    fn refuse_any(&self) -> Result<(), Problem> {
        let Self { friendly_name, token, lineage, exportable, key, preview } = self;
        let said = ONCE.into_iter().zip([friendly_name, token, lineage, exportable, key, preview]);
        match said.into_iter().find(|(_, value)| value.is_some()) {
            None => Ok(()),
            Some((name, _)) => {
                let what = format!("{name} stands in the address, where it counts only beside a raw file");
                Err(Problem::bad_request("input.query", what, "Put it into the body, beside the files."))
            }
        }
    }
}

/// What `app` is asked for.
pub fn import(asked: AskedImport, input: Upload<ImportJson>) -> Result<Import, Problem> {
    let (files, passphrases, said) = match input {
        Upload::Raw(bytes) => (vec![ImportFile { name: None, bytes }], Vec::new(), asked),
        Upload::Json(input) => {
            asked.refuse_any()?;
            from_json(input)?
        }
        Upload::Form(form) => {
            asked.refuse_any()?;
            from_form(form)?
        }
    };
    let wishes = Wishes {
        friendly_name: said.friendly_name.filter(|name| !name.is_empty()),
        token: wire::token(said.token.as_deref().filter(|token| !token.is_empty()))?,
        exportable: parse_some("exportable", said.exportable.as_deref())?,
        lineage: parse_some("lineage", said.lineage.as_deref())?,
        key: parse_some("key", said.key.as_deref())?,
    };
    let preview = parse_some("preview", said.preview.as_deref())?;
    Ok(Import { files, passphrases, wishes, preview })
}

type Read = (Vec<ImportFile>, Vec<Zeroizing<String>>, AskedImport);

fn from_json(input: ImportJson) -> Result<Read, Problem> {
    // They may hold private keys: wiped like any secret.
    let file = |(index, text): (usize, &str)| match text.contains("-----BEGIN") {
        true => Ok(ImportFile::from(text.trim().as_bytes().to_vec())),
        false => base64::decode(text).map(ImportFile::from).ok_or_else(|| {
            let what = "this is neither PEM nor base64";
            let repair = "Send the file's text if it is PEM, else its bytes in base64.";
            Problem::field(&format!("files[{index}]"), pki::Refusal::new("input.value", what, repair))
        }),
    };
    let files = input.files.iter().map(Secret::reveal).enumerate().map(file).collect::<Result<_, _>>()?;
    let said = AskedImport {
        friendly_name: input.friendly_name,
        token: input.token,
        lineage: input.lineage,
        exportable: input.exportable,
        key: input.key,
        preview: input.preview,
    };
    let passphrases = input.passphrase.into_iter().chain(input.passphrases);
    Ok((files, passphrases.map(Secret::into_inner).collect(), said))
}

fn from_form(mut form: PageUpload) -> Result<Read, Problem> {
    refuse_odd_fields(&form)?;
    let text = |name: &str| form.text(name).map(str::to_owned);
    let said = AskedImport {
        friendly_name: text("friendly_name"),
        token: text("token"),
        lineage: text("lineage"),
        exportable: text("exportable"),
        key: text("key"),
        preview: text("preview"),
    };
    let passphrases = form.typed("passphrase").map(|text| Zeroizing::new(text.to_owned())).collect();
    let pasted = form.all("pasted").filter(|text| !text.is_empty());
    let mut files: Vec<ImportFile> = pasted.map(|text| ImportFile::from(Vec::from(text))).collect();
    files.extend(form.files.drain(..).map(|part| ImportFile { name: part.name, bytes: part.bytes }));
    Ok((files, passphrases, said))
}

/// Refuses a field that would not count: an unknown one, and the second of what is said once.
fn refuse_odd_fields(form: &PageUpload) -> Result<(), Problem> {
    let names: Vec<&str> = form.fields.iter().map(|(name, _)| name.as_str()).collect();
    for (index, name) in names.iter().enumerate() {
        let what = match (ONCE.contains(name), REPEATED.contains(name)) {
            (false, false) => "the form has a field that is not known here",
            (true, _) if names[..index].contains(name) => "the form has a field twice",
            (true, _) | (_, true) => continue,
        };
        let shown: String = name.chars().take(64).collect();
        let repair = format!(
            "Send files as files, and as fields {} once, {} as often as needed.",
            ONCE.join(", "),
            REPEATED.join(" and ")
        );
        return Err(Problem::bad_request("input.field", format!("{what}: “{}”", inert(&shown)), repair));
    }
    Ok(())
}
