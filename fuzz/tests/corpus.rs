//! The kept corpora, run without a fuzzer: what was once found stays fixed.

use std::fs;
use std::path::Path;

#[test]
fn every_kept_input_is_survived() {
    for (name, target) in fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files: Vec<_> = fs::read_dir(&folder).expect(name).map(|entry| entry.expect(name).path()).collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let bytes = fs::read(&file).expect("a kept input can be read");
            println!("{}", file.display());
            target(&bytes);
        }
    }
}
