//! Whether a mosaic's name means a whole version, looked at again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use super::Scene;

/// Looks at names until it is asked what it has seen.
pub struct Latest {
    stop: Arc<AtomicBool>,
    looking: JoinHandle<Result<u64, String>>,
}

impl Latest {
    /// Looks at every mosaic of the scene, published in `output`.
    #[must_use]
    pub fn look(scene: &Scene, output: &Path) -> Self {
        let names: Vec<(PathBuf, Vec<PathBuf>)> =
            scene.mosaics.iter().map(|mosaic| (output.join(&mosaic.name), mosaic.files.clone())).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let looking = spawn(move || {
            let mut looks = 0;
            while !stopped.load(Ordering::Relaxed) {
                for (name, files) in &names {
                    is_whole(name, files)?;
                    looks += 1;
                }
                sleep(Duration::from_millis(50));
            }
            Ok(looks)
        });
        Self { stop, looking }
    }

    /// How often it has looked.
    ///
    /// # Errors
    /// Which name meant what was not whole.
    pub fn seen(self) -> Result<u64, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.looking.join().unwrap_or_else(|_| Err("the one who looks at names has panicked".to_owned()))
    }
}

/// Whether the name means nothing yet, or a version with every file.
fn is_whole(name: &Path, files: &[PathBuf]) -> Result<(), String> {
    let Ok(version) = name.canonicalize() else {
        let dangles = name.is_symlink();
        return if dangles { Err(format!("{} means nothing that is there", name.display())) } else { Ok(()) };
    };
    match files.iter().find(|file| !version.join(file).is_file()) {
        Some(file) => Err(format!("{} lacks {}", version.display(), file.display())),
        None => Ok(()),
    }
}
