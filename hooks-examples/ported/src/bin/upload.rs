//! `bin/pre-release`: puts everything in the folder that is its argument into a bucket. A module has no network: the bucket is the folder
//! `bucket` of the application; the access to it is asked for all the same.

use ported::copy_all;
use wasmhook_sdk::prelude::*;

fn main() -> Result<()> {
    let app = Context::from_env()?.app_dir;
    let folder = std::env::args().nth(1).context("the first argument is the folder to upload")?;
    validate_env(&["CEPH_RGW_HOST", "CEPH_AWS_ACCESS_KEY_ID", "CEPH_AWS_SECRET_ACCESS_KEY"])?;
    for name in copy_all(&app.join(folder), &app.join("bucket"))? {
        println!("put {name}");
    }
    Ok(())
}
