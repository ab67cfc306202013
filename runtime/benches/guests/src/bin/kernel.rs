//! `kernel NAME`: one of six computations, which prints its result. Never inlined: they are six programs that share a file.

use std::hint::black_box;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let result = match name.as_str() {
        "sha256" => sha256(),
        "mandelbrot" => mandelbrot(),
        "fib" => fib(black_box(35)),
        "sieve" => sieve(),
        "qsort" => qsort(),
        "matmul" => matmul(),
        _ => std::process::exit(2),
    };
    println!("{name} {result:016x}");
}

/// 24 MiB through SHA-256's compression function.
#[inline(never)]
fn sha256() -> u64 {
    let keys: [u32; 64] = std::array::from_fn(|n| fraction(prime(n).cbrt()));
    let mut state: [u32; 8] = std::array::from_fn(|n| fraction(prime(n).sqrt()));
    let mut block = [0u32; 16];
    for round in 0..(24 << 20) / 64_u32 {
        block.iter_mut().zip(0..).for_each(|(word, n)| *word = word.wrapping_add(round ^ n));
        compress(&mut state, &block, &keys);
    }
    u64::from(state[0]) << 32 | u64::from(state[7])
}

fn prime(index: usize) -> f64 {
    (2u32..).filter(|n| (2..*n).all(|d| n % d != 0)).nth(index).map_or(0.0, f64::from)
}

fn fraction(root: f64) -> u32 {
    (root.fract() * f64::from(u32::MAX)) as u32
}

fn compress(state: &mut [u32; 8], block: &[u32; 16], keys: &[u32; 64]) {
    let mut words = [0u32; 64];
    words[..16].copy_from_slice(block);
    for n in 16..64 {
        let (early, late) = (words[n - 15], words[n - 2]);
        let low = early.rotate_right(7) ^ early.rotate_right(18) ^ early >> 3;
        let high = late.rotate_right(17) ^ late.rotate_right(19) ^ late >> 10;
        words[n] = words[n - 16].wrapping_add(low).wrapping_add(words[n - 7]).wrapping_add(high);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, key) in words.iter().zip(keys) {
        let high = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let first = h.wrapping_add(high).wrapping_add(e & f ^ !e & g).wrapping_add(*key).wrapping_add(*word);
        let low = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let second = low.wrapping_add(a & b ^ a & c ^ b & c);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(first), c, b, a, first.wrapping_add(second));
    }
    state.iter_mut().zip([a, b, c, d, e, f, g, h]).for_each(|(word, new)| *word = word.wrapping_add(new));
}

#[inline(never)]
fn mandelbrot() -> u64 {
    const SIDE: u32 = 400;
    let mut steps = 0;
    for (row, column) in (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column))) {
        let (x0, y0) = (f64::from(column) / f64::from(SIDE) * 3.0 - 2.0, f64::from(row) / f64::from(SIDE) * 2.0 - 1.0);
        let (mut x, mut y, mut step) = (0.0, 0.0, 0);
        while x * x + y * y < 4.0 && step < 200 {
            (x, y, step) = (x * x - y * y + x0, 2.0 * x * y + y0, step + 1);
        }
        steps += step;
    }
    steps
}

fn fib(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { fib(black_box(n - 1)) + fib(black_box(n - 2)) }
}

#[inline(never)]
fn sieve() -> u64 {
    const LIMIT: usize = 6_000_000;
    let mut composite = vec![false; LIMIT];
    let mut primes = 0;
    for n in 2..LIMIT {
        if !composite[n] {
            primes += 1;
            (n.saturating_mul(n)..LIMIT).step_by(n).for_each(|multiple| composite[multiple] = true);
        }
    }
    primes
}

#[inline(never)]
fn qsort() -> u64 {
    let mut numbers = noise(900_000);
    sort(&mut numbers);
    numbers.iter().zip(0..).fold(0, |sum: u64, (number, at)| sum.wrapping_mul(31).wrapping_add(number ^ at))
}

fn sort(numbers: &mut [u64]) {
    if numbers.len() < 2 {
        return;
    }
    let pivot = numbers[numbers.len() / 2];
    let (mut left, mut right) = (0, numbers.len() - 1);
    loop {
        while numbers[left] < pivot {
            left += 1;
        }
        while numbers[right] > pivot {
            right -= 1;
        }
        if left >= right {
            break;
        }
        numbers.swap(left, right);
        (left, right) = (left + 1, right - 1);
    }
    let (low, high) = numbers.split_at_mut(left);
    sort(low);
    sort(high);
}

fn noise(count: usize) -> Vec<u64> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 20
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// As the textbook has it.
#[inline(never)]
fn matmul() -> u64 {
    const SIDE: usize = 300;
    let numbers: Vec<f64> = noise(2 * SIDE * SIDE).iter().map(|n| (n % 1000) as f64).collect();
    let (a, b) = numbers.split_at(SIDE * SIDE);
    let mut product = vec![0.0; SIDE * SIDE];
    for row in 0..SIDE {
        for column in 0..SIDE {
            let mut sum = 0.0;
            for k in 0..SIDE {
                sum += a[row * SIDE + k] * b[k * SIDE + column];
            }
            product[row * SIDE + column] = sum;
        }
    }
    product.iter().sum::<f64>() as u64
}
