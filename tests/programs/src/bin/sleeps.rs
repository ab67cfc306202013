//! Sleeps for the milliseconds that its argument names, in one call, without any use of the CPU.

fn main() {
    let ms = std::env::args().nth(1).and_then(|ms| ms.parse().ok()).unwrap_or(1_000);
    println!("sleeping {ms} ms");
    std::thread::sleep(std::time::Duration::from_millis(ms));
    println!("slept");
}
