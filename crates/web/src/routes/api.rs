//! The rows of the API.

use domain::Permission as P;
use domain::audit::Action as A;

use super::{Needs, Routes, Row};
use crate::xroad::token_json::Token;
use crate::xroad::{api_keys, session, tokens};
use crate::{
    audit, certificate, csr, issuer, job, key, lineage, openapi, overview, setting, target, token, user,
};

/// Adds every row of the API.
pub(crate) fn routes(routes: Routes) -> Routes {
    let groups: [fn(Routes) -> Routes; 12] = [
        description,
        oneself,
        x_road_tokens,
        x_road_api_keys,
        private_keys,
        requests,
        certificates,
        lineages,
        targets_and_jobs,
        issuers,
        support,
        administration,
    ];
    groups.into_iter().fold(routes, |routes, group| group(routes))
}

/// What certificates come as.
const CERTIFICATE_FILES: [&str; 6] = [
    "application/x-pem-file",
    "application/pkix-cert",
    "application/x-pkcs7-certificates",
    "application/gzip",
    "application/x-java-keystore",
    "application/x-pkcs12",
];
/// What a private key leaves in.
const KEY_FILES: [&str; 4] =
    ["application/x-pkcs12", "application/pkcs8-encrypted", "application/x-pem-file", "application/gzip"];

fn description(routes: Routes) -> Routes {
    routes
        .add(
            Row::get("/api/v1/openapi.json", Needs::Nothing)
                .says("Describes the API for programs.")
                .answers_file("application/json"),
            openapi::json,
        )
        .add(
            Row::get("/api/v1/docs", Needs::Nothing)
                .says("Describes the API for people.")
                .answers_file("text/html"),
            openapi::docs,
        )
}

fn oneself(routes: Routes) -> Routes {
    routes
        .add(
            Row::post("/api/v1/login", Needs::Nothing, A::LogIn)
                .says("Opens a session; form fields or JSON.")
                .takes::<session::Credentials>()
                .answers_nothing(200),
            session::log_in,
        )
        .add(
            Row::post("/api/v1/logout", P::SeeOneself, A::LogOut)
                .says("Ends the session.")
                .answers_nothing(200),
            session::log_out,
        )
        .add(
            Row::get("/api/v1/user", P::SeeOneself)
                .says("Says who one is.")
                .answers::<session::UserJson>(200),
            session::user,
        )
        .add(
            Row::put("/api/v1/user/password", P::SeeOneself, A::UserUpdate)
                .says("Changes one's own password; all one's sessions end.")
                .takes::<session::PasswordChange>()
                .answers_nothing(204),
            session::change_password,
        )
}

fn x_road_tokens(routes: Routes) -> Routes {
    routes
        .add(
            Row::get("/api/v1/tokens", P::ViewKeys).says("Lists tokens.").answers::<Vec<Token>>(200),
            tokens::list,
        )
        .add(
            Row::get("/api/v1/tokens/{id}", P::ViewKeys).says("Shows a token.").answers::<Token>(200),
            tokens::find,
        )
        .add(
            Row::patch("/api/v1/tokens/{id}", P::EditTokenName, A::TokenRename)
                .says("Names a token.")
                .takes::<tokens::TokenName>()
                .answers::<Token>(200),
            tokens::rename,
        )
        .add(
            Row::put("/api/v1/tokens/{id}/login", P::ActivateToken, A::TokenLogIn)
                .says("Logs in by PIN.")
                .takes::<tokens::TokenPassword>()
                .answers::<Token>(200),
            tokens::log_in,
        )
        .add(
            Row::put("/api/v1/tokens/{id}/logout", P::ActivateToken, A::TokenLogOut)
                .says("Logs out, whatever is still served.")
                .answers::<Token>(200),
            tokens::log_out,
        )
        .add(
            Row::get("/api/v1/tokens/{id}/logout-effects", P::ActivateToken)
                .says("Says what a log-out would stop.")
                .answers::<token::api::LogOutEffects>(200),
            token::api::effects,
        )
        .add(
            Row::put("/api/v1/tokens/{id}/pin", P::UpdateTokenPin, A::TokenPinChange)
                .says("Changes the PIN and logs out.")
                .takes::<tokens::TokenPinUpdate>()
                .answers_nothing(204),
            tokens::change_pin,
        )
        .add(
            Row::put("/api/v1/tokens/{id}/unlock", P::UnlockToken, A::TokenUnlock)
                .says("Unlocks a token after too many wrong PINs; a person's own password is needed.")
                .takes::<token::api::Unlock>()
                .answers::<Token>(200),
            token::api::unlock,
        )
}

fn x_road_api_keys(routes: Routes) -> Routes {
    routes
        .add(
            Row::get("/api/v1/api-keys", P::ViewApiKeys)
                .says("Lists API keys.")
                .answers::<Vec<api_keys::ApiKeyJson>>(200),
            api_keys::list,
        )
        .add(
            Row::post("/api/v1/api-keys", P::CreateApiKey, A::ApiKeyCreate)
                .says("Makes an API key and shows it once.")
                .takes::<api_keys::ApiKeyRequest>()
                .answers::<api_keys::NewApiKeyJson>(200),
            api_keys::create,
        )
        .add(
            Row::get("/api/v1/api-keys/{id}", P::ViewApiKeys)
                .says("Shows an API key.")
                .answers::<api_keys::ApiKeyJson>(200),
            api_keys::find,
        )
        .add(
            Row::put("/api/v1/api-keys/{id}", P::UpdateApiKey, A::ApiKeyUpdate)
                .says("Sets an API key's roles.")
                .takes::<Vec<String>>()
                .answers::<api_keys::ApiKeyJson>(200),
            api_keys::set_roles,
        )
        .add(
            Row::delete("/api/v1/api-keys/{id}", P::RevokeApiKey, A::ApiKeyRevoke)
                .says("Revokes an API key at once.")
                .answers_nothing(200),
            api_keys::revoke,
        )
}

fn private_keys(routes: Routes) -> Routes {
    use key::api as k;
    routes
        .add(
            Row::get("/api/v1/private-keys", P::ViewKeys)
                .says("Lists keys of every usage.")
                .query(&k::ASKED)
                .answers_page::<k::PrivateKey>(),
            k::list,
        )
        .add(
            Row::post("/api/v1/private-keys", P::ManageTlsCertificates, A::KeyGenerate)
                .says("Makes a TLS key.")
                .takes::<k::NewPrivateKey>()
                .answers::<k::PrivateKey>(201),
            k::generate,
        )
        .add(
            Row::get("/api/v1/private-keys/{id}", P::ViewKeys)
                .says("Shows a key.")
                .answers::<k::PrivateKey>(200),
            k::find,
        )
        .add(
            Row::patch("/api/v1/private-keys/{id}", P::ManageTlsCertificates, A::KeyUpdate)
                .says("Names a key, or lowers when it may leave.")
                .takes::<k::PrivateKeyChange>()
                .answers::<k::PrivateKey>(200),
            k::update,
        )
        .add(
            Row::delete("/api/v1/private-keys/{id}", P::ManageTlsCertificates, A::KeyRetire)
                .says("Retires a key; it can be brought back for a while.")
                .answers_nothing(204),
            k::retire,
        )
        .add(
            Row::post("/api/v1/private-keys/{id}/restore", P::RestoreKey, A::KeyRestore)
                .says("Brings a retired key back.")
                .answers_nothing(204),
            k::restore,
        )
        .add(
            Row::post("/api/v1/private-keys/{id}/export", P::ExportPrivateKey, A::KeyExport)
                .says("Hands the private key out as encrypted PKCS#8; recorded for ever.")
                .takes::<k::KeyExport>()
                .answers_one_of(&["application/x-pem-file", "application/pkcs8-encrypted"]),
            k::export,
        )
}

fn requests(routes: Routes) -> Routes {
    use csr::api as c;
    routes
        .add(
            Row::get("/api/v1/csrs", P::ViewCertificates)
                .says("Lists CSRs, newest first.")
                .query(&c::ASKED)
                .answers_page::<c::Csr>(),
            c::list,
        )
        .add(
            Row::post("/api/v1/csrs", P::ManageTlsCertificates, A::CsrCreate)
                .says("Makes a CSR, with a new key or one that is here.")
                .takes::<c::NewCsrJson>()
                .answers::<c::CsrCreatedJson>(201),
            c::create,
        )
        .add(
            Row::get("/api/v1/csrs/{id}", P::ViewCertificates).says("Shows a CSR.").answers::<c::Csr>(200),
            c::find,
        )
        .add(
            Row::get("/api/v1/csrs/{id}/file", P::ViewCertificates)
                .says("Downloads a CSR, byte-identical each time.")
                .query(&csr::api::ASKED_FILE)
                .answers_one_of(&["application/x-pem-file", "application/pkcs10"]),
            c::download,
        )
        .add(
            Row::delete("/api/v1/csrs/{id}", P::ManageTlsCertificates, A::CsrWithdraw)
                .says("Gives a CSR up; its key is kept.")
                .answers_nothing(204),
            c::withdraw,
        )
}

fn imports(routes: Routes) -> Routes {
    use certificate::{import as i, upload};
    routes
        .add(
            Row::post("/api/v1/certificates", P::ManageTlsCertificates, A::CertificateImport)
                .says("Imports certificates and keys: a raw file, a form with files, or JSON.")
                .query(&upload::ASKED)
                .takes::<upload::ImportJson>()
                .takes_form::<upload::ImportForm>()
                .takes_file()
                .answers::<i::ImportedJson>(201)
                .answers::<i::ImportedJson>(200)
                .answers::<job::api::JobJson>(202),
            i::import,
        )
        .add(
            Row::post("/api/v1/certificates/preview", P::ManageTlsCertificates, A::CertificateImport)
                .says("Says what an import of the same files would do, and stores nothing.")
                .query(&upload::ASKED)
                .takes::<upload::ImportJson>()
                .takes_form::<upload::ImportForm>()
                .takes_file()
                .answers::<i::PreviewJson>(200),
            i::preview,
        )
}

fn certificates(routes: Routes) -> Routes {
    use certificate::{api as c, export as e};
    deeds(imports(routes))
        .add(
            Row::get("/api/v1/certificates", P::ViewCertificates)
                .says("Lists certificates with their findings.")
                .query(&c::ASKED)
                .answers_page::<c::CertificateJson>(),
            c::list,
        )
        .add(
            Row::post("/api/v1/certificates/self-signed", P::ManageTlsCertificates, A::CertificateSelfSign)
                .says("Makes a self-signed certificate.")
                .takes::<c::NewSelfSignedJson>()
                .answers::<c::SelfSignedJson>(201),
            c::self_sign,
        )
        .add(
            Row::get("/api/v1/certificates/{hash}", P::ViewCertificates)
                .says("Shows a certificate: chain, findings, where it is served, history.")
                .answers::<c::CertificateJson>(200),
            c::find,
        )
        .add(
            Row::get("/api/v1/certificates/{hash}/file", P::ExportCertificate)
                .says("Exports a certificate or its chain.")
                .query(&e::ASKED_FILE)
                .answers_one_of(&CERTIFICATE_FILES),
            e::download,
        )
        .add(
            Row::post("/api/v1/certificates/export", P::ExportCertificate, A::Request)
                .says("Exports several certificates in one file, or trust stores under a passphrase of their own.")
                .takes::<e::TogetherJson>()
                .answers_one_of(&CERTIFICATE_FILES),
            e::together,
        )
        .add(
            Row::post("/api/v1/certificates/{hash}/export", P::ExportPrivateKey, A::KeyExport)
                .says("Exports a certificate with its private key under a passphrase.")
                .takes::<e::ExportJson>()
                .answers_one_of(&KEY_FILES),
            e::export,
        )
}

/// What is done with one certificate.
fn deeds(routes: Routes) -> Routes {
    use certificate::api as c;
    routes
        .add(
            Row::patch("/api/v1/certificates/{hash}", P::ManageTlsCertificates, A::CertificateRename)
                .says("Names a certificate.")
                .takes::<c::CertificateChange>()
                .answers::<c::CertificateJson>(200),
            c::rename,
        )
        .add(
            Row::delete("/api/v1/certificates/{hash}", P::ManageTlsCertificates, A::CertificateRetire)
                .says("Removes a certificate from view.")
                .answers_nothing(204),
            c::retire,
        )
        .add(
            Row::post(
                "/api/v1/certificates/{hash}/complete",
                P::ManageTlsCertificates,
                A::CertificateComplete,
            )
            .says("Fetches what is missing in the chain from where its certificates say that it can be had.")
            .answers::<job::api::JobJson>(202),
            c::complete,
        )
        .add(
            Row::put("/api/v1/certificates/{hash}/default", P::ManageTlsCertificates, A::CertificateDefault)
                .says("Makes it what the edge answers when no name fits.")
                .answers_nothing(204),
            c::set_default,
        )
        .add(
            Row::put(
                "/api/v1/certificates/{hash}/activate",
                P::ManageTlsCertificates,
                A::CertificateActivate,
            )
            .says("Makes it its lineage's current certificate.")
            .answers_nothing(204),
            c::activate,
        )
        .add(
            Row::post("/api/v1/certificates/{hash}/lineage", P::ManageTlsCertificates, A::LineageCreate)
                .says("Carries a certificate on as a lineage.")
                .takes::<lineage::api::LineageChangeJson>()
                .answers::<lineage::api::LineageJson>(201),
            lineage::api::adopt,
        )
}

fn lineages(routes: Routes) -> Routes {
    use lineage::api as l;
    routes
        .add(
            Row::get("/api/v1/lineages", P::ViewCertificates)
                .says("Lists lineages.")
                .query(&l::ASKED)
                .answers_page::<l::LineageJson>(),
            l::list,
        )
        .add(
            Row::post("/api/v1/lineages", P::ManageTlsCertificates, A::LineageCreate)
                .says("Makes a lineage and orders its first certificate.")
                .takes::<l::NewLineageJson>()
                .answers::<l::LineageJson>(201),
            l::create,
        )
        .add(
            Row::get("/api/v1/lineages/{id}", P::ViewCertificates)
                .says("Shows a lineage with its history and where it is served.")
                .answers::<l::LineageJson>(200),
            l::find,
        )
        .add(
            Row::patch("/api/v1/lineages/{id}", P::ManageTlsCertificates, A::LineageUpdate)
                .says("Changes a lineage; its certificates change at the next renewal.")
                .takes::<l::LineageChangeJson>()
                .answers::<l::LineageJson>(200),
            l::update,
        )
        .add(
            Row::delete("/api/v1/lineages/{id}", P::ManageTlsCertificates, A::LineageRetire)
                .says("Removes a lineage; its certificates stay.")
                .answers_nothing(204),
            l::retire,
        )
        .add(
            Row::post("/api/v1/lineages/{id}/renew", P::ManageTlsCertificates, A::LineageRenew)
                .says("Renews now, as a job.")
                .answers::<job::api::JobJson>(202),
            l::renew,
        )
        .add(
            Row::post("/api/v1/lineages/{id}/rekey", P::ManageTlsCertificates, A::LineageRekey)
                .says("Renews now with a new key, as a job.")
                .answers::<job::api::JobJson>(202),
            l::rekey,
        )
}

fn targets_and_jobs(routes: Routes) -> Routes {
    use target::api as t;
    routes
        .add(
            Row::get("/api/v1/target-kinds", P::ViewCertificates)
                .says("Lists kinds of targets and the settings of each.")
                .answers::<Vec<t::TargetKind>>(200),
            t::kinds,
        )
        .add(
            Row::get("/api/v1/targets", P::ViewCertificates)
                .says("Lists targets.")
                .answers::<Vec<t::TargetJson>>(200),
            t::list,
        )
        .add(
            Row::post("/api/v1/targets", P::ManageTargets, A::TargetCreate)
                .says("Makes a target; nothing is installed until a lineage names it.")
                .takes::<t::NewTargetJson>()
                .answers::<t::TargetJson>(201),
            t::create,
        )
        .add(
            Row::get("/api/v1/targets/{id}", P::ViewCertificates)
                .says("Shows a target.")
                .answers::<t::TargetJson>(200),
            t::find,
        )
        .add(
            Row::patch("/api/v1/targets/{id}", P::ManageTargets, A::TargetUpdate)
                .says("Changes a target.")
                .takes::<t::TargetChangeJson>()
                .answers::<t::TargetJson>(200),
            t::update,
        )
        .add(
            Row::delete("/api/v1/targets/{id}", P::ManageTargets, A::TargetRetire)
                .says("Removes a target.")
                .answers_nothing(204),
            t::retire,
        )
        .add(
            Row::post("/api/v1/targets/{id}/deployments", P::Deploy, A::DeploymentInstall)
                .says("Installs a lineage's current certificate again, as a job.")
                .takes::<t::NewDeployment>()
                .answers::<job::api::JobJson>(202),
            t::deploy,
        )
        .add(
            Row::get("/api/v1/jobs", P::ViewCertificates)
                .says("Lists jobs, newest first.")
                .query(&job::api::ASKED)
                .answers_page::<job::api::JobJson>(),
            job::api::list,
        )
        .add(
            Row::get("/api/v1/jobs/events", P::ViewCertificates)
                .says("Streams the progress of every job as server-sent events.")
                .answers_file("text/event-stream"),
            job::api::all_events,
        )
        .add(
            Row::get("/api/v1/jobs/{id}", P::ViewCertificates)
                .says("Shows a job.")
                .answers::<job::api::JobJson>(200),
            job::api::find,
        )
        .add(
            Row::get("/api/v1/jobs/{id}/events", P::ViewCertificates)
                .says("Streams the progress of a job as server-sent events, until it is over.")
                .answers_file("text/event-stream"),
            job::api::events,
        )
}

fn issuers(routes: Routes) -> Routes {
    use issuer::api as i;
    routes
        .add(
            Row::get("/api/v1/issuers", P::ViewCertificates)
                .says("Lists issuers.")
                .answers::<Vec<i::IssuerJson>>(200),
            i::list,
        )
        .add(
            Row::post("/api/v1/issuers", P::ManageIssuers, A::IssuerCreate)
                .says("Makes an issuer.")
                .takes::<i::NewIssuerJson>()
                .answers::<i::IssuerJson>(201),
            i::create,
        )
        .add(
            Row::get("/api/v1/issuers/{id}", P::ViewCertificates)
                .says("Shows an issuer.")
                .answers::<i::IssuerJson>(200),
            i::find,
        )
        .add(
            Row::patch("/api/v1/issuers/{id}", P::ManageIssuers, A::IssuerUpdate)
                .says("Withdraws an issuer, or takes it up again.")
                .takes::<i::IssuerChange>()
                .answers_nothing(204),
            i::update,
        )
        .add(
            Row::get("/api/v1/profiles", P::ViewCertificates)
                .says("Lists profiles.")
                .answers::<Vec<i::ProfileJson>>(200),
            i::profiles,
        )
}

fn support(routes: Routes) -> Routes {
    use crate::support::api as s;
    routes
        .add(
            Row::get("/api/v1/support/bundle", P::ExportCertificate)
                .says("Answers certificates, chains and their state for support, never a private key.")
                .query(&s::ASKED_BUNDLE)
                .answers_file("application/zip"),
            s::bundle,
        )
        .add(
            Row::post("/api/v1/support/check", P::ExportCertificate, A::SupportCheck)
                .says("Looks into files for private keys before they are sent to support.")
                .takes::<s::CheckJson>()
                .takes_file()
                .answers::<s::CheckAnswer>(200),
            s::check,
        )
}

fn administration(routes: Routes) -> Routes {
    use user::api as u;
    routes
        .add(
            Row::get("/api/v1/users", P::ViewUsers).says("Lists users.").answers::<Vec<u::UserJson>>(200),
            u::list,
        )
        .add(
            Row::post("/api/v1/users", P::ManageUsers, A::UserCreate)
                .says("Makes a user.")
                .takes::<u::NewUserJson>()
                .answers::<u::UserJson>(201),
            u::create,
        )
        .add(
            Row::get("/api/v1/users/{id}", P::ViewUsers).says("Shows a user.").answers::<u::UserJson>(200),
            u::find,
        )
        .add(
            Row::patch("/api/v1/users/{id}", P::ManageUsers, A::UserUpdate)
                .says("Changes a user's roles, password or state.")
                .takes::<u::UserChangeJson>()
                .answers::<u::UserJson>(200),
            u::update,
        )
        .add(
            Row::get("/api/v1/audit-events", P::ViewAuditLog)
                .says("Lists audit events, newest first.")
                .query(&audit::api::ASKED)
                .answers_page::<audit::api::AuditEvent>(),
            audit::api::list,
        )
        .add(
            Row::get("/api/v1/audit-events/verification", P::ViewAuditLog)
                .says("Verifies the chain of audit events.")
                .answers::<audit::api::Verification>(200),
            audit::api::verify,
        )
        .add(
            Row::get("/api/v1/settings", P::ViewSettings)
                .says("Shows the settings.")
                .answers::<setting::api::SettingsJson>(200),
            setting::api::show,
        )
        .add(
            Row::put("/api/v1/settings/identity", P::ManageSettings, A::SettingUpdate)
                .says("Sets what this server is; the environment stays.")
                .takes::<setting::api::IdentityJson>()
                .answers::<setting::api::SettingsJson>(200),
            setting::api::set_identity,
        )
        .add(
            Row::get("/api/v1/overview", P::ViewCertificates)
                .says("Says what needs a person, what ends when, what runs.")
                .answers::<overview::api::OverviewJson>(200),
            overview::api::show,
        )
}
