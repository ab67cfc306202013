//! Single hooks and the journal under criterion: for whoever changes the executor or the ledger and wants to know by how much.

use crate::guests;
use crate::ratios::{Journaled, ManyHooks, Site};
use crate::sandbox::{Sandbox, job};
use criterion::Criterion;

/// Measures what `filter` names, or everything.
pub fn run(filter: Option<&str>) {
    let mut criterion = Criterion::default().with_output_color(false);
    if let Some(filter) = filter {
        criterion = criterion.with_filter(filter);
    }
    noop(&mut criterion);
    marker(&mut criterion);
    journal(&mut criterion);
    plan(&mut criterion);
    criterion.final_summary();
}

fn noop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("noop");
    let job = job(&guests::wasm("noop"), &[]);
    let (pooled, on_demand) = (Sandbox::pooled(), Sandbox::on_demand(&guests::kept("cache")));
    group.bench_function("pooled", |bencher| bencher.iter(|| pooled.succeed(&job)));
    group.bench_function("on demand", |bencher| bencher.iter(|| on_demand.succeed(&job)));
    group.finish();
}

fn marker(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("marker");
    let (site, sandbox) = (Site::new(), Sandbox::pooled());
    std::fs::write(site.marker(), "").unwrap();
    let job = site.job();
    group.bench_function("sandbox", |bencher| bencher.iter(|| sandbox.succeed(&job)));
    group.bench_function("bash", |bencher| bencher.iter(|| site.script()));
    group.finish();
}

fn journal(criterion: &mut Criterion) {
    let journaled = Journaled::new();
    let mut group = criterion.benchmark_group("journal");
    for (what, live) in [("100 hooks with live effects", true), ("100 hooks without", false)] {
        group.bench_function(what, |bencher| bencher.iter_custom(|rounds| (0..rounds).map(|_| journaled.ours(live)).sum()));
    }
    group.finish();
}

fn plan(criterion: &mut Criterion) {
    let hooks = ManyHooks::new();
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10).bench_function("1000 no-op hooks", |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| hooks.run()).sum());
    });
    group.finish();
}
