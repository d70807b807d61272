//! The key that signs tokens: as configured, or made once and kept in the data directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::random_secret;
use crate::config::Config;

/// The file in the data directory.
const FILE: &str = "signing.key";
/// Characters of the key: 256 bits in hexadecimal.
const LENGTH: usize = 64;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be made or read.
    #[error("the signing key {} cannot be used: {source}; see that the data directory can be written to", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is something else.
    #[error(
        "the signing key {} is damaged; it was left as it is: put a backup in its place, or remove it to have a new one made, \
         which signs everybody out",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
}

/// The key.
///
/// # Errors
/// When the file cannot be made or read, or is something else.
pub(crate) fn signing_key(config: &Config) -> Result<Vec<u8>, KeyError> {
    if let Some(secret) = &config.jwt_secret {
        return Ok(secret.reveal().as_bytes().to_vec());
    }
    kept(&config.data_dir)
}

fn kept(directory: &Path) -> Result<Vec<u8>, KeyError> {
    let path = directory.join(FILE);
    let unusable = |source| KeyError::Unusable { path: path.clone(), source };
    fs::create_dir_all(directory).map_err(unusable)?;
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(directory, &path).map_err(unusable)?;
            fs::read(&path).map_err(unusable)?
        }
        Err(error) => return Err(unusable(error)),
    };
    let mode = fs::metadata(&path).map_err(unusable)?.permissions().mode();
    if mode & 0o077 != 0 {
        warn!("{} could be read by others on this machine; now only its owner can", path.display());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(unusable)?;
    }
    let key = text.trim_ascii_end();
    if key.len() != LENGTH || !key.iter().all(u8::is_ascii_hexdigit) {
        return Err(KeyError::Damaged { path });
    }
    Ok(key.to_vec())
}

/// Writes the whole of it under another name first: of two who start at once, one makes the key and both read that one.
fn make(directory: &Path, path: &Path) -> io::Result<()> {
    let secret = random_secret();
    let unfinished = directory.join(format!("{FILE}.{}", &random_secret()[..16]));
    let linked = write_new(&unfinished, &secret).and_then(|()| fs::hard_link(&unfinished, path));
    fs::remove_file(&unfinished)?;
    let made = match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => write_new(path, &secret), // No links on this file system.
        linked => linked,
    };
    match made {
        Ok(()) => {
            info!("A key to sign tokens was made and is kept in {}", path.display());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn write_new(path: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("studyhall-key-{}", &random_secret()[..16]));
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join(FILE)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap_or_default();
        }
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let directory = Directory::new();
        let key = kept(&directory.0).unwrap();
        assert_eq!(key.len(), LENGTH);
        assert_eq!(kept(&directory.0).unwrap(), key);
        assert_eq!(fs::metadata(directory.file()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1);
        let other = Directory::new();
        assert_ne!(kept(&other.0).unwrap(), key);
    }

    #[test]
    fn many_who_start_at_once_have_the_same_key() {
        let directory = Directory::new();
        let keys: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| kept(&directory.0).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_key_that_others_could_read_is_closed_to_them() {
        let directory = Directory::new();
        kept(&directory.0).unwrap();
        fs::set_permissions(directory.file(), fs::Permissions::from_mode(0o644)).unwrap();
        kept(&directory.0).unwrap();
        assert_eq!(fs::metadata(directory.file()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_left_alone_and_said() {
        for damaged in ["", "short", &"g".repeat(64), &"0".repeat(65)] {
            let directory = Directory::new();
            kept(&directory.0).unwrap();
            fs::write(directory.file(), damaged).unwrap();
            let sentence = kept(&directory.0).unwrap_err().to_string();
            assert!(sentence.contains("is damaged") && sentence.contains("backup"), "{sentence}");
            assert_eq!(fs::read_to_string(directory.file()).unwrap(), damaged);
        }
    }
}
