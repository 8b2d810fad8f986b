//! Enums with a stable name per variant, as the store, the API and audit events write them.

/// Declares an enum whose variants each have a stable name, with `ALL`, `NAMES`, `name` and `FromStr`.
#[macro_export]
macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($(#[$vdoc:meta])* $variant:ident $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind { $($(#[$vdoc])* $variant,)* }

        impl $kind {
            /// Every one.
            pub const ALL: &'static [$kind] = &[$(Self::$variant,)*];
            /// The name of each.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $kind {
            type Err = $crate::names::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err($crate::names::UnknownName { known: Self::NAMES }),
                }
            }
        }
    };
}

/// A text that names no variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is none of {}", .known.join(", "))]
pub struct UnknownName {
    /// The names that there are.
    pub known: &'static [&'static str],
}
