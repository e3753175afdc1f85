//! PROJ's C interface: just what it takes to choose a coordinate operation and to run it.
//!
//! `GDAL` transforms through PROJ too, but picks an operation point by point; PROJ itself lets one be chosen and named.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_double, c_int};
use std::ptr::{null, null_mut};

use mosaic::projection::{Projection, ProjectionError};

use crate::late::{PROJ, late};

#[repr(C)]
struct Context([u8; 0]);
#[repr(C)]
struct Pj([u8; 0]);
#[repr(C)]
struct FactoryContext([u8; 0]);
#[repr(C)]
struct List([u8; 0]);

const FORWARD: c_int = 1;
const INVERSE: c_int = -1;
const LOG_NONE: c_int = 0;
const PARTIAL_INTERSECTION: c_int = 1;
const DISCARD_IF_MISSING_GRID: c_int = 1;
const PROJ_5: c_int = 0;

late! {
    PROJ;
    fn proj_context_create() -> *mut Context;
    fn proj_context_destroy(context: *mut Context) -> *mut Context;
    fn proj_context_set_enable_network(context: *mut Context, enabled: c_int) -> c_int;
    fn proj_log_level(context: *mut Context, level: c_int) -> c_int;
    fn proj_create(context: *mut Context, definition: *const c_char) -> *mut Pj;
    fn proj_destroy(pj: *mut Pj) -> *mut Pj;
    fn proj_create_operation_factory_context(context: *mut Context, authority: *const c_char) -> *mut FactoryContext;
    fn proj_operation_factory_context_destroy(factory: *mut FactoryContext);
    fn proj_operation_factory_context_set_area_of_interest(
        context: *mut Context,
        factory: *mut FactoryContext,
        west: c_double,
        south: c_double,
        east: c_double,
        north: c_double,
    );
    fn proj_operation_factory_context_set_spatial_criterion(
        context: *mut Context,
        factory: *mut FactoryContext,
        criterion: c_int,
    );
    fn proj_operation_factory_context_set_grid_availability_use(
        context: *mut Context,
        factory: *mut FactoryContext,
        usage: c_int,
    );
    fn proj_create_operations(
        context: *mut Context,
        source: *const Pj,
        target: *const Pj,
        factory: *const FactoryContext,
    ) -> *mut List;
    fn proj_list_get_count(list: *const List) -> c_int;
    fn proj_list_get(context: *mut Context, list: *const List, index: c_int) -> *mut Pj;
    fn proj_list_destroy(list: *mut List);
    fn proj_normalize_for_visualization(context: *mut Context, pj: *const Pj) -> *mut Pj;
    fn proj_as_proj_string(
        context: *mut Context,
        pj: *const Pj,
        kind: c_int,
        options: *const *const c_char,
    ) -> *const c_char;
    #[allow(clippy::too_many_arguments)]
    fn proj_trans_generic(
        pj: *mut Pj,
        direction: c_int,
        x: *mut c_double,
        sx: usize,
        nx: usize,
        y: *mut c_double,
        sy: usize,
        ny: usize,
        z: *mut c_double,
        sz: usize,
        nz: usize,
        t: *mut c_double,
        st: usize,
        nt: usize,
    ) -> usize;
}

/// An object of PROJ's that is destroyed with its owner, in the context that it was made in.
struct Owned<T>(*mut T, unsafe fn(*mut T));

impl<T> Owned<T> {
    fn new(pointer: *mut T, destroy: unsafe fn(*mut T)) -> Option<Self> {
        (!pointer.is_null()).then_some(Self(pointer, destroy))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from PROJ, is not null, and is destroyed once, by its own kind's destructor.
        unsafe { (self.1)(self.0) }
    }
}

unsafe fn destroy_context(context: *mut Context) {
    // SAFETY: see `Owned`.
    unsafe { proj_context_destroy(context) };
}

unsafe fn destroy_pj(pj: *mut Pj) {
    // SAFETY: see `Owned`.
    unsafe { proj_destroy(pj) };
}

unsafe fn destroy_factory(factory: *mut FactoryContext) {
    // SAFETY: see `Owned`.
    unsafe { proj_operation_factory_context_destroy(factory) };
}

unsafe fn destroy_list(list: *mut List) {
    // SAFETY: see `Owned`.
    unsafe { proj_list_destroy(list) };
}

fn failed(what: impl Into<String>) -> ProjectionError {
    ProjectionError(what.into())
}

/// A context without network or messages.
fn context() -> Result<Owned<Context>, ProjectionError> {
    // SAFETY: a fresh context, set up before anyone else has it.
    unsafe {
        let context = Owned::new(proj_context_create(), destroy_context).ok_or_else(|| failed("PROJ has no memory"))?;
        proj_context_set_enable_network(context.0, 0);
        proj_log_level(context.0, LOG_NONE);
        Ok(context)
    }
}

fn create(context: &Owned<Context>, definition: &str) -> Result<Owned<Pj>, ProjectionError> {
    let text = CString::new(definition).map_err(|_| failed("a CRS with a NUL byte"))?;
    // SAFETY: context and text live through the call.
    let pj = unsafe { proj_create(context.0, text.as_ptr()) };
    let shown: String = definition.chars().take(60).collect();
    Owned::new(pj, destroy_pj).ok_or_else(|| failed(format!("PROJ knows no CRS `{shown}`")))
}

/// Chooses the coordinate operation from a CRS (an `EPSG:` code or WKT) to longitude and latitude on WGS 84 that is
/// best in an area (west, south, east, north in degrees) with the grids that are installed.
///
/// # Errors
/// Where PROJ does not know the CRS, or no operation from it.
pub fn choose(crs: &str, area: [f64; 4]) -> Result<Operation, ProjectionError> {
    let context = context()?;
    let source = create(&context, crs)?;
    let target = create(&context, "EPSG:4326")?;
    let [west, south, east, north] = area;
    let none =
        || failed(format!("PROJ knows no operation from {} to longitude and latitude", &crs[..crs.len().min(60)]));
    // SAFETY: every pointer is one that PROJ gave and that is still owned here; strings are copied before they go.
    let definition = unsafe {
        let factory = proj_create_operation_factory_context(context.0, null());
        let factory = Owned::new(factory, destroy_factory).ok_or_else(none)?;
        proj_operation_factory_context_set_area_of_interest(context.0, factory.0, west, south, east, north);
        proj_operation_factory_context_set_spatial_criterion(context.0, factory.0, PARTIAL_INTERSECTION);
        proj_operation_factory_context_set_grid_availability_use(context.0, factory.0, DISCARD_IF_MISSING_GRID);
        let list = proj_create_operations(context.0, source.0, target.0, factory.0);
        let list = Owned::new(list, destroy_list).ok_or_else(none)?;
        if proj_list_get_count(list.0) < 1 {
            return Err(none());
        }
        let best = Owned::new(proj_list_get(context.0, list.0, 0), destroy_pj).ok_or_else(none)?;
        // x before y, longitude before latitude, whatever the authority's order of axes.
        let best = Owned::new(proj_normalize_for_visualization(context.0, best.0), destroy_pj).ok_or_else(none)?;
        let text = proj_as_proj_string(context.0, best.0, PROJ_5, null());
        if text.is_null() {
            return Err(none());
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    };
    Operation::new(&definition)
}

/// A coordinate operation from a CRS's plane to longitude and latitude, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    definition: String,
}

/// What one thread has made of a definition. PROJ's objects belong to one thread.
struct Runnable {
    pj: Owned<Pj>,
    // Dropped after what was made in it.
    _context: Owned<Context>,
}

thread_local! {
    static RUNNABLE: RefCell<HashMap<String, Runnable>> = RefCell::new(HashMap::new());
}

impl Operation {
    /// An operation by its PROJ pipeline.
    ///
    /// # Errors
    /// Where it is none.
    pub fn new(definition: &str) -> Result<Self, ProjectionError> {
        create(&context()?, definition)?;
        Ok(Self { definition: definition.to_owned() })
    }

    /// The PROJ pipeline.
    #[must_use]
    pub fn definition(&self) -> &str {
        &self.definition
    }

    fn run(&self, direction: c_int, x: &mut [f64], y: &mut [f64]) -> Result<(), ProjectionError> {
        assert_eq!(x.len(), y.len(), "coordinates of different lengths");
        RUNNABLE.with_borrow_mut(|known| {
            if !known.contains_key(&self.definition) {
                let context = context()?;
                let pj = create(&context, &self.definition)?;
                known.insert(self.definition.clone(), Runnable { pj, _context: context });
            }
            let step = size_of::<f64>();
            let (n, pj) = (x.len(), known[&self.definition].pj.0);
            // SAFETY: both slices hold `n` doubles, `step` bytes apart; no third or fourth coordinate is given.
            unsafe {
                let (x, y) = (x.as_mut_ptr(), y.as_mut_ptr());
                proj_trans_generic(pj, direction, x, step, n, y, step, n, null_mut(), 0, 0, null_mut(), 0, 0);
            }
            Ok(())
        })
    }
}

impl Projection for Operation {
    fn to_lonlat(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), ProjectionError> {
        self.run(FORWARD, x, y)
    }

    fn from_lonlat(&self, lon: &mut [f64], lat: &mut [f64]) -> Result<(), ProjectionError> {
        self.run(INVERSE, lon, lat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: (f64, f64), expected: (f64, f64), tolerance: f64) {
        let off = (found.0 - expected.0).abs().max((found.1 - expected.1).abs());
        assert!(off < tolerance, "{found:?} is not {expected:?}");
    }

    #[test]
    fn europe_by_its_equal_area_projection() {
        let operation = choose("EPSG:3035", [5.0, 40.0, 20.0, 55.0]).unwrap();
        let (mut x, mut y) = (vec![4_321_000.0], vec![3_210_000.0]);
        operation.to_lonlat(&mut x, &mut y).unwrap();
        close((x[0], y[0]), (10.0, 52.0), 1e-9);
        operation.from_lonlat(&mut x, &mut y).unwrap();
        close((x[0], y[0]), (4_321_000.0, 3_210_000.0), 1e-6);
    }

    #[test]
    fn utm_by_proj_is_utm_by_our_formulae() {
        let operation = choose("EPSG:32733", [12.0, -40.0, 18.0, 0.0]).unwrap();
        let ours = mosaic::projection::utm_of_epsg(32733).unwrap();
        for (e, n) in [(300_000.0, 6_000_000.0), (799_980.0, 9_999_000.0), (500_000.0, 7_654_321.0)] {
            let (mut x, mut y) = ([e], [n]);
            let (mut u, mut v) = ([e], [n]);
            operation.to_lonlat(&mut x, &mut y).unwrap();
            ours.to_lonlat(&mut u, &mut v).unwrap();
            close((x[0], y[0]), (u[0], v[0]), 1e-11);
        }
    }

    #[test]
    fn what_is_no_crs_is_refused() {
        assert!(choose("EPSG:999999", [0.0; 4]).is_err());
        assert!(Operation::new("+proj=nonsense").is_err());
    }

    #[test]
    fn a_point_outside_the_domain_is_not_finite() {
        let operation = choose("EPSG:3857", [-180.0, -80.0, 180.0, 80.0]).unwrap();
        let (mut x, mut y) = ([0.0], [90.0]);
        operation.from_lonlat(&mut x, &mut y).unwrap();
        assert!(!y[0].is_finite() || y[0].abs() > 1e8);
    }
}
