//! Chance, for names that nobody else has.

/// Eight bytes of the kernel's randomness; zeros where it has none to give.
#[cfg(target_os = "linux")]
pub(crate) fn salt() -> [u8; 8] {
    let mut salt = [0; 8];
    let _ = rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty());
    salt
}

/// The same, by the name that every kernel has for it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn salt() -> [u8; 8] {
    use std::io::Read as _;
    let mut salt = [0; 8];
    let _ = std::fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut salt));
    salt
}
