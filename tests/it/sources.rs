//! Hooks that come from a repository of their own.

mod credentials;
mod jobs;
mod refused;
mod repository;
