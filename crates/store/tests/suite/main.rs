//! The store on both engines: SQLite always, PostgreSQL where `CLAVIGER_TEST_POSTGRES` names a server. Every repository
//! function runs here, so every statement is prepared on both.

// The name that the rest of the house calls it by.
extern crate claviger_store as store;

mod audit;
mod certificates;
mod deployments;
mod jobs;
mod keys;
mod lineages;
mod opening;
mod people;
mod wall;
mod world;
