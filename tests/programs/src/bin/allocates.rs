//! Allocates and touches the mebibytes that its argument names, one by one, and says so after each sixteenth.

fn main() {
    let mebibytes: usize = std::env::args().nth(1).and_then(|mebibytes| mebibytes.parse().ok()).unwrap_or(1);
    let mut held: Vec<Vec<u8>> = Vec::new();
    for n in 1..=mebibytes {
        held.push(std::hint::black_box(vec![0x5a; 1 << 20]));
        if n % 16 == 0 {
            println!("holding {n} MiB");
        }
    }
    println!("held {} MiB", held.len());
}
