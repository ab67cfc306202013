//! What hooks may do, shown from outside: grants, the operator's ceiling, confinement of native hooks, limits.

mod ceiling;
mod grants;
mod leftovers;
mod limits;
mod native;
mod programs;
