//! The command line, driven as a user drives it: each command's surface, what it answers to wrong input, and its exit codes.

mod backup;
mod bad_files;
mod bad_modules;
mod bad_state;
mod bad_targets;
mod cache;
mod changes;
mod exec_args;
mod exec_endings;
mod exec_refused;
mod exec_streams;
mod foreseen;
mod formats;
mod import;
mod later;
mod lock;
mod next;
#[cfg(target_os = "linux")]
mod outside;
mod preflight;
mod reach;
mod rebooted;
mod release_files;
mod resume;
mod run;
mod selectors;
mod shown;
mod signals;
mod wait;
