//! Samples and what is said of them.

use std::time::{Duration, Instant};

/// Times of one thing, sorted.
pub struct Samples(Vec<Duration>);

impl Samples {
    /// The middle one.
    pub fn median(&self) -> Duration {
        self.quantile(50)
    }

    /// The one that `percent` of them don't exceed.
    pub fn quantile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent).div_ceil(100).clamp(1, self.0.len()) - 1]
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort();
        Self(times)
    }
}

/// Ours and the peer's.
pub struct Pair {
    pub ours: Samples,
    pub peer: Samples,
}

impl Pair {
    /// How many times the peer's median ours is.
    pub fn ratio(&self) -> f64 {
        self.ours.median().as_secs_f64() / self.peer.median().as_secs_f64()
    }
}

/// Takes the time of what it is given.
pub fn time<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = what();
    (result, start.elapsed())
}

/// How often each side runs.
#[derive(Clone, Copy)]
pub struct Rounds {
    /// Rounds, besides one that isn't counted.
    pub rounds: usize,
    /// Times that ours runs in a round: a thing of microseconds is a hundred times shorter than a process.
    pub ours: usize,
}

/// Lets both sides run in turn. Each says itself how long it took.
pub fn in_turn(times: Rounds, mut ours: impl FnMut() -> Duration, mut peer: impl FnMut() -> Duration) -> Pair {
    let mut sides = (Vec::new(), Vec::new());
    for round in 0..=times.rounds {
        let took: Vec<Duration> = (0..times.ours).map(|_| ours()).collect();
        let peer_took = peer();
        if round > 0 {
            sides.0.extend(took);
            sides.1.push(peer_took);
        }
    }
    Pair { ours: sides.0.into_iter().collect(), peer: sides.1.into_iter().collect() }
}
