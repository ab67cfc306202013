//! The upgrade of a tenant, end to end: the real program, a real repository, a real database, a real service. Each test has a tenant of its
//! own, made by the example's `setup.sh`.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here fails the test")]

mod again;
mod crash;
mod failure;
mod limits;
mod releases;
mod signals;
mod steps;
mod success;
mod tenant;
mod tenants;
mod told;
mod use_cases;
