//! What a commit costs: files written through a stage and committed, beside the same files written and synced where they belong.

use super::staging::{Site, through};
use super::{Goal, Row};
use crate::measure::{Rounds, in_turn, time};
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;
use wasmhook::stage::Backend;

const FILES: usize = 500;
const BYTES: usize = 4096;
const TIMES: Rounds = Rounds { rounds: 7, ours: 1 };

pub fn rows() -> Vec<Row> {
    Backend::ALL
        .iter()
        .map(|backend| {
            let pair = in_turn(TIMES, || staged(*backend), directly);
            let goal = if *backend == Backend::Copy { Goal::None } else { Goal::Ratio(2.0) };
            Row::pair(format!("commit {FILES} new files of 4 KiB, {backend}"), "written and synced", &pair, goal)
        })
        .collect()
}

fn write(dir: &Path, file: usize) -> File {
    let path = dir.join(format!("f{file}"));
    fs::write(&path, [b'x'; BYTES]).unwrap();
    File::open(path).unwrap()
}

fn directly() -> Duration {
    let site = Site::new(0);
    let app = site.app();
    let work = || {
        (0..FILES).for_each(|file| write(&app, file).sync_all().unwrap());
        File::open(&app).unwrap().sync_all().unwrap();
    };
    time(work).1
}

fn staged(backend: Backend) -> Duration {
    let site = Site::new(0);
    let stage = site.open(backend);
    let work = || {
        let view = stage.view(0, Path::new("")).unwrap();
        (0..FILES).for_each(|file| drop(write(&through(&view), file)));
        drop(view);
        let mut prepared = stage.prepare().unwrap();
        prepared.apply().unwrap();
        prepared.applied().forget().unwrap();
    };
    let took = time(work).1;
    assert_eq!(fs::read_dir(site.app()).unwrap().count(), FILES);
    took
}
