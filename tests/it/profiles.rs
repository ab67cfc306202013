//! The built-in profiles and profiles of one's own, driven as a user drives them.

mod acceptance;
mod blueking;
mod bring_along;
mod commit_sync;
mod dialects;
mod divio;
mod explained;
mod own;
mod pagoda;
mod scripts;
