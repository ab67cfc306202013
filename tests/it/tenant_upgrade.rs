//! The upgrade of a tenant, end to end: the real program, a real repository, a real database, a real service. Each test has a tenant of its
//! own, made by the example's `setup.sh`.

mod again;
mod crash;
mod failure;
mod limits;
mod releases;
mod signals;
mod success;
mod tenant;
mod tenants;
