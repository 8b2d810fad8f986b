//! What this server is: its environment, and its place in an X-Road instance if it has one.

/// The server's identity, given at the first start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The environment of this server: `production`, `test`, or a name of its own.
    pub environment: String,
    /// X-Road instance, `DEV` say; empty outside X-Road, as are the following.
    pub instance: String,
    /// Member class of the owner.
    pub member_class: String,
    /// Member code of the owner.
    pub member_code: String,
    /// Name of the owner.
    pub owner_name: String,
    /// Server code.
    pub server_code: String,
}

impl Identity {
    /// `DEV : COM : 1234 : SS0`, or the environment's name outside X-Road.
    pub fn title(&self) -> String {
        if self.instance.is_empty() {
            return self.environment.clone();
        }
        [&self.instance, &self.member_class, &self.member_code, &self.server_code]
            .map(String::as_str)
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" : ")
    }

    /// Refuses characters that X-Road's identifiers cannot hold (`XROAD.md` 1.1).
    pub fn check(&self) -> Result<(), pki::Refusal> {
        let parts = [
            ("instance", &self.instance),
            ("member_class", &self.member_class),
            ("member_code", &self.member_code),
            ("server_code", &self.server_code),
            ("environment", &self.environment),
        ];
        let bad = |c: char| matches!(c, ':' | ';' | '/' | '\\' | '%') || c.is_control();
        for (field, value) in parts {
            if value.chars().any(bad) || value.chars().count() > 255 {
                let what = format!("{field} holds one of : ; / \\ % or a control character, or is too long");
                return Err(
                    pki::Refusal::new("identity.characters", what, "Leave these characters out.").at(field)
                );
            }
        }
        if self.owner_name.chars().any(char::is_control) || self.owner_name.chars().count() > 255 {
            let what = "the owner's name holds a control character, or is too long";
            return Err(
                pki::Refusal::new("identity.characters", what, "Write it on one line.").at("owner_name")
            );
        }
        if self.environment.is_empty() {
            let what = "the environment has no name";
            return Err(pki::Refusal::new("identity.environment", what, "Write production or test.")
                .at("environment"));
        }
        Ok(())
    }
}
