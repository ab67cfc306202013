//! What hooks may do, shown from outside: grants, the operator's ceiling, confinement of native hooks, limits.

mod blocked;
mod ceiling;
mod grants;
mod host_step;
mod leftovers;
mod limits;
mod native;
mod programs;
