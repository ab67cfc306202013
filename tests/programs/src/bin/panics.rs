//! Panics below three functions whose names a backtrace should show.

#[inline(never)]
fn deploy_everything(depth: &str) {
    migrate_the_database(depth);
    println!("never said");
}

#[inline(never)]
fn migrate_the_database(depth: &str) {
    apply_migration_seven(depth);
    println!("never said either");
}

#[inline(never)]
fn apply_migration_seven(depth: &str) {
    panic!("migration 7 is broken: {depth}");
}

fn main() {
    println!("before the panic");
    deploy_everything(&std::env::args().nth(1).unwrap_or_else(|| "no argument".into()));
}
