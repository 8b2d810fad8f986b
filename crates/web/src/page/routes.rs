//! The addresses of pages: what each is, and what is needed to come there.

use domain::Permission as P;
use domain::audit::Action as A;

use crate::page::asset;
use crate::routes::{Needs, Routes, Row};
use crate::{
    api_key, audit, certificate, csr, issuer, job, key, lineage, overview, session, setting, setup, target,
    token, user,
};

/// Adds every page.
pub fn pages(routes: Routes) -> Routes {
    let routes = for_strangers(routes);
    let routes = keys(routes);
    let routes = certificates(routes);
    let routes = lineages(routes);
    let routes = issuers_and_targets(routes);
    this_server(routes)
}

fn for_strangers(routes: Routes) -> Routes {
    routes
        .add(Row::get("/assets/{name}", Needs::Nothing), asset::show)
        .add(Row::get("/login", Needs::Nothing), session::page::form)
        .add(Row::post("/login", Needs::Nothing, A::LogIn), session::page::log_in)
        .add(Row::get("/setup", Needs::Nothing), setup::page::show)
        .add(Row::post("/setup/code", Needs::Nothing, A::Request), setup::page::enter)
        .add(Row::post("/setup", Needs::Nothing, A::Installed), setup::page::install)
}

fn keys(routes: Routes) -> Routes {
    use token::page as t;
    routes
        .add(Row::get("/keys", P::ViewKeys), t::list)
        .add(Row::get("/tokens/{id}/log-in", P::ActivateToken), t::log_in_form)
        .add(Row::post("/tokens/{id}/log-in", P::ActivateToken, A::TokenLogIn), t::log_in)
        .add(Row::get("/tokens/{id}/log-out", P::ActivateToken), t::log_out_form)
        .add(Row::post("/tokens/{id}/log-out", P::ActivateToken, A::TokenLogOut), t::log_out)
        .add(Row::get("/tokens/{id}/pin", P::UpdateTokenPin), t::pin_form_page)
        .add(Row::post("/tokens/{id}/pin", P::UpdateTokenPin, A::TokenPinChange), t::change_pin)
        .add(Row::get("/tokens/{id}/unlock", P::UnlockToken), t::unlock_form)
        .add(Row::post("/tokens/{id}/unlock", P::UnlockToken, A::TokenUnlock), t::unlock)
        .add(Row::get("/tokens/{id}/name", P::EditTokenName), t::name_form)
        .add(Row::post("/tokens/{id}/name", P::EditTokenName, A::TokenRename), t::rename)
        .add(Row::get("/keys/new", P::ManageTlsCertificates), key::page::new)
        .add(Row::post("/keys/new", P::ManageTlsCertificates, A::KeyGenerate), key::page::create)
        .add(Row::get("/keys/{id}", P::ViewKeys), key::page::show)
        .add(Row::post("/keys/{id}", P::ManageTlsCertificates, A::KeyUpdate), key::page::update)
        .add(Row::get("/keys/{id}/delete", P::ManageTlsCertificates), key::page::delete_form)
        .add(Row::post("/keys/{id}/delete", P::ManageTlsCertificates, A::KeyRetire), key::page::delete)
        .add(Row::post("/keys/{id}/restore", P::RestoreKey, A::KeyRestore), key::page::restore)
}

fn certificates(routes: Routes) -> Routes {
    use certificate::page as c;
    let routes = routes
        .add(Row::get("/certificates", P::ViewCertificates), c::list)
        .add(Row::post("/certificates", P::ViewCertificates, A::Request), c::apply)
        .add(Row::get("/certificates/new", P::ManageTlsCertificates), c::new::form)
        .add(Row::post("/certificates/new", P::ManageTlsCertificates, A::CsrCreate), c::new::create)
        .add(Row::get("/certificates/import", P::ManageTlsCertificates), c::import::form)
        .add(
            Row::post("/certificates/import", P::ManageTlsCertificates, A::CertificateImport),
            c::import::upload,
        )
        .add(Row::get("/certificates/import/{id}", P::ManageTlsCertificates), c::preview::show)
        .add(
            Row::post("/certificates/import/{id}", P::ManageTlsCertificates, A::CertificateImport),
            c::preview::confirm,
        )
        .add(Row::get("/certificates/remove", P::ManageTlsCertificates), c::remove_form)
        .add(Row::post("/certificates/remove", P::ManageTlsCertificates, A::CertificateRetire), c::remove)
        .add(Row::get("/certificates/{id}", P::ViewCertificates), c::show::show)
        .add(Row::get("/certificates/export", P::ExportCertificate), c::together::form)
        .add(Row::post("/certificates/export", P::ExportCertificate, A::Request), c::together::export)
        .add(Row::get("/certificates/{id}/export", P::ExportCertificate), c::export::form)
        .add(Row::post("/certificates/{id}/export", P::ExportCertificate, A::KeyExport), c::export::export)
        .add(Row::get("/certificates/{id}/certificate.pem", P::ExportCertificate), c::export::pem)
        .add(Row::get("/certificates/{id}/certificate.cer", P::ExportCertificate), c::export::der)
        .add(
            Row::post("/certificates/{id}/name", P::ManageTlsCertificates, A::CertificateRename),
            c::show::rename,
        )
        .add(
            Row::post("/certificates/{id}/default", P::ManageTlsCertificates, A::CertificateDefault),
            c::set_default,
        )
        .add(
            Row::post("/certificates/{id}/activate", P::ManageTlsCertificates, A::CertificateActivate),
            c::activate,
        )
        .add(
            Row::post("/certificates/{id}/complete", P::ManageTlsCertificates, A::CertificateComplete),
            c::complete,
        )
        .add(Row::get("/certificates/{id}/adopt", P::ManageTlsCertificates), c::adopt::show)
        .add(
            Row::post("/certificates/{id}/adopt", P::ManageTlsCertificates, A::LineageCreate),
            c::adopt::adopt,
        );
    routes
        .add(Row::get("/csrs", P::ViewCertificates), csr::page::list)
        .add(Row::get("/csrs/{id}", P::ViewCertificates), csr::page::show)
        .add(Row::get("/csrs/{id}/request.pem", P::ViewCertificates), csr::page::pem)
        .add(Row::get("/csrs/{id}/request.der", P::ViewCertificates), csr::page::der)
        .add(
            Row::post("/csrs/{id}/answer", P::ManageTlsCertificates, A::CertificateImport),
            csr::page::answer,
        )
        .add(Row::get("/csrs/{id}/withdraw", P::ManageTlsCertificates), csr::page::withdraw_form)
        .add(Row::post("/csrs/{id}/withdraw", P::ManageTlsCertificates, A::CsrWithdraw), csr::page::withdraw)
}

fn lineages(routes: Routes) -> Routes {
    use lineage::page as l;
    routes
        .add(Row::get("/lineages", P::ViewCertificates), l::list)
        .add(Row::get("/lineages/new", P::ManageTlsCertificates), l::new::form)
        .add(Row::post("/lineages/new", P::ManageTlsCertificates, A::LineageCreate), l::new::create)
        .add(Row::get("/lineages/{id}", P::ViewCertificates), l::show)
        .add(Row::get("/lineages/{id}/edit", P::ManageTlsCertificates), l::edit::form)
        .add(Row::post("/lineages/{id}/edit", P::ManageTlsCertificates, A::LineageUpdate), l::edit::update)
        .add(Row::post("/lineages/{id}/renew", P::ManageTlsCertificates, A::LineageRenew), l::renew)
        .add(Row::post("/lineages/{id}/rekey", P::ManageTlsCertificates, A::LineageRekey), l::rekey)
        .add(Row::get("/lineages/{id}/retire", P::ManageTlsCertificates), l::retire_form)
        .add(Row::post("/lineages/{id}/retire", P::ManageTlsCertificates, A::LineageRetire), l::retire)
        .add(Row::get("/jobs/{id}", P::ViewCertificates), job::page::show)
}

fn issuers_and_targets(routes: Routes) -> Routes {
    use target::page as t;
    routes
        .add(Row::get("/issuers", P::ViewCertificates), issuer::page::list)
        .add(Row::get("/issuers/new", P::ManageIssuers), issuer::page::new)
        .add(Row::post("/issuers/new", P::ManageIssuers, A::IssuerCreate), issuer::page::create)
        .add(Row::get("/issuers/{id}/withdraw", P::ManageIssuers), issuer::page::withdraw_form)
        .add(Row::post("/issuers/{id}/withdraw", P::ManageIssuers, A::IssuerUpdate), issuer::page::withdraw)
        .add(Row::post("/issuers/{id}/take-up", P::ManageIssuers, A::IssuerUpdate), issuer::page::take_up)
        .add(Row::get("/targets", P::ViewCertificates), t::list)
        .add(Row::get("/targets/new", P::ManageTargets), t::new)
        .add(Row::post("/targets/new", P::ManageTargets, A::TargetCreate), t::create)
        .add(Row::get("/targets/{id}", P::ViewCertificates), t::show)
        .add(Row::get("/targets/{id}/edit", P::ManageTargets), t::edit_form)
        .add(Row::post("/targets/{id}/edit", P::ManageTargets, A::TargetUpdate), t::update)
        .add(Row::get("/targets/{id}/remove", P::ManageTargets), t::remove_form)
        .add(Row::post("/targets/{id}/remove", P::ManageTargets, A::TargetRetire), t::remove)
        .add(Row::post("/targets/{id}/deploy", P::Deploy, A::DeploymentInstall), t::deploy)
}

fn this_server(routes: Routes) -> Routes {
    use crate::support::page as s;
    use api_key::page as k;
    routes
        .add(Row::get("/support", P::ExportCertificate), s::show)
        .add(Row::get("/support/bundle.zip", P::ExportCertificate), s::bundle)
        .add(Row::post("/support/check", P::ExportCertificate, A::SupportCheck), s::check)
        .add(Row::get("/", P::ViewCertificates), overview::page::show)
        .add(Row::post("/logout", P::SeeOneself, A::LogOut), session::page::log_out)
        .add(Row::get("/password", P::SeeOneself), session::page::password)
        .add(Row::post("/password", P::SeeOneself, A::UserUpdate), session::page::change_password)
        .add(Row::get("/users", P::ViewUsers), user::page::list)
        .add(Row::post("/users", P::ManageUsers, A::UserCreate), user::page::create)
        .add(Row::get("/users/{id}", P::ManageUsers), user::page::show)
        .add(Row::post("/users/{id}", P::ManageUsers, A::UserUpdate), user::page::update)
        .add(Row::get("/api-keys", P::ViewApiKeys), k::list)
        .add(Row::post("/api-keys", P::CreateApiKey, A::ApiKeyCreate), k::create)
        .add(Row::get("/api-keys/{id}", P::UpdateApiKey), k::show)
        .add(Row::post("/api-keys/{id}", P::UpdateApiKey, A::ApiKeyUpdate), k::set_roles)
        .add(Row::get("/api-keys/{id}/revoke", P::RevokeApiKey), k::revoke_form)
        .add(Row::post("/api-keys/{id}/revoke", P::RevokeApiKey, A::ApiKeyRevoke), k::revoke)
        .add(Row::get("/audit", P::ViewAuditLog), audit::page::list)
        .add(Row::post("/audit/verify", P::ViewAuditLog, A::Request), audit::page::verify)
        .add(Row::get("/settings", P::ViewSettings), setting::page::show)
        .add(Row::post("/settings", P::ManageSettings, A::SettingUpdate), setting::page::update)
}
