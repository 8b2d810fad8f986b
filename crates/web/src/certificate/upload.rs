//! What an import may look like on the wire.

use app::certificate::Import;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::{PageUpload, Secret, Upload};
use crate::list::parse_some;
use crate::{Problem, base64, wire};

/// The parameters of a raw upload.
pub const ASKED: [(&str, &str); 4] = [
    ("friendly_name", "The friendly name, with a raw upload."),
    ("token", "The token that takes a private key, with a raw upload; `system` if left out."),
    ("lineage", "The lineage that the answer is for, with a raw upload."),
    ("exportable", "When an imported key may leave, with a raw upload."),
];

/// What is said beside a raw upload. A passphrase is not among it: it would end up in logs.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedImport {
    friendly_name: Option<String>,
    token: Option<String>,
    lineage: Option<String>,
    exportable: Option<String>,
}

/// Files in JSON.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportJson {
    /// The files, in any order: PEM as it is, anything else in base64.
    files: Vec<String>,
    /// The passphrase of what is encrypted in them.
    passphrase: Option<Secret>,
    /// The friendly name; that of its request or key, or its common name, if left out.
    friendly_name: Option<String>,
    /// The token that takes a private key; `system` if left out.
    token: Option<String>,
    /// The lineage that the answer is for; found by key or request if left out.
    lineage: Option<String>,
    /// When an imported key may leave: `never`, `to_targets`, `with_passphrase`.
    exportable: Option<String>,
}

/// What `app` is asked for.
pub fn import(asked: AskedImport, input: Upload<ImportJson>) -> Result<Import, Problem> {
    let (files, passphrase, said) = match input {
        Upload::Raw(bytes) => (vec![bytes.to_vec()], None, asked),
        Upload::Json(input) => from_json(input)?,
        Upload::Form(form) => from_form(form),
    };
    Ok(Import {
        files,
        passphrase: passphrase.map(Secret::into_inner).filter(|given| !given.is_empty()),
        friendly_name: said.friendly_name.filter(|name| !name.is_empty()),
        token: wire::token(said.token.as_deref().filter(|token| !token.is_empty()))?,
        exportable: parse_some("exportable", said.exportable.as_deref())?,
        lineage: parse_some("lineage", said.lineage.as_deref())?,
    })
}

type Read = (Vec<Vec<u8>>, Option<Secret>, AskedImport);

fn from_json(input: ImportJson) -> Result<Read, Problem> {
    let file = |(index, text): (usize, &String)| match text.contains("-----BEGIN") {
        true => Ok(text.clone().into_bytes()),
        false => base64::decode(text).ok_or_else(|| {
            let what = "this is neither PEM nor base64";
            let repair = "Send the file's text if it is PEM, else its bytes in base64.";
            Problem::field(&format!("files[{index}]"), pki::Refusal::new("input.value", what, repair))
        }),
    };
    let files = input.files.iter().enumerate().map(file).collect::<Result<_, _>>()?;
    let said = AskedImport {
        friendly_name: input.friendly_name,
        token: input.token,
        lineage: input.lineage,
        exportable: input.exportable,
    };
    Ok((files, input.passphrase, said))
}

fn from_form(form: PageUpload) -> Read {
    let text = |name: &str| form.text(name).map(str::to_owned);
    let said = AskedImport {
        friendly_name: text("friendly_name"),
        token: text("token"),
        lineage: text("lineage"),
        exportable: text("exportable"),
    };
    let passphrase = text("passphrase").map(Secret::from);
    let mut files: Vec<Vec<u8>> = form.all("pasted").filter(|text| !text.is_empty()).map(Vec::from).collect();
    files.extend(form.files.iter().map(|part| part.bytes.to_vec()));
    (files, passphrase, said)
}
