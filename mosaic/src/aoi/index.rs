//! The edges of an area, found by latitude.
//!
//! The area's latitudes are cut in slabs; each knows the edges that reach into it, in the order of their polygons. A
//! point meets the edges of its slab only, so that outlines of tens of thousands of vertices cost tens of tests.

use super::polygon::{Polygon, Position};

const MOST_SLABS: usize = 8192;

/// An edge between two positions, the southern one first, so that polygons which share it see the same bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) south: Position,
    pub(super) north: Position,
    polygon: u32,
}

/// A box of longitudes and latitudes, degrees, edges included.
#[derive(Clone, Copy, Debug)]
pub(super) struct LonLatBox {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) east: f64,
    pub(super) north: f64,
}

impl LonLatBox {
    pub(super) fn around(points: impl IntoIterator<Item = Position>) -> Self {
        let nothing =
            Self { west: f64::INFINITY, south: f64::INFINITY, east: f64::NEG_INFINITY, north: f64::NEG_INFINITY };
        points.into_iter().fold(nothing, |b, [lon, lat]| Self {
            west: b.west.min(lon),
            south: b.south.min(lat),
            east: b.east.max(lon),
            north: b.north.max(lat),
        })
    }

    pub(super) fn moved(&self, degrees: f64) -> Self {
        Self { west: self.west + degrees, east: self.east + degrees, ..*self }
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.west <= other.east && other.west <= self.east && self.south <= other.north && other.south <= self.north
    }
}

/// The edges of all polygons. A polygon that runs past 180 degrees is held twice, a full turn apart, so that every
/// point has one place to look: its longitude in [-180, 180).
#[derive(Clone, Debug)]
pub(super) struct EdgeIndex {
    edges: Vec<Edge>,
    /// Where each slab's part of `members` begins, and the end of the last.
    starts: Vec<u32>,
    /// Indices of edges, slab by slab.
    members: Vec<u32>,
    extent: LonLatBox,
    slabs_per_degree: f64,
}

impl EdgeIndex {
    pub(super) fn new(polygons: &[Polygon]) -> Self {
        let copies: Vec<Polygon> = polygons
            .iter()
            .flat_map(|p| std::iter::once(p.clone()).chain((p.longitudes().1 > 180.0).then(|| p.moved(-360.0))))
            .collect();
        let edges: Vec<Edge> = (0u32..).zip(&copies).flat_map(|(number, polygon)| edges(number, polygon)).collect();
        let extent = LonLatBox::around(edges.iter().flat_map(|edge| [edge.south, edge.north]));
        let mut index = Self { edges, starts: vec![], members: vec![], extent, slabs_per_degree: 0.0 };
        let mut slabs = index.edges.len().clamp(1, MOST_SLABS);
        loop {
            index.slabs_per_degree = slabs as f64 / (extent.north - extent.south).max(1e-9);
            let entries: usize =
                index.edges.iter().map(|e| 1 + index.slab(e.north[1], slabs) - index.slab(e.south[1], slabs)).sum();
            if slabs == 1 || entries <= 16 * index.edges.len() {
                break;
            }
            slabs = slabs.div_ceil(2);
        }
        index.fill(slabs);
        index
    }

    fn fill(&mut self, slabs: usize) {
        let mut lists = vec![Vec::new(); slabs];
        for (number, edge) in (0u32..).zip(&self.edges) {
            let range = self.slab(edge.south[1], slabs)..=self.slab(edge.north[1], slabs);
            lists[range].iter_mut().for_each(|list: &mut Vec<u32>| list.push(number));
        }
        self.starts = vec![0];
        for list in lists {
            self.members.extend(list);
            self.starts.push(self.members.len() as u32);
        }
    }

    /// Grows with the latitude, so that a latitude between an edge's ends lies in one of the edge's slabs.
    #[inline]
    fn slab(&self, lat: f64, slabs: usize) -> usize {
        // Below the first saturates to zero.
        (((lat - self.extent.south) * self.slabs_per_degree) as usize).min(slabs - 1)
    }

    fn slabs(&self) -> usize {
        self.starts.len() - 1
    }

    /// Southernmost and northernmost latitude.
    pub(super) fn latitudes(&self) -> (f64, f64) {
        (self.extent.south, self.extent.north)
    }

    /// The box around everything held; longitudes in [-540, 540).
    pub(super) fn extent(&self) -> &LonLatBox {
        &self.extent
    }

    /// Whether a polygon holds the point, its longitude in [-180, 180): an odd number of its edges lies to the east.
    #[inline]
    pub(super) fn contains(&self, lon: f64, lat: f64) -> bool {
        let LonLatBox { west, south, east, north } = self.extent;
        if !(west <= lon && lon <= east && south <= lat && lat <= north) {
            return false;
        }
        let slab = self.slab(lat, self.slabs());
        let (mut polygon, mut inside) = (u32::MAX, false);
        for &member in &self.members[self.starts[slab] as usize..self.starts[slab + 1] as usize] {
            let edge = &self.edges[member as usize];
            if edge.polygon != polygon {
                if inside {
                    return true;
                }
                polygon = edge.polygon;
            }
            inside ^= edge.lies_east(lon, lat);
        }
        inside
    }

    /// Whether a test holds for any edge that meets a box.
    pub(super) fn any_edge(&self, area: &LonLatBox, mut test: impl FnMut(&Edge) -> bool) -> bool {
        if !self.extent.overlaps(area) {
            return false;
        }
        let slabs = self.slab(area.south, self.slabs())..=self.slab(area.north, self.slabs());
        let members = self.starts[*slabs.start()] as usize..self.starts[slabs.end() + 1] as usize;
        self.members[members].iter().map(|&i| &self.edges[i as usize]).any(|edge| edge.meets(area) && test(edge))
    }
}

fn edges(number: u32, polygon: &Polygon) -> impl Iterator<Item = Edge> {
    polygon.rings.iter().flat_map(move |ring| {
        (0..ring.len()).map(move |i| {
            let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
            let (south, north) = if (a[1], a[0]) <= (b[1], b[0]) { (a, b) } else { (b, a) };
            Edge { south, north, polygon: number }
        })
    })
}

impl Edge {
    /// Whether the edge crosses the point's parallel east of it; its south end counts as on the parallel, its north end
    /// does not.
    #[inline]
    fn lies_east(&self, lon: f64, lat: f64) -> bool {
        let ([x0, y0], [x1, y1]) = (self.south, self.north);
        y0 <= lat && lat < y1 && x0 + (lat - y0) * (x1 - x0) / (y1 - y0) > lon
    }

    /// Whether the edge meets a box; when in doubt, it does.
    fn meets(&self, b: &LonLatBox) -> bool {
        let ([x0, y0], [x1, y1]) = (self.south, self.north);
        if y0 > b.north || y1 < b.south || x0.min(x1) > b.east || x0.max(x1) < b.west {
            return false;
        }
        // The box's corners all to one side of the edge's line: they do not meet.
        let (dx, dy) = (x1 - x0, y1 - y0);
        let side = |x: f64, y: f64| dx * (y - y0) - dy * (x - x0);
        let corners = [side(b.west, b.south), side(b.east, b.south), side(b.east, b.north), side(b.west, b.north)];
        let doubt = 1e-12 * (dx.abs() + dy.abs());
        !(corners.iter().all(|&s| s > doubt) || corners.iter().all(|&s| s < -doubt))
    }

    /// Whether the edge crosses the segment between two positions, touching included.
    pub(super) fn crosses(&self, a: Position, b: Position) -> bool {
        let (p, q) = (self.south, self.north);
        let apart = |k: usize| a[k].max(b[k]) < p[k].min(q[k]) || p[k].max(q[k]) < a[k].min(b[k]);
        if apart(0) || apart(1) {
            return false;
        }
        let side =
            |u: Position, v: Position, w: Position| (v[0] - u[0]) * (w[1] - u[1]) - (v[1] - u[1]) * (w[0] - u[0]);
        side(p, q, a) * side(p, q, b) <= 0.0 && side(a, b, p) * side(a, b, q) <= 0.0
    }
}
