//! GDAL and PROJ, loaded when they are first called.
//!
//! With what they stand on they are over a hundred shared libraries. Linked as usual, the loader settles tens of
//! thousands of their symbols before `main` begins, which takes longer than everything that `--help`, a fault in a
//! request, or a coordinator has to do. So the functions that are called are defined here, each of which finds the
//! library's own of the same name at its first call; for the linker nothing is left to take from the library itself.
//!
//! A function of GDAL's that is missing in [`gdal`] still works: the library is then linked as usual, and the test of
//! the binary's libraries says so.

mod gdal;
mod settings;

use std::cell::Cell;
use std::sync::{Once, OnceLock};

use libloading::Library;

pub use settings::set_gdal_cache;

/// A library that is loaded at its first use.
pub(crate) struct Late {
    soname: &'static str,
    library: OnceLock<Library>,
    /// Tells it what it has to know before anyone calls it.
    settle: fn(),
    settled: Once,
}

/// GDAL.
pub(crate) static GDAL: Late = Late::new(env!("GDAL_SONAME"), settings::settle_gdal);
/// PROJ.
pub(crate) static PROJ: Late = Late::new(env!("PROJ_SONAME"), || ());

thread_local! {
    /// Whether this thread is settling a library, which calls the library, and through it maybe itself: what it defines
    /// under the names of functions here, it finds here too.
    static SETTLES: Cell<bool> = const { Cell::new(false) };
}

/// Loads GDAL, which takes some hundredths of a second, while the caller does something else; whoever needs it before
/// it is there waits.
pub fn load_gdal_meanwhile() {
    // SAFETY: the function takes nothing and gives nothing, and may be called from any thread.
    std::thread::spawn(|| unsafe { gdal_sys::GDALAllRegister() });
}

impl Late {
    const fn new(soname: &'static str, settle: fn()) -> Self {
        Self { soname, library: OnceLock::new(), settle, settled: Once::new() }
    }

    /// Sees to it that the library knows what it has to before it is called.
    pub(crate) fn settle(&self) {
        if !self.settled.is_completed() && !SETTLES.get() {
            self.settled.call_once(|| {
                SETTLES.set(true);
                (self.settle)();
                SETTLES.set(false);
            });
        }
    }

    /// The library's function of a name.
    ///
    /// Whoever calls such a function could not do anything without it: where it cannot be had, the process ends.
    ///
    /// # Safety
    /// `F` is the type of that function.
    pub(crate) unsafe fn function<F: Copy>(&self, name: &str) -> F {
        // SAFETY: loading runs the library's initialisers, as linking to it would have before `main`.
        let load = || unsafe { Library::new(self.soname) }.unwrap_or_else(|error| self.missing(&error));
        let library = self.library.get_or_init(load);
        // SAFETY: the caller vouches for the type; the library is never unloaded.
        match unsafe { library.get::<F>(name.as_bytes()) } {
            Ok(function) => *function,
            Err(error) => self.missing(&error),
        }
    }

    #[allow(clippy::print_stderr, reason = "there may be no log yet, and there is no one to return to")]
    fn missing(&self, error: &libloading::Error) -> ! {
        eprintln!("{}: it cannot be loaded, is it installed? {error}", self.soname);
        std::process::exit(1);
    }
}

/// Defines functions that call a library's of the same names.
macro_rules! late {
    ($library:path; $($(#[$attribute:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {$(
        $(#[$attribute])*
        unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            type Function = unsafe extern "C" fn($($type),*) $(-> $result)?;
            static FOUND: std::sync::OnceLock<Function> = std::sync::OnceLock::new();
            $library.settle();
            // SAFETY: the type is the one that the library's own header gives.
            let found = FOUND.get_or_init(|| unsafe { $library.function::<Function>(stringify!($name)) });
            // SAFETY: what the library asks of its callers is asked of this function's.
            unsafe { found($($argument),*) }
        }
    )*};
}
pub(crate) use late;
