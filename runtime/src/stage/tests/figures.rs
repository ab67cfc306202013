//! What a stage costs. Measured by hand (`--ignored --nocapture`, with a release build); nothing is asserted but the outcome.

use super::super::Backend;
use super::{House, in_view, write};
use std::fs;
use std::time::{Duration, Instant};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(run: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    run();
    begun.elapsed()
}

#[test]
#[ignore = "a measurement"]
fn what_a_stage_costs() {
    for files in [100, 100_000] {
        let house = House::new();
        for file in 0..files {
            write(&house.app().join(format!("d{}/f{file}", file / 200)), "x");
        }
        rustix::fs::sync();
        for backend in [Backend::Overlay, Backend::UserOverlay] {
            let once = || {
                let stage = house.open(backend);
                drop(stage.view(0).unwrap());
                stage.discard().unwrap();
            };
            let times: Vec<Duration> = (0..51).map(|_| timed(once)).collect();
            let least = times.iter().min().copied().unwrap_or_default();
            println!("{backend}, {files} files: open, view, drop {:?}, at least {least:?}", median(times));
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn what_a_commit_costs() {
    const FILES: usize = 500;
    let contents = "x".repeat(4096);
    for backend in Backend::ALL {
        let (mut direct, mut staged) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            let house = House::new();
            direct.push(timed(|| {
                for file in 0..FILES {
                    let path = house.app().join(format!("f{file}"));
                    fs::write(&path, &contents).unwrap();
                    fs::File::open(&path).unwrap().sync_all().unwrap();
                }
                fs::File::open(house.app()).unwrap().sync_all().unwrap();
            }));
            let house = House::new();
            let stage = house.open(*backend);
            staged.push(timed(|| {
                in_view(&stage, 0, |app| (0..FILES).for_each(|file| fs::write(app.join(format!("f{file}")), &contents).unwrap()));
                let prepared = stage.prepare().unwrap();
                prepared.apply().unwrap();
                prepared.applied().forget().unwrap();
            }));
            assert_eq!(fs::read_dir(house.app()).unwrap().count(), FILES);
        }
        let (direct, staged) = (median(direct), median(staged));
        println!("{backend}: {FILES} files directly {direct:?}, staged {staged:?}: {:.2} x", staged.as_secs_f64() / direct.as_secs_f64());
    }
}
