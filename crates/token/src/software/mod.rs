//! Software tokens: keys are sealed rows, the data key that opens them is kept in key slots (DESIGN section 5).

pub(crate) mod data_key;
pub(crate) mod session;
mod signing_key;
pub mod slot;
#[cfg(test)]
pub(crate) mod testing;
