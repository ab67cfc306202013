//! What the documents of the systems show: their own files run as they stand, natively with stand-ins for programs that a machine may lack,
//! and again with their commands as modules.

mod blueking;
mod commands;
mod commit_sync;
mod divio;
mod environment;
mod fresh;
mod pagoda;
mod scripts;
mod site;
mod tenant;
