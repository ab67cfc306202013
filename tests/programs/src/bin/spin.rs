//! Computes for ever; with an argument, that many million steps.

fn main() {
    let millions: Option<u64> = std::env::args().nth(1).and_then(|millions| millions.parse().ok());
    println!("spinning");
    let mut state = 1_u64;
    let mut steps = 0_u64;
    while millions.is_none_or(|millions| steps < millions * 1_000_000) {
        state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        steps += 1;
    }
    println!("spun {state}");
}
