//! The edge in this process. It is fed by snapshots: there is nothing to install, and a deployment is done when the
//! verifier has seen it.

use pki::Fingerprint;

use crate::{About, DeployError, Installed, Material, Settings, Target};

const ABOUT: About = About {
    kind: "edge",
    label: "Edge",
    help: "The TLS edge of this server. It serves the current certificate of every lineage that has it as a target, \
           chosen by the name that the client asks for.",
    fields: &[],
};

/// The kind `edge`.
pub(crate) struct Edge;

impl Target for Edge {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn install(&self, _settings: &Settings, _material: &Material<'_>) -> Result<Installed, DeployError> {
        Ok(Installed { changed: false })
    }

    fn put_back(&self, _settings: &Settings, _certificate: Fingerprint) -> Result<(), DeployError> {
        Ok(())
    }
}
