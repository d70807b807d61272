//! Has the server compiled again when the built web client changed: rust-embed lists its files while the crate is
//! compiled, and cargo would not look for new ones.

use std::path::Path;

/// Where the web client is built to, from this crate.
const WEB_CLIENT: &str = "../../web/dist";

fn main() {
    println!("cargo::rerun-if-changed={WEB_CLIENT}");
    if !Path::new(WEB_CLIENT).join("index.html").exists() {
        println!("cargo::warning=web/dist is empty: this server has no pages. scripts/web.sh build makes them.");
    }
}
